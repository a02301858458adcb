// Gives networks to DHCP agents, inside the transaction that made it necessary. Moving networks away from dead agents would
// be a third entry beside the two here: unbind, reserve the DHCP port, `scheduleNetwork`.
import type { Trx } from "../store/database.ts";
import { type AgentRow, bindNetwork, findAgentById, isBoundTo, readBindings, readDhcpCandidates } from "../store/agent-rows.ts";
import { readNetworkItems } from "../store/network-items.ts";
import { lockBindings, recordItemsForHost } from "../store/outbox.ts";
import { chooseAgents } from "./choose-agents.ts";

export type Liveness = "alive" | "unknown" | "dead";

export interface SchedulerDeps {
  readonly agentsPerNetwork: number;
  readonly liveness: (agent: AgentRow) => Liveness;
}

export class DhcpScheduler {
  readonly #deps: SchedulerDeps;

  constructor(deps: SchedulerDeps) {
    this.#deps = deps;
  }

  /**
   * Binds the network to as many agents as it should have, if it has a subnet with DHCP. A newly bound host gets the network
   * as it is now, so call this when everything else of the transaction is written.
   */
  async scheduleNetwork(trx: Trx, networkId: string): Promise<void> {
    const before = await readBindings(trx, networkId);
    if (before.length >= this.#deps.agentsPerNetwork || !(await hasDhcpSubnet(trx, networkId))) return;
    const candidates = await this.#candidates(trx);
    // Without agents every new port comes here; none of them may wait for a lock in vain.
    if (candidates.length <= before.length) return;
    await lockBindings(trx, networkId, "exclusive");
    const bound = await readBindings(trx, networkId);
    for (const choice of chooseAgents(candidates, { wanted: this.#deps.agentsPerNetwork, bound })) {
      await this.#bind(trx, networkId, choice);
    }
  }

  /** When an agent asks for its networks: those that have too few hosts and could be its. */
  async autoScheduleForAgent(trx: Trx, agent: AgentRow): Promise<void> {
    if (agent.admin_state_up !== 1) return;
    for (const networkId of await readUnderhosted(trx, this.#deps.agentsPerNetwork)) {
      if (await isBoundTo(trx, networkId, agent.id)) continue;
      await this.scheduleNetwork(trx, networkId);
    }
  }

  /** An administrator's wish: beyond the usual number, and on an agent that is not alive. False when it is bound already. */
  async bindByHand(trx: Trx, networkId: string, agentId: string): Promise<boolean> {
    await lockBindings(trx, networkId, "exclusive");
    const bound = await readBindings(trx, networkId);
    const taken = new Set(bound.map(({ slot }) => slot));
    const slot = [...Array(taken.size + 1).keys()].find((free) => !taken.has(free)) ?? taken.size;
    return this.#bind(trx, networkId, { agentId, slot });
  }

  async #bind(trx: Trx, networkId: string, choice: { readonly agentId: string; readonly slot: number }): Promise<boolean> {
    if (!(await bindNetwork(trx, networkId, choice))) return false;
    const agent = await findAgentById(trx, choice.agentId);
    if (agent?.admin_state_up === 1) await recordItemsForHost(trx, agent, await readNetworkItems(trx, networkId));
    return true;
  }

  async #candidates(trx: Trx): Promise<Parameters<typeof chooseAgents>[0]> {
    const agents = await readDhcpCandidates(trx);
    return agents
      .map((agent) => ({ id: agent.id, load: agent.load, liveness: this.#deps.liveness(agent) }))
      .filter(({ liveness }) => liveness !== "dead")
      .map(({ id, load, liveness }) => ({ id, load, isConfirmedAlive: liveness === "alive" }));
  }
}

async function hasDhcpSubnet(trx: Trx, networkId: string): Promise<boolean> {
  const row = await trx
    .selectFrom("subnets")
    .select("id")
    .where("network_id", "=", networkId)
    .where("enable_dhcp", "=", 1)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

async function readUnderhosted(trx: Trx, wanted: number): Promise<readonly string[]> {
  const rows = await trx
    .selectFrom("subnets")
    .leftJoin("network_dhcp_agents", "network_dhcp_agents.network_id", "subnets.network_id")
    .select("subnets.network_id")
    .where("subnets.enable_dhcp", "=", 1)
    .groupBy("subnets.network_id")
    .having((eb) => eb(eb.fn.count("network_dhcp_agents.agent_id").distinct(), "<", wanted))
    .orderBy("subnets.network_id")
    .execute();
  return rows.map((row) => row.network_id);
}
