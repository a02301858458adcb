// What agents report: the ports that they serve and the leases that they gave out. Each may speak of its own networks only;
// the rest of a report is dropped, because the network may have moved away while it was under way.
import type { Clock } from "../../base/clock.ts";
import type { StatusReport } from "../../types/agent-messages.ts";
import { type AgentRow, readBoundNetworkIds } from "../store/agent-rows.ts";
import type { Store, Trx } from "../store/database.ts";
import { type LeaseChange, storeLeases } from "./lease-records.ts";
import { type ReadyPort, setPortsReady } from "./port-readiness.ts";

export class AgentStatus {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #onLeases: (changes: readonly LeaseChange[]) => void;

  /** @param onLeases hears which leases changed, after they are stored */
  constructor(store: Store, clock: Clock, onLeases: (changes: readonly LeaseChange[]) => void = () => {}) {
    this.#store = store;
    this.#clock = clock;
    this.#onLeases = onLeases;
  }

  async store(agent: AgentRow, { readyPorts, leases }: StatusReport): Promise<void> {
    const changes = await this.#store.transaction(async (trx) => {
      const ready = await ofAgent(trx, agent.id, readyPorts);
      if (ready.length > 0) await setPortsReady(trx, ready, this.#clock);
      if (leases.length === 0) return [];
      const bound = new Set(await readBoundNetworkIds(trx, agent.id));
      return storeLeases(
        trx,
        agent.host,
        leases.filter(({ networkId }) => bound.has(networkId)),
      );
    });
    this.#onLeases(changes);
  }
}

async function ofAgent(trx: Trx, agentId: string, ports: readonly ReadyPort[]): Promise<readonly ReadyPort[]> {
  if (ports.length === 0) return [];
  const rows = await trx
    .selectFrom("ports")
    .innerJoin("network_dhcp_agents as bound", "bound.network_id", "ports.network_id")
    .select("ports.id")
    .where("bound.agent_id", "=", agentId)
    .where(
      "ports.id",
      "in",
      ports.map(({ id }) => id),
    )
    .execute();
  const own = new Set(rows.map(({ id }) => id));
  return ports.filter(({ id }) => own.has(id));
}
