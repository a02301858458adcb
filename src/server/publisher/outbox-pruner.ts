// Forgets old outbox rows: after an hour what its agent has seen, after a day everything. Who is further behind gets a snapshot.
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { PeriodicJob } from "../../base/periodic-job.ts";
import type { Store } from "../store/database.ts";
import { pruneOutbox, type StreamKey } from "../store/outbox.ts";

interface PrunerDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** How far each agent is, by its own words. */
  readonly seen: () => readonly (StreamKey & { readonly upTo: number })[];
}

const everyMs = 60_000;
const hourMs = 3_600_000;

export const outboxPruner = (deps: PrunerDeps): PeriodicJob => new PeriodicJob(everyMs, () => prune(deps));

/** Never rejects: the next round tries again. */
async function prune({ store, clock, log, seen }: PrunerDeps): Promise<void> {
  const now = clock.nowMs();
  try {
    let pruned = await pruneOutbox(store.db, new Date(now - 24 * hourMs));
    for (const stream of seen()) pruned += await pruneOutbox(store.db, new Date(now - hourMs), stream);
    log.debug({ outcome: pruned }, "outbox pruned");
  } catch (err) {
    log.warn({ err }, "outbox not pruned");
  }
}
