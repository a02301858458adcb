// Giving routers to hosts and taking them away, as the agents there hear it. A router brings its floating IPs along and takes
// them with it. Each time everything has a new revision, so that what a host hears of it last is also the newest.
import { bridgeName } from "../../model/device-names.ts";
import { networkId } from "../../model/ids.ts";
import type { FloatingIpItem } from "../../types/l3-messages.ts";
import { type AgentRow, findAgentById } from "./agent-rows.ts";
import type { Trx } from "./database.ts";
import { goneItem, readFloatingIpItems } from "./floating-ip-items.ts";
import { recordItemsForHost } from "./outbox.ts";
import { type Audience, readRouterBindings, readSwitchedOffHosts } from "./router-hosts.ts";
import { readForwardingHost, readSpeakers, removeHaPort } from "./router-ha-rows.ts";
import { readRouterItems, routerDeleteItem } from "./router-items.ts";

export interface Hosting {
  /** Its row is locked. */
  readonly routerId: string;
  readonly agentId: string;
}

/** False when somebody has bound this agent or taken the slot meanwhile. */
export async function hostRouter(
  trx: Trx,
  { routerId, agentId, slot }: Hosting & { readonly slot: number },
  audience: Audience,
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto("router_l3_agents")
    .values({ router_id: routerId, agent_id: agentId, slot, ha_state: null })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  if (Number(numInsertedOrUpdatedRows ?? 0) === 0) return false;
  await renewRevisions(trx, routerId);
  const agent = await findAgentById(trx, agentId);
  if (agent === undefined) return true;
  // Of several hosts one forwards, and says so.
  await plugAddedPorts(trx, routerId);
  if (serves(agent, audience)) await tellArrival(trx, { routerId, agent }, audience);
  await tellSpeakers(trx, { routerId, agentId }, audience);
  return true;
}

/** False when it was not bound; then nothing happens. */
export async function unhostRouter(trx: Trx, { routerId, agentId }: Hosting, audience: Audience): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom("router_l3_agents")
    .where("router_id", "=", routerId)
    .where("agent_id", "=", agentId)
    .executeTakeFirst();
  if (Number(numDeletedRows) === 0) return false;
  await removeHaPort(trx, { routerId, agentId });
  await renewRevisions(trx, routerId);
  const agent = await findAgentById(trx, agentId);
  if (agent !== undefined && serves(agent, audience)) await tellDeparture(trx, { routerId, agent }, audience);
  if ((await readRouterBindings(trx, routerId)).length === 0) await rest(trx, routerId);
  else await plugAddedPorts(trx, routerId);
  await tellSpeakers(trx, { routerId, agentId }, audience);
  return true;
}

/** For a router that is about to be deleted. */
export async function unhostEverywhere(trx: Trx, routerId: string, audience: Audience): Promise<void> {
  for (const { agentId } of await readRouterBindings(trx, routerId)) {
    await unhostRouter(trx, { routerId, agentId }, audience);
  }
}

interface Told {
  readonly routerId: string;
  readonly agent: AgentRow;
}

/** The router as it is, to the agents of the host. */
export async function tellArrival(trx: Trx, { routerId, agent }: Told, audience: Audience): Promise<void> {
  const router = (await readRouterItems(trx, [routerId])).get(routerId);
  if (router !== undefined) await recordItemsForHost(trx, { role: "l3", host: agent.host }, [router(agent.id)]);
  await recordForFloatingIpAgent(trx, agent.host, await readFloatingIpItems(trx, [routerId]), audience);
}

/**
 * After new revisions: what the other hosts have reported of older ones counts no more, so those whose word counts report again.
 * @param hosting.agentId was told already
 */
export async function tellSpeakers(trx: Trx, { routerId, agentId }: Hosting, audience: Audience): Promise<void> {
  for (const agent of await readSpeakers(trx, routerId)) {
    if (agent.id !== agentId && serves(agent, audience)) await tellAgain(trx, { routerId, agent }, audience);
  }
}

/** As it is, and of which floating IPs the end is still to be reported. */
export async function tellAgain(trx: Trx, told: Told, audience: Audience): Promise<void> {
  await tellArrival(trx, told, audience);
  await recordForFloatingIpAgent(trx, told.agent.host, await readAwaitedItems(trx, told.routerId), audience);
}

async function readAwaitedItems(trx: Trx, router: string): Promise<readonly FloatingIpItem[]> {
  const rows = await trx
    .selectFrom("floating_ips")
    .select(["id", "revision_number"])
    .where("last_known_router_id", "=", router)
    .where("router_id", "is", null)
    .where("status", "!=", "DOWN")
    .orderBy("id")
    .execute();
  return rows.map(({ id, revision_number: revision }) => goneItem("floating-ip", { id, router, revision }));
}

export async function tellDeparture(trx: Trx, { routerId, agent }: Told, audience: Audience): Promise<void> {
  const router = await trx.selectFrom("routers").select("revision_number").where("id", "=", routerId).executeTakeFirst();
  if (router === undefined) return;
  const gone = routerDeleteItem(routerId, router.revision_number);
  await recordItemsForHost(trx, { role: "l3", host: agent.host }, [gone]);
  await recordForFloatingIpAgent(trx, agent.host, await readGoneItems(trx, [routerId]), audience);
}

/** A delete for each floating IP and forwarding of the routers, as new as what was last said of it. */
export async function readGoneItems(trx: Trx, routerIds: readonly string[]): Promise<readonly FloatingIpItem[]> {
  const items = await readFloatingIpItems(trx, routerIds);
  return items.map(({ kind, id, routerId: router, revision }) => goneItem(kind, { id, router, revision }));
}

async function recordForFloatingIpAgent(
  trx: Trx,
  host: string,
  items: readonly FloatingIpItem[],
  { servesDisabled }: Audience,
): Promise<void> {
  if (items.length === 0) return;
  if (!servesDisabled && (await readSwitchedOffHosts(trx, [{ host }])).has(host)) return;
  await recordItemsForHost(trx, { role: "fip", host }, items);
}

const serves = (agent: AgentRow, { servesDisabled }: Audience): boolean => agent.admin_state_up === 1 || servesDisabled;

/** A host to which something returns must not take it for older than its delete. */
export async function renewRevisions(trx: Trx, routerId: string): Promise<void> {
  await trx
    .updateTable("routers")
    .set((eb) => ({
      revision_number: eb("revision_number", "+", 1),
      status_from_revision: eb("revision_number", "+", 1),
    }))
    .where("id", "=", routerId)
    .execute();
  await renewFloatingIpRevisions(trx, routerId);
}

export async function renewFloatingIpRevisions(trx: Trx, routerId: string): Promise<void> {
  await trx
    .updateTable("floating_ips")
    .set((eb) => ({
      revision_number: eb("revision_number", "+", 1),
      status_from_revision: eb("revision_number", "+", 1),
    }))
    .where("router_id", "=", routerId)
    .execute();
  await trx
    .updateTable("port_forwardings")
    .set((eb) => ({ revision_number: eb("revision_number", "+", 1) }))
    .where("floatingip_id", "in", (eb) => eb.selectFrom("floating_ips").select("id").where("router_id", "=", routerId))
    .execute();
}

/** What a router has got since it was given to its host hangs there too. Its row is locked. */
export async function plugAddedPorts(trx: Trx, routerId: string): Promise<void> {
  const host = await readForwardingHost(trx, routerId);
  if (host !== undefined) await plugPorts(trx, routerId, host);
}

/**
 * The router's ports hang on that host's bridges, those that do not yet; on none when `host` is empty. They work when the
 * agent says so.
 */
async function plugPorts(trx: Trx, routerId: string, host: string): Promise<void> {
  const ports = await trx
    .selectFrom("router_ports")
    .innerJoin("ports", "ports.id", "router_ports.port_id")
    .select(["ports.id", "ports.network_id"])
    .where("router_ports.router_id", "=", routerId)
    .where("router_ports.kind", "!=", "ha")
    .where("ports.binding_host_id", "!=", host)
    .execute();
  for (const [network, own] of Map.groupBy(ports, (port) => port.network_id)) {
    const details = { port_filter: false, connectivity: "l2", bridge_name: bridgeName(networkId(network)) };
    await trx
      .updateTable("ports")
      .set((eb) => ({
        binding_host_id: host,
        binding_vif_type: host === "" ? "unbound" : "bridge",
        binding_vif_details: JSON.stringify(host === "" ? {} : details),
        status: "DOWN",
        revision_number: eb("revision_number", "+", 1),
      }))
      .where(
        "id",
        "in",
        own.map((port) => port.id),
      )
      .execute();
  }
}

/** Nobody serves it any more, and nobody is left to say so. */
async function rest(trx: Trx, routerId: string): Promise<void> {
  await plugPorts(trx, routerId, "");
  await trx
    .updateTable("floating_ips")
    .set({ status: "DOWN", status_reason: null })
    .where((eb) => eb.or([eb("router_id", "=", routerId), eb("last_known_router_id", "=", routerId)]))
    .execute();
  await trx.updateTable("routers").set({ status: "ACTIVE", status_reason: null }).where("id", "=", routerId).execute();
}
