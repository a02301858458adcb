// Forgets old outbox rows: after an hour what its agent has seen, after a day everything. Who is further behind gets a snapshot.
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { PeriodicJob } from "../../base/periodic-job.ts";
import type { Store } from "../store/database.ts";
import { pruneOutbox, type StreamKey } from "../store/outbox.ts";

export interface PrunerDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** How far each agent is, by its own words. */
  readonly seen: () => readonly (StreamKey & { readonly upTo: number })[];
  readonly everyMs?: number;
}

const hourMs = 3_600_000;

export class OutboxPruner {
  readonly #deps: PrunerDeps;
  readonly #job: PeriodicJob;

  constructor(deps: PrunerDeps) {
    this.#deps = deps;
    this.#job = new PeriodicJob(deps.everyMs ?? 60_000, () => this.prune());
  }

  start(): void {
    this.#job.start();
  }

  async close(): Promise<void> {
    await this.#job.close();
  }

  /** Never rejects: the next round tries again. */
  async prune(): Promise<void> {
    const { store, clock, log, seen } = this.#deps;
    const now = clock.nowMs();
    try {
      let pruned = await pruneOutbox(store.db, new Date(now - 24 * hourMs));
      for (const stream of seen()) pruned += await pruneOutbox(store.db, new Date(now - hourMs), stream);
      log.debug({ outcome: pruned }, "outbox pruned");
    } catch (err) {
      log.warn({ err }, "outbox not pruned");
    }
  }
}
