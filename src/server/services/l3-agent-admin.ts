// What administrators do with routers and L3 agents: look who hosts what, and move routers by hand. What becomes of the routers
// of an agent that is switched off, on, or removed is here as well.
import type { Kysely } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import { agentResource } from "../../types/resources/agents.ts";
import { canServe, isRouting, type L3Scheduler } from "../scheduler/l3-scheduler.ts";
import { type AgentRow, findAgentById } from "../store/agent-rows.ts";
import type { Store, Trx } from "../store/database.ts";
import { recordItemsForHost } from "../store/outbox.ts";
import { readFloatingIpItems } from "../store/floating-ip-items.ts";
import {
  readGoneItems,
  renewFloatingIpRevisions,
  renewRevisions,
  tellArrival,
  tellDeparture,
  tellSpeakers,
  unhostRouter,
} from "../store/router-hosting.ts";
import { findL3AgentOf, lockRouterRows, readHostedRouterIds, readRouterBindings } from "../store/router-hosts.ts";
import { readRouterNeed } from "../store/router-needs.ts";
import type { Database } from "../store/schema.ts";
import type { L3AgentService } from "./l3-agent-service-types.ts";
import type { Attributes, RequestContext, ResourceReader } from "./resource-service.ts";
import { shownHaState } from "./router-ha-states.ts";
import { downPorts } from "./router-port-statuses.ts";
import { missing, notFound, type ServiceDeps, timestamp } from "./service-deps.ts";

export interface L3AgentAdminDeps {
  readonly store: Store;
  readonly scheduler: L3Scheduler;
  readonly routers: ResourceReader;
  readonly agents: ResourceReader;
  readonly services: ServiceDeps;
}

export class L3AgentAdmin implements L3AgentService {
  readonly #deps: L3AgentAdminDeps;

  constructor(deps: L3AgentAdminDeps) {
    this.#deps = deps;
  }

  async listRouters(context: RequestContext, agentId: string): Promise<readonly Attributes[]> {
    const { db } = this.#deps.store;
    if ((await findAgentById(db, agentId)) === undefined) throw missing(agentResource, agentId);
    const values = await readHostedRouterIds(db, agentId);
    if (values.length === 0) return [];
    return this.#deps.routers.list(context, { filters: [{ attribute: "id", values }], sorts: [], pageReverse: false });
  }

  async addRouter(_context: RequestContext, agentId: string, routerId: string): Promise<void> {
    const { store, scheduler } = this.#deps;
    await store.transaction(async (trx) => {
      const agent = await requireL3(trx, agentId);
      if (!scheduler.serves(agent)) throw invalidAgent(agentId);
      const [router] = await lockRouterRows(trx, [routerId]);
      const need = await readRouterNeed(trx, routerId);
      if (router === undefined || need === undefined) throw notFound("router", routerId);
      if (!isRouting(agent)) {
        throw new ApiFault("RouterL3AgentMismatch", `Cannot host router ${routerId} on the agent ${agentId}.`);
      }
      if (!canServe(agent, need)) throw invalidAgent(agentId);
      const bound = await readRouterBindings(trx, routerId);
      if (bound.some((binding) => binding.agentId === agentId)) return;
      const [other] = bound;
      if (other !== undefined && (!need.isHa || bound.length >= scheduler.agentsPerHaRouter)) {
        throw new ApiFault(
          "RouterHostedByL3Agent",
          `The router ${routerId} has been already hosted by the L3 Agent ${other.agentId}.`,
        );
      }
      if (!(await scheduler.hostByHand(trx, routerId, agentId))) {
        throw new ApiFault("RouterSchedulingFailed", `Failed scheduling router ${routerId} to the L3 Agent ${agentId}.`);
      }
      await trx.updateTable("routers").set({ is_parked: 0 }).where("id", "=", routerId).execute();
    });
  }

  async removeRouter(_context: RequestContext, agentId: string, routerId: string): Promise<void> {
    const { store, scheduler, services } = this.#deps;
    await store.transaction(async (trx) => {
      await requireL3(trx, agentId);
      await lockRouterRows(trx, [routerId]);
      if (!(await unhostRouter(trx, { routerId, agentId }, scheduler.audience))) {
        throw new ApiFault("RouterNotHostedByL3Agent", `The router ${routerId} is not hosted by L3 agent ${agentId}.`);
      }
      // Given to nobody, this one included, before somebody changes it or says who.
      const parked = { is_parked: 1, updated_at: timestamp(services) } as const;
      await trx.updateTable("routers").set(parked).where("id", "=", routerId).execute();
    });
  }

  async listForRouter(context: RequestContext, routerId: string): Promise<readonly Attributes[]> {
    const router = await this.#deps.routers.show(context, routerId);
    const rows = await this.#deps.store.db
      .selectFrom("router_l3_agents")
      .select(["agent_id", "ha_state"])
      .where("router_id", "=", routerId)
      .orderBy("slot")
      .execute();
    const query = { filters: [{ attribute: "id", values: rows.map((row) => row.agent_id) }], sorts: [], pageReverse: false };
    const agents = rows.length === 0 ? [] : await this.#deps.agents.list(context, query);
    const byId = new Map(agents.map((agent) => [agent["id"], agent]));
    return rows.flatMap((row) => {
      const agent = byId.get(row.agent_id);
      if (agent === undefined) return [];
      return [{ ...agent, ha_state: shownHaState(router["ha"] === true, row.ha_state, agent["alive"] === true) }];
    });
  }

  /** While an agent is switched off its stream holds nothing; switched on again it is told everything. */
  async switched(trx: Trx, agent: AgentRow, isUp: boolean): Promise<void> {
    const { audience } = this.#deps.scheduler;
    if (audience.servesDisabled) return;
    if (agent.role === "fip") return this.#switchedFloatingIps(trx, agent, isUp);
    const told = { ...agent, admin_state_up: 1 } as const;
    for (const { id } of await lockRouterRows(trx, await readHostedRouterIds(trx, agent.id))) {
      await renewRevisions(trx, id);
      if (isUp) await tellArrival(trx, { routerId: id, agent: told }, audience);
      else await tellDeparture(trx, { routerId: id, agent: told }, audience);
      if (!isUp) await downPorts(trx, { routerId: id, agent, now: timestamp(this.#deps.services) });
      await tellSpeakers(trx, { routerId: id, agentId: agent.id }, audience);
    }
  }

  async #switchedFloatingIps(trx: Trx, agent: AgentRow, isUp: boolean): Promise<void> {
    const l3 = await findL3AgentOf(trx, agent);
    if (l3 === undefined) return;
    const routers = await lockRouterRows(trx, await readHostedRouterIds(trx, l3.id));
    const ids = routers.map((router) => router.id);
    for (const id of ids) await renewFloatingIpRevisions(trx, id);
    await recordItemsForHost(trx, agent, isUp ? await readFloatingIpItems(trx, ids) : await readGoneItems(trx, ids));
    for (const id of ids) await tellSpeakers(trx, { routerId: id, agentId: l3.id }, this.#deps.scheduler.audience);
  }

  /** Its routers go to others; what nobody else can take waits for somebody who can. */
  async leaving(trx: Trx, agent: AgentRow): Promise<void> {
    if (agent.role !== "l3") return;
    const { scheduler } = this.#deps;
    for (const { id } of await lockRouterRows(trx, await readHostedRouterIds(trx, agent.id))) {
      const successors = await scheduler.chooseSuccessors(trx, id, agent);
      await unhostRouter(trx, { routerId: id, agentId: agent.id }, scheduler.audience);
      await scheduler.host(trx, id, successors);
    }
  }
}

const invalidAgent = (id: string): ApiFault =>
  new ApiFault("InvalidL3Agent", `Agent ${id} is not a valid L3 Agent or has been disabled.`);

async function requireL3(db: Kysely<Database>, id: string): Promise<AgentRow> {
  const agent = await findAgentById(db, id);
  if (agent?.role !== "l3") throw invalidAgent(id);
  return agent;
}
