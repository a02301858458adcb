// What became of each reconcile: one log line, figures for scrapers, and the router's line of /status.
import { type Clock, formatTimestamp } from "../base/clock.ts";
import { errorText, NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { RouterOutcome } from "../drivers/router-driver.ts";
import type { RouterId } from "../model/ids.ts";
import { Histogram } from "../runtime/histogram.ts";
import type { RouterState } from "../types/agent-state.ts";

export type ReconcileOutcome = RouterOutcome | "removed" | "absent";

export interface RouterLine {
  readonly state: "served" | "off" | "degraded" | "failing" | "fenced";
  /** Why it is not simply served. */
  readonly reason: string | null;
  readonly outcome: ReconcileOutcome | null;
  readonly lastReconcileMs: number;
  /** When it ended; UTC. */
  readonly lastReconcileAt: string;
}

export interface Success {
  readonly id: RouterId;
  /** Of the change that caused the reconcile last. */
  readonly traceId: string | undefined;
  /** Undefined: the router is not this host's. */
  readonly revision: number | undefined;
  readonly outcome: ReconcileOutcome;
  readonly isServed: boolean;
  /** Why it is taken from this host though it is this host's. */
  readonly fenced?: string | undefined;
  readonly foreignChanges: number;
  readonly warnings: readonly string[];
  readonly ms: number;
}

export interface Failure {
  readonly id: RouterId;
  readonly traceId: string | undefined;
  readonly thrown: unknown;
  readonly attempt: number;
  readonly delayMs: number;
}

export class RouterJournal {
  readonly #log: Logger;
  readonly #clock: Clock;
  /** How long reconciles took. */
  readonly reconcileMs = new Histogram();
  /** From the first change that is not in effect until all are. */
  readonly effectMs = new Histogram();
  readonly #status = new Map<RouterId, RouterLine>();
  readonly #outcomes = new Map<string, number>();
  #foreignChanges = 0;

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  get status(): ReadonlyMap<RouterId, RouterLine> {
    return this.#status;
  }

  /** The same for servers that ask. */
  get states(): readonly RouterState[] {
    return [...this.#status].map(([routerId, line]) => ({ routerId, ...line, addresses: null }));
  }

  /** How often each outcome came. */
  get outcomes(): ReadonlyMap<string, number> {
    return this.#outcomes;
  }

  /** Changes that others had made to routers, and that were repaired. */
  get foreignChanges(): number {
    return this.#foreignChanges;
  }

  get failing(): number {
    return [...this.#status.values()].filter(({ state }) => state === "failing").length;
  }

  addSuccess({ id, traceId, revision, outcome, isServed, fenced, foreignChanges, warnings, ms }: Success): void {
    const rounded = Math.round(ms * 10) / 10;
    const isQuiet = outcome === "unchanged" || outcome === "absent";
    this.#log[isQuiet ? "debug" : "info"]({ traceId, routerId: id, revision, outcome, ms: rounded }, "router reconciled");
    if (foreignChanges > 0) {
      this.#foreignChanges += foreignChanges;
      this.#log.warn({ routerId: id, changes: foreignChanges }, "what others had changed was repaired");
    }
    this.#count(outcome);
    this.reconcileMs.add(ms);
    if (revision === undefined) {
      this.#status.delete(id);
      return;
    }
    const reason = warnings.length === 0 ? null : warnings.join("; ");
    if (reason !== null && reason !== this.#status.get(id)?.reason) {
      this.#log.warn({ routerId: id, reason }, "router works, but not all of it");
    }
    if (fenced !== undefined) {
      this.#set(id, { state: "fenced", reason: fenced, outcome, lastReconcileMs: rounded });
      return;
    }
    const state = !isServed ? "off" : reason === null ? "served" : "degraded";
    this.#set(id, { state, reason, outcome, lastReconcileMs: rounded });
  }

  addFailure({ id, traceId, thrown, attempt, delayMs }: Failure): void {
    // What this host lacks is no fault of ours: where it was noticed tells nobody anything.
    const isTheirs = thrown instanceof NetloomError && (thrown.retryable || thrown.code === "INVALID");
    const err = isTheirs ? thrown.message : thrown;
    this.#log.warn({ traceId, routerId: id, err, attempt, ms: delayMs }, "router not reconciled, will be repeated");
    this.#count("failed");
    this.#set(id, { state: "failing", reason: errorText(thrown), outcome: null, lastReconcileMs: 0 });
  }

  #set(id: RouterId, line: Omit<RouterLine, "lastReconcileAt">): void {
    this.#status.set(id, { ...line, lastReconcileAt: formatTimestamp(this.#clock.nowMs()) });
  }

  #count(outcome: string): void {
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
  }
}
