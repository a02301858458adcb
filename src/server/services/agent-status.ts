// What agents report: the ports that they serve, the leases that they gave out, and what happened to their servers. Each may speak of its own networks only;
// the rest of a report is dropped, because the network may have moved away while it was under way.
import type { Clock } from "../../base/clock.ts";
import type { AgentEvent, StatusReport } from "../../types/agent-messages.ts";
import { type AgentRow, readBoundNetworkIds } from "../store/agent-rows.ts";
import type { Store, Trx } from "../store/database.ts";
import { type LeaseChange, storeLeases } from "./lease-records.ts";
import { type ReadyPort, setPortsReady } from "./port-readiness.ts";

/** Who hears of a report, after it is stored. */
export interface StatusListeners {
  readonly onLeases?: (changes: readonly LeaseChange[]) => void;
  readonly onEvents?: (agent: AgentRow, events: readonly AgentEvent[]) => void;
}

export class AgentStatus {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #listeners: StatusListeners;

  constructor(store: Store, clock: Clock, listeners: StatusListeners = {}) {
    this.#store = store;
    this.#clock = clock;
    this.#listeners = listeners;
  }

  async store(agent: AgentRow, { readyPorts, leases, events = [] }: StatusReport): Promise<void> {
    const { changes, ownEvents } = await this.#store.transaction(async (trx) => {
      const ready = await ofAgent(trx, agent.id, readyPorts);
      if (ready.length > 0) await setPortsReady(trx, ready, this.#clock);
      if (leases.length === 0 && events.length === 0) return { changes: [], ownEvents: [] };
      const bound = new Set(await readBoundNetworkIds(trx, agent.id));
      const isOwn = ({ networkId }: { readonly networkId: string }): boolean => bound.has(networkId);
      const ownLeases = leases.filter(isOwn);
      const stored = ownLeases.length === 0 ? [] : await storeLeases(trx, agent.host, ownLeases);
      return { changes: stored, ownEvents: events.filter(isOwn) };
    });
    this.#listeners.onLeases?.(changes);
    if (ownEvents.length > 0) this.#listeners.onEvents?.(agent, ownEvents);
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
