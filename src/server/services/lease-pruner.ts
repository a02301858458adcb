// Forgets leases that ended without a word: their agent, or its host, is gone.
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { PeriodicJob } from "../../base/periodic-job.ts";
import type { Store } from "../store/database.ts";
import { type LeaseChange, pruneLeases } from "./lease-records.ts";

interface LeasePrunerDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onChanges: (changes: readonly LeaseChange[]) => void;
}

const everyMs = 60_000;
/** So long a record outlives its lease: the renewal may still be on its way. */
const graceMs = 60_000;

export const leasePruner = (deps: LeasePrunerDeps): PeriodicJob => new PeriodicJob(everyMs, () => pruneEnded(deps));

/** Never rejects: the next round tries again. Several servers may do this at once. */
export async function pruneEnded({ store, clock, log, onChanges }: LeasePrunerDeps): Promise<void> {
  try {
    const gone = await store.transaction((trx) => pruneLeases(trx, new Date(clock.nowMs() - graceMs)));
    if (gone.length > 0) onChanges(gone);
  } catch (err) {
    log.warn({ err }, "leases not pruned");
  }
}
