// Gives networks to DHCP agents, inside the transaction that made it necessary.
import type { Trx } from "../store/database.ts";
import {
  type AgentRow,
  bindNetwork,
  findAgentById,
  type LoadedAgent,
  readBindings,
  readDhcpCandidates,
  type ZonedBinding,
} from "../store/agent-rows.ts";
import { readNetworkItems } from "../store/network-items.ts";
import { type NetworkNeed, readNetworkNeed } from "../store/network-needs.ts";
import { lockBindings, recordItemsForHost } from "../store/outbox.ts";
import { type Candidate, chooseAgents, type Choice, type Wish } from "./choose-agents.ts";

export type Liveness = "alive" | "unknown" | "dead";

export interface SchedulerDeps {
  readonly agentsPerNetwork: number;
  readonly liveness: (agent: AgentRow) => Liveness;
  readonly order?: Wish["order"];
  /** Of networks without hints of their own; all zones when empty. */
  readonly defaultZones?: readonly string[];
  /** Agents that are switched off keep what they have. */
  readonly servesDisabled?: boolean;
}

export class DhcpScheduler {
  readonly #deps: SchedulerDeps;

  constructor(deps: SchedulerDeps) {
    this.#deps = deps;
  }

  get agentsPerNetwork(): number {
    return this.#deps.agentsPerNetwork;
  }

  /** Whether an agent does its work: it is switched on, or allowed to go on with what it has. */
  serves(agent: Pick<AgentRow, "admin_state_up">): boolean {
    return agent.admin_state_up === 1 || this.#deps.servesDisabled === true;
  }

  /**
   * Binds the network to as many agents as it should have, if it has a subnet with DHCP. A newly bound host gets the network
   * as it is now, so call this when everything else of the transaction is written. Answers how many host it then;
   * `undefined` when it needs none.
   *
   * @param atLeast so many agents are known to host it
   */
  async scheduleNetwork(trx: Trx, networkId: string, atLeast = 0): Promise<number | undefined> {
    if (atLeast >= this.#deps.agentsPerNetwork) return atLeast;
    return this.#schedule(trx, networkId, new CandidateList(() => this.#candidates(trx)));
  }

  /** The same for several, with one look at the agents. */
  async scheduleNetworks(trx: Trx, networkIds: readonly string[]): Promise<void> {
    const list = new CandidateList(() => this.#candidates(trx));
    for (const id of networkIds) await this.#schedule(trx, id, list);
  }

  async #schedule(trx: Trx, networkId: string, list: CandidateList): Promise<number | undefined> {
    const before = await readBindings(trx, networkId);
    if (before.length >= this.#deps.agentsPerNetwork) return before.length;
    const need = await readNetworkNeed(trx, networkId);
    if (need?.hasDhcpSubnet !== true) return undefined;
    const candidates = await list.read();
    // Without agents every new port comes here; none of them may wait for a lock in vain.
    if (this.#choose(candidates, need, before).length === 0) return before.length;
    await lockBindings(trx, networkId, "exclusive");
    const bound = await readBindings(trx, networkId);
    const choices = this.#choose(candidates, need, bound);
    for (const choice of choices) if (await this.#bind(trx, networkId, choice)) list.addLoad(choice.agentId);
    return bound.length + choices.length;
  }

  /**
   * Who would take the network over from an agent that is gone: as many as it should have beside those that stay. The caller
   * has locked the bindings, unbinds, and then binds these.
   */
  async chooseSuccessors(trx: Trx, networkId: string, leaving: AgentRow): Promise<readonly Choice[]> {
    const need = await readNetworkNeed(trx, networkId);
    if (need?.hasDhcpSubnet !== true) return [];
    const candidates = (await this.#candidates(trx)).filter(({ id }) => id !== leaving.id);
    const staying = (await readBindings(trx, networkId)).filter(({ agentId }) => agentId !== leaving.id);
    return this.#choose(candidates, need, staying);
  }

  async bind(trx: Trx, networkId: string, choices: readonly Choice[]): Promise<void> {
    for (const choice of choices) await this.#bind(trx, networkId, choice);
  }

  /** An administrator's wish: beyond the usual number, and on an agent that is not alive. False when it is bound already. */
  async bindByHand(trx: Trx, networkId: string, agentId: string): Promise<boolean> {
    await lockBindings(trx, networkId, "exclusive");
    const bound = await readBindings(trx, networkId);
    const taken = new Set(bound.map(({ slot }) => slot));
    const slot = [...Array(taken.size + 1).keys()].find((free) => !taken.has(free)) ?? taken.size;
    return this.#bind(trx, networkId, { agentId, slot });
  }

  async #bind(trx: Trx, networkId: string, choice: Choice): Promise<boolean> {
    if (!(await bindNetwork(trx, networkId, choice))) return false;
    const agent = await findAgentById(trx, choice.agentId);
    if (agent !== undefined && this.serves(agent)) await recordItemsForHost(trx, agent, await readNetworkItems(trx, networkId));
    return true;
  }

  #choose(candidates: readonly Candidate[], need: NetworkNeed, bound: readonly ZonedBinding[]): readonly Choice[] {
    const { agentsPerNetwork: wanted, defaultZones = [], order = "weight" } = this.#deps;
    const zones = need.zoneHints.length > 0 ? need.zoneHints : defaultZones;
    return chooseAgents(candidates, { wanted, bound, zones, order });
  }

  async #candidates(trx: Trx): Promise<readonly Candidate[]> {
    const agents = await readDhcpCandidates(trx);
    return agents
      .map((agent) => ({ agent, liveness: this.#deps.liveness(agent) }))
      .filter(({ liveness }) => liveness !== "dead")
      .map(({ agent, liveness }) => toCandidate(agent, liveness === "alive"));
  }
}

/** Read when it is first needed, and counted on by hand from then on. */
class CandidateList {
  readonly #read: () => Promise<readonly Candidate[]>;
  #candidates: readonly Candidate[] | undefined;

  constructor(read: () => Promise<readonly Candidate[]>) {
    this.#read = read;
  }

  async read(): Promise<readonly Candidate[]> {
    this.#candidates ??= await this.#read();
    return this.#candidates;
  }

  addLoad(agentId: string): void {
    this.#candidates = this.#candidates?.map((one) => (one.id === agentId ? { ...one, load: one.load + 1 } : one));
  }
}

function toCandidate(agent: LoadedAgent, isConfirmedAlive: boolean): Candidate {
  const { ports } = JSON.parse(agent.configurations) as { readonly ports?: unknown };
  return {
    id: agent.id,
    zone: agent.availability_zone,
    load: agent.load,
    ports: typeof ports === "number" ? ports : 0,
    isConfirmedAlive,
  };
}
