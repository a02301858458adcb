// What became of each reconcile: one log line, a count for /metrics, and the network's line of /status.
import type { Logger } from "../base/logger.ts";
import type { NetworkId } from "../model/ids.ts";
import type { NetworkView } from "../model/network.ts";
import type { ReconcileOutcome } from "./network-helpers.ts";

export interface NetworkStatus {
  readonly state: "served" | "off" | "degraded" | "failing";
  /** Why it is not simply served. */
  readonly reason: string | null;
  readonly ports: number;
  readonly outcome: ReconcileOutcome | null;
  readonly lastReconcileMs: number;
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
  readonly #status = new Map<NetworkId, NetworkStatus>();
  readonly #outcomes = new Map<string, number>();

  constructor(log: Logger) {
    this.#log = log;
  }

  get status(): ReadonlyMap<NetworkId, NetworkStatus> {
    return this.#status;
  }

  /** How often each outcome came. */
  get outcomes(): ReadonlyMap<string, number> {
    return this.#outcomes;
  }

  addSuccess(success: Success): void {
    const { id, traceId, view, outcome, isServed, refusal } = success;
    const ms = Math.round(success.ms * 10) / 10;
    const isQuiet = outcome === "unchanged" || outcome === "absent";
    const fields = { traceId, networkId: id, revision: view?.network.revision, outcome, ms };
    this.#log[isQuiet ? "debug" : "info"](fields, "network reconciled");
    this.#count(outcome);
    if (view === undefined) {
      this.#status.delete(id);
      return;
    }
    const state = refusal !== undefined ? "degraded" : isServed ? "served" : "off";
    this.#status.set(id, { state, reason: refusal ?? null, ports: view.ports.length, outcome, lastReconcileMs: ms });
  }

  addFailure({ id, traceId, view, thrown, attempt, delayMs }: Failure): void {
    this.#log.warn({ traceId, networkId: id, err: thrown, attempt, ms: delayMs }, "network not reconciled, will be repeated");
    this.#count("failed");
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    this.#status.set(id, { state: "failing", reason, ports: view?.ports.length ?? 0, outcome: null, lastReconcileMs: 0 });
  }

  #count(outcome: string): void {
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
  }
}
