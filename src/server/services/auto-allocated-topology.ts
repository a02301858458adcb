// A network with subnets and a router to the outside, made for a project that asks for any: of the default subnet pools, and to
// the default external network.
import { ApiFault } from "../../types/api-faults.ts";
import type { Store } from "../store/database.ts";
import { translated } from "../store/engine-errors.ts";
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
  readonly routerId: string | undefined;
}

const failure = (why: string): ApiFault => new ApiFault("AutoAllocationFailure", `Deployment error: ${why}.`);

export class AutoAllocatedTopologies {
  readonly #store: Store;
  readonly #networks: ResourceService;
  readonly #subnets: ResourceService;
  readonly #routers: RouterService;

  constructor(deps: ServiceDeps) {
    this.#store = deps.store;
    this.#networks = createNetworkService(deps);
    this.#subnets = createSubnetService(deps);
    this.#routers = createRouterService(deps);
  }

  /** Throws AutoAllocationFailure when `provide` could not do its work. */
  async check(context: RequestContext): Promise<void> {
    await this.#findOutside();
    await this.#findPools(context);
  }

  /** Answers the id of the network. @param context of the project that it is for. */
  async provide(context: RequestContext): Promise<string> {
    const standing = await this.#read(context.projectId);
    if (standing !== undefined) return standing.networkId;
    if (context.canWrite === false)
      throw new ApiFault("PolicyNotAuthorized", "get_auto_allocated_topology is disallowed by policy");
    const [outside, pools] = [await this.#findOutside(), await this.#findPools(context)];
    const made = await this.#build(context, outside, pools);
    const winner = await this.#claim(context.projectId, made);
    if (winner.networkId !== made.networkId) await this.#tearDown(context, made);
    return winner.networkId;
  }

  /** Nothing to do is fine. Throws NetworkInUse while somebody has ports on it. */
  async remove(context: RequestContext): Promise<void> {
    const topology = await this.#read(context.projectId);
    if (topology === undefined) return;
    await this.#refuseUsed(topology.networkId);
    await this.#tearDown(context, topology);
  }

  async #read(projectId: string): Promise<Required<Topology> | undefined> {
    const row = await translated(
      this.#store.db.selectFrom("auto_allocated_topologies").selectAll().where("project_id", "=", projectId).executeTakeFirst(),
    );
    return row === undefined ? undefined : { networkId: row.network_id, routerId: row.router_id };
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

  async #findPools(context: RequestContext): Promise<readonly { readonly id: string; readonly ip_version: number }[]> {
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

  async #build(
    context: RequestContext,
    outside: string,
    pools: readonly { readonly id: string; readonly ip_version: number }[],
  ): Promise<Topology> {
    const networkId = await made(this.#networks, context, { name: "auto_allocated_network", admin_state_up: true });
    let routerId: string | undefined;
    try {
      routerId = await made(this.#routers, context, {
        name: "auto_allocated_router",
        admin_state_up: true,
        external_gateway_info: { network_id: outside },
      });
      for (const { id, ip_version } of pools) {
        const place = { network_id: networkId, subnetpool_id: id, ip_version, enable_dhcp: true };
        const subnetId = await made(this.#subnets, context, { ...place, name: `auto_allocated_subnet_v${ip_version}` });
        await this.#routers.addInterface({ context, id: routerId }, { subnetId });
      }
      return { networkId, routerId };
    } catch (thrown) {
      await this.#tearDown(context, { networkId, routerId });
      if (thrown instanceof ApiFault && thrown.type !== "OverQuota")
        throw new ApiFault("AutoAllocationFailure", thrown.message, thrown);
      throw thrown;
    }
  }

  /** Of several who made one for the same project at once, the first. */
  async #claim(projectId: string, { networkId, routerId = "" }: Topology): Promise<Topology> {
    return this.#store.transaction(async (trx) => {
      await trx
        .insertInto("auto_allocated_topologies")
        .values({ project_id: projectId, network_id: networkId, router_id: routerId })
        .onConflict((conflict) => conflict.column("project_id").doNothing())
        .execute();
      const row = await trx
        .selectFrom("auto_allocated_topologies")
        .selectAll()
        .where("project_id", "=", projectId)
        .executeTakeFirstOrThrow();
      return { networkId: row.network_id, routerId: row.router_id };
    });
  }

  async #refuseUsed(networkId: string): Promise<void> {
    const ports = await translated(
      this.#store.db.selectFrom("ports").select(["id", "device_owner"]).where("network_id", "=", networkId).execute(),
    );
    const used = ports.filter(({ device_owner: owner }) => !isAutoDeleted(owner) && owner !== "network:router_interface");
    if (used.length === 0) return;
    const ids = someOf(used.map((port) => port.id));
    throw new ApiFault("NetworkInUse", `There are ports on the auto-allocated network ${networkId}: ${ids}.`);
  }

  /** Whatever of it is left; others may be at the same. */
  async #tearDown(context: RequestContext, { networkId, routerId }: Topology): Promise<void> {
    if (routerId !== undefined) {
      const subnets = await translated(
        this.#store.db.selectFrom("subnets").select("id").where("network_id", "=", networkId).execute(),
      );
      for (const { id } of subnets) {
        await unlessGone(this.#routers.removeInterface({ context, id: routerId }, { subnetId: id }));
      }
      await unlessGone(this.#routers.remove(context, routerId));
    }
    await unlessGone(this.#networks.remove(context, networkId));
  }
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
