// What became of each router's floating IPs: for people, on the agent's socket, and as figures.
import { formatTimestamp } from "../base/clock.ts";
import type { RouterId } from "../model/ids.ts";
import { Histogram } from "../runtime/histogram.ts";
import type { RouterState } from "../types/agent-state.ts";

export interface RouterStatus {
  /** `waiting`: the router is not here yet, or has no gateway. `fenced`: nobody hears this agent, others may serve them. */
  readonly state: "served" | "degraded" | "waiting" | "failing" | "fenced";
  readonly reason: string | null;
  readonly addresses: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** What the last reconcile took, ms. */
  readonly ms: number;
}

/** A failing router may have many that fail; people want to see one of them. */
const longestReason = 300;

export class RouterJournal {
  readonly #status = new Map<RouterId, RouterStatus>();
  readonly reconcileMs = new Histogram();
  /** From the first change that is not in effect until all of the router's are. */
  readonly effectMs = new Histogram();
  /** Elements and routes that others had changed. */
  foreignChanges = 0;

  get status(): ReadonlyMap<RouterId, RouterStatus> {
    return this.#status;
  }

  /** The same for servers that ask. */
  get states(): readonly RouterState[] {
    return [...this.#status].map(([routerId, { atMs, ms, ...line }]) => ({
      ...{ routerId, ...line, outcome: null },
      ...{ lastReconcileMs: ms, lastReconcileAt: formatTimestamp(atMs) },
    }));
  }

  set(id: RouterId, status: RouterStatus): void {
    this.#status.set(id, { ...status, reason: status.reason?.slice(0, longestReason) ?? null });
  }

  forget(id: RouterId): void {
    this.#status.delete(id);
  }

  count(state: RouterStatus["state"]): number {
    return [...this.#status.values()].filter((status) => status.state === state).length;
  }
}
