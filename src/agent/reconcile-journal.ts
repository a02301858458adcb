// What became of each reconcile: one log line, a count for /metrics, and the network's line of /status.
import { type Clock, formatTimestamp } from "../base/clock.ts";
import { NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { NetworkId } from "../model/ids.ts";
import type { NetworkView } from "../model/network.ts";
import { Histogram } from "../runtime/histogram.ts";
import type { ReconcileOutcome } from "./network-helpers.ts";

export interface NetworkStatus {
  readonly state: "served" | "off" | "degraded" | "failing" | "fenced";
  /** Why it is not simply served. */
  readonly reason: string | null;
  readonly ports: number;
  readonly outcome: ReconcileOutcome | null;
  readonly lastReconcileMs: number;
  /** When it ended; UTC. */
  readonly lastReconcileAt: string;
}

interface Subject {
  readonly id: NetworkId;
  /** Of the change that caused the reconcile last. */
  readonly traceId: string | undefined;
  /** What the cache says now. */
  readonly view: NetworkView | undefined;
}

export interface Success extends Subject {
  readonly outcome: ReconcileOutcome;
  readonly ms: number;
  readonly isServed: boolean;
  /** Why nothing is served at all. */
  readonly fenced?: string | undefined;
  /** Why a part of it is not served. */
  readonly refusal: string | undefined;
}

export interface Failure extends Subject {
  readonly thrown: unknown;
  readonly attempt: number;
  readonly delayMs: number;
}

export class ReconcileJournal {
  readonly #log: Logger;
  readonly #clock: Clock;
  /** How long reconciles took. */
  readonly reconcileMs = new Histogram();
  /** From the first change that is not in effect until all are. */
  readonly effectMs = new Histogram();
  readonly #status = new Map<NetworkId, NetworkStatus>();
  readonly #outcomes = new Map<string, number>();

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  get status(): ReadonlyMap<NetworkId, NetworkStatus> {
    return this.#status;
  }

  /** How often each outcome came. */
  get outcomes(): ReadonlyMap<string, number> {
    return this.#outcomes;
  }

  addSuccess(success: Success): void {
    const { id, traceId, view, outcome, isServed, fenced, refusal } = success;
    const ms = Math.round(success.ms * 10) / 10;
    const isQuiet = outcome === "unchanged" || outcome === "absent";
    const fields = { traceId, networkId: id, revision: view?.network.revision, outcome, ms };
    this.#log[isQuiet ? "debug" : "info"](fields, "network reconciled");
    this.#count(outcome);
    this.reconcileMs.add(success.ms);
    if (view === undefined) {
      this.#status.delete(id);
      return;
    }
    const served = isServed ? "served" : "off";
    const state = fenced !== undefined ? "fenced" : refusal !== undefined ? "degraded" : served;
    const status = {
      state,
      reason: fenced ?? refusal ?? null,
      ports: view.ports.length,
      outcome,
      lastReconcileMs: ms,
    } as const;
    this.#status.set(id, { ...status, lastReconcileAt: this.#now() });
  }

  addFailure({ id, traceId, view, thrown, attempt, delayMs }: Failure): void {
    // What the server says, or that it says nothing, is no fault of ours: where it was noticed tells nobody anything.
    const isTheirs = thrown instanceof NetloomError && (thrown.retryable || thrown.code === "NOT_FOUND");
    const err = isTheirs ? thrown.message : thrown;
    this.#log.warn({ traceId, networkId: id, err, attempt, ms: delayMs }, "network not reconciled, will be repeated");
    this.#count("failed");
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    const status = { state: "failing", reason, ports: view?.ports.length ?? 0, outcome: null, lastReconcileMs: 0 } as const;
    this.#status.set(id, { ...status, lastReconcileAt: this.#now() });
  }

  /** Networks that are not as they should be, and are tried again. */
  get failing(): number {
    return [...this.#status.values()].reduce((count, { state }) => count + (state === "failing" ? 1 : 0), 0);
  }

  /** Nobody answers until its server lives again, which the next success tells. */
  addDeath(id: NetworkId, view: NetworkView | undefined, delayMs: number): void {
    const reason = `its DHCP server died, restart in ${Math.round(delayMs / 100) / 10} s`;
    this.#addTrouble(id, view, { state: "failing", reason });
  }

  /** Its server dies whenever it is started. */
  addGivenUp(id: NetworkId, view: NetworkView | undefined): void {
    const reason = "its DHCP server dies again and again; started again when something changes";
    this.#addTrouble(id, view, { state: "degraded", reason });
  }

  #addTrouble(id: NetworkId, view: NetworkView | undefined, trouble: Pick<NetworkStatus, "state" | "reason">): void {
    const status = this.#status.get(id) ?? { ports: view?.ports.length ?? 0, outcome: null, lastReconcileMs: 0 };
    this.#status.set(id, { ...status, ...trouble, lastReconcileAt: this.#now() });
  }

  #now(): string {
    return formatTimestamp(this.#clock.nowMs());
  }

  #count(outcome: string): void {
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
  }
}
