// What routers of high availability have beside others: their project's HA network, a number on it, and a port there for each
// agent that hosts them. The project sees none of it: all of it is nobody's.
import { randomUUID } from "node:crypto";
import { deviceOwners } from "../../model/device-names.ts";
import { ApiFault } from "../../types/api-faults.ts";
import { findAgentById } from "../store/agent-rows.ts";
import type { Trx } from "../store/database.ts";
import { readHaPortIds } from "../store/router-ha-rows.ts";
import { hasRowLocks, type RouterRow } from "../store/rows.ts";
import { prepareNetworks, writeNetworks } from "./network-segments.ts";
import { createPortInTransaction } from "./port-service.ts";
import { serverContext, type ServiceDeps, timestamp } from "./service-deps.ts";
import { newSubnetRow } from "./subnet-rules.ts";

/** Of every HA network: addresses that lead nowhere else. */
const haCidr = "169.254.192.0/18";
/** As many as VRRP can tell apart. */
const lastVrId = 254;

/** A router that has become one of high availability. Its row is locked or new. */
export async function setUpHa(trx: Trx, deps: ServiceDeps, router: Pick<RouterRow, "id" | "project_id">): Promise<void> {
  await ensureHaNetwork(trx, deps, router.project_id);
  const rows = await trx.selectFrom("ha_routers").select("vr_id").where("project_id", "=", router.project_id).execute();
  const taken = new Set(rows.map((row) => row.vr_id));
  const vrId = [...Array(lastVrId).keys()].map((index) => index + 1).find((id) => !taken.has(id));
  if (vrId === undefined) {
    throw new ApiFault(
      "NoVRIDAvailable",
      `No more Virtual Router Identifier (VRID) available when creating router ${router.id}. The limit of number of HA Routers per project is ${lastVrId}.`,
    );
  }
  const row = { router_id: router.id, project_id: router.project_id, vr_id: vrId };
  await trx.insertInto("ha_routers").values(row).execute();
}

/** The router is hosted by nobody. With the last one of the project the network goes. */
export async function tearDownHa(trx: Trx, router: Pick<RouterRow, "id" | "project_id">): Promise<void> {
  const network = await lockHaNetwork(trx, router.project_id);
  await trx.deleteFrom("ha_routers").where("router_id", "=", router.id).execute();
  if (network === undefined) return;
  const others = await trx
    .selectFrom("ha_routers")
    .select("router_id")
    .where("project_id", "=", router.project_id)
    .limit(1)
    .execute();
  if (others.length > 0) return;
  const ports = await trx.selectFrom("ports").select("id").where("network_id", "=", network).limit(1).execute();
  // Somebody's else: an administrator's, who may remove the network with it.
  if (ports.length === 0) {
    await trx.deleteFrom("subnets").where("network_id", "=", network).execute();
    await trx.deleteFrom("networks").where("id", "=", network).execute();
  }
  await trx.deleteFrom("ha_networks").where("project_id", "=", router.project_id).execute();
}

/** Before the agent is told of the router: its own port on the HA network. The router's row is locked. */
export async function prepareHaPort(
  trx: Trx,
  deps: ServiceDeps,
  { routerId, agentId }: { readonly routerId: string; readonly agentId: string },
): Promise<void> {
  const own = await trx.selectFrom("ha_routers").selectAll().where("router_id", "=", routerId).executeTakeFirst();
  const agent = await findAgentById(trx, agentId);
  if (own === undefined || agent === undefined) return;
  if ((await readHaPortIds(trx, { routerId, agentId })).length > 0) return;
  const port = await createPortInTransaction(trx, deps, {
    network_id: await ensureHaNetwork(trx, deps, own.project_id),
    name: `HA port of router ${routerId}`,
    device_owner: deviceOwners.routerHa,
    device_id: routerId,
    project_id: "",
    port_security_enabled: false,
    "binding:host_id": agent.host,
  });
  await trx
    .insertInto("router_ports")
    .values({ port_id: port.id, router_id: routerId, kind: "ha", agent_id: agentId })
    .execute();
}

/** Locked until the transaction ends. */
async function lockHaNetwork(trx: Trx, projectId: string): Promise<string | undefined> {
  const row = await trx
    .selectFrom("ha_networks")
    .select("network_id")
    .where("project_id", "=", projectId)
    .$if(hasRowLocks(trx), (query) => query.forUpdate())
    .executeTakeFirst();
  return row?.network_id;
}

/** Of several who want it at once the first makes it, and the others wait for that. Answers its id. */
async function ensureHaNetwork(trx: Trx, deps: ServiceDeps, projectId: string): Promise<string> {
  const common = { project_id: "", description: "Of the routers of high availability of one project" };
  const fresh = randomUUID();
  await trx
    .insertInto("ha_networks")
    .values({ project_id: projectId, network_id: fresh })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const id = (await lockHaNetwork(trx, projectId)) ?? fresh;
  const present = await trx.selectFrom("networks").select("id").where("id", "=", id).executeTakeFirst();
  // An administrator may have removed it while no host had a port there.
  if (present !== undefined) return id;
  const bodies = [{ ...common, id, name: `HA network of project ${projectId}` }];
  await writeNetworks(trx, await prepareNetworks(trx, deps, { context: serverContext, bodies }));
  const subnet = { ...common, name: `HA subnet of project ${projectId}`, network_id: id, cidr: haCidr };
  await trx
    .insertInto("subnets")
    .values(newSubnetRow(serverContext, { ...subnet, ip_version: 4, gateway_ip: null, enable_dhcp: false }, timestamp(deps)))
    .execute();
  return id;
}
