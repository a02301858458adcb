// Forgets leases that ended without a word: their agent, or its host, is gone.
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { PeriodicJob } from "../../base/periodic-job.ts";
import type { Store } from "../store/database.ts";
import { type LeaseChange, pruneLeases } from "./lease-records.ts";

export interface LeasePrunerDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onChanges: (changes: readonly LeaseChange[]) => void;
  readonly everyMs?: number;
  /** How long a record outlives its lease: the renewal may still be on its way. */
  readonly graceMs?: number;
}

export class LeasePruner {
  readonly #deps: LeasePrunerDeps;
  readonly #job: PeriodicJob;

  constructor(deps: LeasePrunerDeps) {
    this.#deps = deps;
    this.#job = new PeriodicJob(deps.everyMs ?? 60_000, () => this.prune());
  }

  start(): void {
    this.#job.start();
  }

  async close(): Promise<void> {
    await this.#job.close();
  }

  /** Never rejects: the next round tries again. Several servers may do this at once. */
  async prune(): Promise<void> {
    const { store, clock, log, onChanges, graceMs = 60_000 } = this.#deps;
    try {
      const gone = await store.transaction((trx) => pruneLeases(trx, new Date(clock.nowMs() - graceMs)));
      if (gone.length > 0) onChanges(gone);
    } catch (err) {
      log.warn({ err }, "leases not pruned");
    }
  }
}
