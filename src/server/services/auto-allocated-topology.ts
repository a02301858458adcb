// A network with subnets and a router to the outside, made for a project that asks for any: of the default subnet pools, and to
// the default external network. It is made and removed in one transaction each, so that a server that is killed leaves no part.
import type { Kysely } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import type { Store, Trx } from "../store/database.ts";
import { translated } from "../store/engine-errors.ts";
import { joinedStore } from "../store/joined-store.ts";
import type { Database } from "../store/schema.ts";
import { createNetworkService } from "./network-service.ts";
import { isAutoDeleted } from "./port-rows.ts";
import type { Attributes, RequestContext, ResourceService } from "./resource-service.ts";
import type { RouterService } from "./router-service-types.ts";
import { createRouterService } from "./router-service.ts";
import { someOf, type ServiceDeps } from "./service-deps.ts";
import { visibleObjects } from "./sharing.ts";
import { createSubnetService } from "./subnet-service.ts";

interface Topology {
  readonly networkId: string;
  readonly routerId: string;
}

interface Pool {
  readonly id: string;
  readonly ip_version: number;
}

/** Somebody else has made one for the same project meanwhile. */
class LostRace extends Error {}

/** As a project that is made and removed at the same time may need; nobody loses so often otherwise. */
const maxRaces = 5;

const failure = (why: string): ApiFault => new ApiFault("AutoAllocationFailure", `Deployment error: ${why}.`);

export class AutoAllocatedTopologies {
  readonly #deps: ServiceDeps;

  constructor(deps: ServiceDeps) {
    this.#deps = deps;
  }

  get #store(): Store {
    return this.#deps.store;
  }

  /** Throws AutoAllocationFailure when `provide` could not do its work. */
  async check(context: RequestContext): Promise<void> {
    await this.#findOutside();
    await this.#findPools(context);
  }

  /** Answers the id of the network. @param context of the project that it is for. */
  async provide(context: RequestContext): Promise<string> {
    for (let race = 1; ; race++) {
      const standing = await this.#read(context);
      if (standing !== undefined) return standing;
      if (context.canWrite === false)
        throw new ApiFault("PolicyNotAuthorized", "get_auto_allocated_topology is disallowed by policy");
      const ways = { outside: await this.#findOutside(), pools: await this.#findPools(context) };
      try {
        return await this.#store.transaction((trx) => new Builder(trx, this.#deps).build(context, ways));
      } catch (thrown) {
        if (thrown instanceof LostRace && race < maxRaces) continue;
        // Whoever was first may have used up the quota: then there is what was asked for.
        const others = await this.#read(context);
        if (others === undefined) throw asAnswer(thrown);
        return others;
      }
    }
  }

  /** Nothing to do is fine. Throws NetworkInUse while somebody has ports on it. */
  async remove(context: RequestContext): Promise<void> {
    await this.#store.transaction(async (trx) => {
      const topology = await readTopology(trx, context.projectId);
      if (topology === undefined) return;
      await refuseUsed(trx, topology.networkId);
      await new Builder(trx, this.#deps).tearDown(context, topology);
    });
  }

  async #read({ projectId }: RequestContext): Promise<string | undefined> {
    return (await translated(readTopology(this.#store.db, projectId)))?.networkId;
  }

  async #findOutside(): Promise<string> {
    const row = await translated(
      this.#store.db
        .selectFrom("networks")
        .select("id")
        .where("is_default", "=", 1)
        .where("is_external", "=", 1)
        .executeTakeFirst(),
    );
    if (row === undefined) throw failure("no default external network");
    return row.id;
  }

  async #findPools(context: RequestContext): Promise<readonly Pool[]> {
    const visible = visibleObjects(context, "subnetpool");
    const pools = await translated(
      this.#store.db
        .selectFrom("subnet_pools")
        .select(["id", "ip_version"])
        .where("is_default", "=", 1)
        .$if(visible !== undefined, (query) => (visible === undefined ? query : query.where(visible)))
        .orderBy("ip_version")
        .execute(),
    );
    if (pools.length === 0) throw failure("no default subnet pool");
    return pools;
  }
}

/** Works inside one transaction, with the use cases of the parts. */
class Builder {
  readonly #trx: Trx;
  readonly #networks: ResourceService;
  readonly #subnets: ResourceService;
  readonly #routers: RouterService;

  constructor(trx: Trx, deps: ServiceDeps) {
    const joined = { ...deps, store: joinedStore(deps.store, trx) };
    this.#trx = trx;
    this.#networks = createNetworkService(joined);
    this.#subnets = createSubnetService(joined);
    this.#routers = createRouterService(joined);
  }

  /** Answers the id of the network. Throws LostRace. */
  async build(
    context: RequestContext,
    { outside, pools }: { readonly outside: string; readonly pools: readonly Pool[] },
  ): Promise<string> {
    const networkId = await made(this.#networks, context, { name: "auto_allocated_network", admin_state_up: true });
    await this.#claim(context.projectId, networkId);
    const routerId = await made(this.#routers, context, {
      name: "auto_allocated_router",
      admin_state_up: true,
      external_gateway_info: { network_id: outside },
    });
    for (const { id, ip_version } of pools) {
      const place = { network_id: networkId, subnetpool_id: id, ip_version, enable_dhcp: true };
      const subnetId = await made(this.#subnets, context, { ...place, name: `auto_allocated_subnet_v${ip_version}` });
      await this.#routers.addInterface({ context, id: routerId }, { subnetId });
    }
    const record = this.#trx.updateTable("auto_allocated_topologies").where("project_id", "=", context.projectId);
    await record.set({ router_id: routerId }).execute();
    return networkId;
  }

  /** Of several who make one for the same project at once, the first; the others wait here until it is there. */
  async #claim(projectId: string, networkId: string): Promise<void> {
    const claimed = await this.#trx
      .insertInto("auto_allocated_topologies")
      .values({ project_id: projectId, network_id: networkId, router_id: "" })
      .onConflict((conflict) => conflict.column("project_id").doNothing())
      .returning("network_id")
      .executeTakeFirst();
    if (claimed === undefined) throw new LostRace(`project ${projectId} has an auto-allocated topology`);
  }

  /** Whatever of it is left: its parts may have been removed one by one. */
  async tearDown(context: RequestContext, { networkId, routerId }: Topology): Promise<void> {
    const subnets = await this.#trx.selectFrom("subnets").select("id").where("network_id", "=", networkId).execute();
    for (const { id } of subnets) {
      await unlessGone(this.#routers.removeInterface({ context, id: routerId }, { subnetId: id }));
    }
    await unlessGone(this.#routers.remove(context, routerId));
    await unlessGone(this.#networks.remove(context, networkId));
  }
}

async function readTopology(db: Kysely<Database>, projectId: string): Promise<Topology | undefined> {
  const row = await db
    .selectFrom("auto_allocated_topologies")
    .selectAll()
    .where("project_id", "=", projectId)
    .executeTakeFirst();
  return row === undefined ? undefined : { networkId: row.network_id, routerId: row.router_id };
}

async function refuseUsed(trx: Trx, networkId: string): Promise<void> {
  const ports = await trx.selectFrom("ports").select(["id", "device_owner"]).where("network_id", "=", networkId).execute();
  const used = ports.filter(({ device_owner: owner }) => !isAutoDeleted(owner) && owner !== "network:router_interface");
  if (used.length === 0) return;
  const ids = someOf(used.map((port) => port.id));
  throw new ApiFault("NetworkInUse", `There are ports on the auto-allocated network ${networkId}: ${ids}.`);
}

/** Clients know one name for everything that went wrong with it, but quotas. */
function asAnswer(thrown: unknown): unknown {
  if (thrown instanceof LostRace) return failure("others keep making and removing it");
  if (!(thrown instanceof ApiFault) || thrown.type === "OverQuota") return thrown;
  return new ApiFault("AutoAllocationFailure", thrown.message, thrown);
}

async function made(service: ResourceService, context: RequestContext, body: Attributes): Promise<string> {
  const [object] = await service.create(context, [{ ...body, project_id: context.projectId }]);
  return String(object?.["id"]);
}

async function unlessGone(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (thrown) {
    if (!(thrown instanceof ApiFault) || thrown.status !== 404) throw thrown;
  }
}
