// Gives routers to L3 agents, inside the transaction that made it necessary.
import type { AgentRow, LoadedAgent } from "../store/agent-rows.ts";
import type { Trx } from "../store/database.ts";
import { hostRouter } from "../store/router-hosting.ts";
import { lockRouterRows, readL3Candidates, readRouterBindings } from "../store/router-hosts.ts";
import { readRouterNeed, type RouterNeed } from "../store/router-needs.ts";
import { type Candidate, chooseAgents, type Choice, type Wish } from "./choose-agents.ts";
import type { Liveness } from "./dhcp-scheduler.ts";

export interface L3SchedulerDeps {
  readonly liveness: (agent: AgentRow) => Liveness;
  readonly order?: Wish["order"];
  /** Of routers without hints of their own; all zones when empty. */
  readonly defaultZones?: readonly string[];
  /** Agents that are switched off keep what they have. */
  readonly servesDisabled?: boolean;
  /** Hosts of an HA router; 0: all that can serve it. */
  readonly agentsPerHaRouter?: number;
  /** What a router of high availability needs on a host before it is given to the agent there. */
  readonly prepareHaHost?: (trx: Trx, hosting: { readonly routerId: string; readonly agentId: string }) => Promise<void>;
}

const defaultAgentsPerHaRouter = 3;
/** More than any cloud has. */
const everyAgent = 1_000_000;

export class L3Scheduler {
  readonly #deps: L3SchedulerDeps;

  constructor(deps: L3SchedulerDeps) {
    this.#deps = deps;
  }

  get agentsPerHaRouter(): number {
    const { agentsPerHaRouter = defaultAgentsPerHaRouter } = this.#deps;
    return agentsPerHaRouter === 0 ? everyAgent : agentsPerHaRouter;
  }

  get audience(): { readonly servesDisabled: boolean } {
    return { servesDisabled: this.#deps.servesDisabled === true };
  }

  /** Whether an agent does its work: it is switched on, or allowed to go on with what it has. */
  serves(agent: Pick<AgentRow, "admin_state_up">): boolean {
    return agent.admin_state_up === 1 || this.audience.servesDisabled;
  }

  /**
   * Binds the router to as many agents as it should have, if it has ports. A newly bound host gets it as it is now, so call
   * this when everything else of the transaction is written. Answers how many host it then; `undefined` when it needs none.
   */
  async scheduleRouter(trx: Trx, routerId: string): Promise<number | undefined> {
    const need = await readRouterNeed(trx, routerId);
    if (need?.hasPorts !== true) return undefined;
    const before = await readRouterBindings(trx, routerId);
    if (before.length >= this.#wanted(need)) return before.length;
    if ((await this.#choose(trx, { need, bound: before })).length === 0) return before.length;
    await lockRouterRows(trx, [routerId]);
    const bound = await readRouterBindings(trx, routerId);
    const choices = await this.#choose(trx, { need, bound });
    await this.host(trx, routerId, choices);
    return bound.length + choices.length;
  }

  /** Who would take the router over from an agent that is gone. The caller has locked it, unhosts, and then hosts with these. */
  async chooseSuccessors(trx: Trx, routerId: string, leaving: Pick<AgentRow, "id">): Promise<readonly Choice[]> {
    const need = await readRouterNeed(trx, routerId);
    if (need?.hasPorts !== true) return [];
    const staying = (await readRouterBindings(trx, routerId)).filter(({ agentId }) => agentId !== leaving.id);
    return this.#choose(trx, { need, bound: staying, without: leaving.id });
  }

  async host(trx: Trx, routerId: string, choices: readonly Choice[]): Promise<void> {
    for (const choice of choices) {
      await this.#deps.prepareHaHost?.(trx, { routerId, agentId: choice.agentId });
      await hostRouter(trx, { routerId, ...choice }, this.audience);
    }
  }

  /** An administrator's wish: also on an agent that is not alive. The router is locked. False when it is bound already. */
  async hostByHand(trx: Trx, routerId: string, agentId: string): Promise<boolean> {
    const taken = new Set((await readRouterBindings(trx, routerId)).map(({ slot }) => slot));
    const slot = [...Array(taken.size + 1).keys()].find((free) => !taken.has(free)) ?? taken.size;
    await this.#deps.prepareHaHost?.(trx, { routerId, agentId });
    return hostRouter(trx, { routerId, agentId, slot }, this.audience);
  }

  #wanted(need: RouterNeed): number {
    return need.isHa ? this.agentsPerHaRouter : 1;
  }

  async #choose(
    trx: Trx,
    {
      need,
      bound,
      without,
    }: {
      readonly need: RouterNeed;
      readonly bound: Wish["bound"];
      readonly without?: string;
    },
  ): Promise<readonly Choice[]> {
    const { defaultZones = [], order = "weight" } = this.#deps;
    const zones = need.zoneHints.length > 0 ? need.zoneHints : defaultZones;
    const agents = (await readL3Candidates(trx)).filter((agent) => agent.id !== without && canServe(agent, need));
    const candidates = agents
      .map((agent) => ({ agent, liveness: this.#deps.liveness(agent) }))
      .filter(({ liveness }) => liveness !== "dead")
      .map(({ agent, liveness }) => toCandidate(agent, liveness === "alive"));
    // As many slots as can be filled.
    const wanted = Math.min(this.#wanted(need), candidates.length + bound.length);
    return chooseAgents(candidates, { wanted, bound, zones, order });
  }
}

function toCandidate(agent: LoadedAgent, isConfirmedAlive: boolean): Candidate {
  return { id: agent.id, zone: agent.availability_zone, load: agent.load, isConfirmedAlive };
}

/** What an agent says about itself; what it does not say stands in no router's way. */
interface L3Configurations {
  readonly agent_mode?: unknown;
  readonly handle_internal_only_routers?: unknown;
  readonly bridge_mappings?: unknown;
  /** false: nothing on that host could elect a primary. */
  readonly high_availability?: unknown;
}

const routingModes = new Set<unknown>([undefined, "legacy", "dvr_snat"]);

/** Whether the agent routes at all: some only serve instances of their own host. */
export function isRouting(agent: Pick<AgentRow, "configurations">): boolean {
  return routingModes.has(configurationsOf(agent).agent_mode);
}

export function canServe(agent: Pick<AgentRow, "configurations">, need: RouterNeed): boolean {
  const configurations = configurationsOf(agent);
  const { handle_internal_only_routers: takesInternal, bridge_mappings: mappings } = configurations;
  if (!isRouting(agent)) return false;
  if (need.isHa && configurations.high_availability === false) return false;
  if (need.external === undefined) return takesInternal !== false;
  const { physicalNetwork } = need.external;
  if (physicalNetwork === undefined || typeof mappings !== "object" || mappings === null) return true;
  return Object.hasOwn(mappings, physicalNetwork);
}

/** The cast: a JSON object, of which nothing else is known. */
const configurationsOf = ({ configurations }: Pick<AgentRow, "configurations">): L3Configurations =>
  JSON.parse(configurations) as L3Configurations;
