// Which keys need a reconcile, and when each gets its turn. An event says only "look at this key": marking a key ten times
// is one run, and a key that is marked while it runs is run once more.
import PQueue from "p-queue";
import type { Clock } from "../base/clock.ts";
import { backoffMs, type BackoffLimits } from "./backoff.ts";
import type { CancelTimer, Timers } from "./timers.ts";

/** Keys of the event lane always go first: somebody waits for them, nobody waits for a resync. */
export type Lane = "event" | "resync";

export interface ReconcileQueueOptions<K> {
  /** Brings one key to its desired state; a rejection means "again later". Never called twice at once for one key. */
  readonly run: (key: K) => Promise<void>;
  readonly onFailure: (key: K, thrown: unknown, retry: { readonly attempt: number; readonly delayMs: number }) => void;
  /** How many keys at once. */
  readonly concurrency: number;
  /**
   * How long the next run of a key has to wait, ms; asked when its turn comes, and again when the wait is over. It takes no
   * slot meanwhile, and what is marked meanwhile belongs into that one run.
   */
  readonly delayMs?: (key: K) => number;
  /** Called after a run that brought the key to its desired state: how long it had been dirty. */
  readonly onSettled?: (key: K, dirtyMs: number) => void;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random?: () => number;
  readonly backoff?: BackoffLimits;
}

export interface QueueStats {
  /** Keys that are not known to be in their desired state: queued, running or waiting after a failure. */
  readonly dirty: number;
  readonly oldestDirtyMs: number;
  readonly failing: number;
}

interface Failure {
  readonly attempts: number;
  readonly atMs: number;
  readonly lane: Lane;
  readonly cancelRetry: CancelTimer;
}

export class ReconcileQueue<K> {
  readonly #options: ReconcileQueueOptions<K>;
  readonly #random: () => number;
  readonly #backoff: BackoffLimits;
  readonly #slots: PQueue;
  readonly #lanes: Readonly<Record<Lane, Set<K>>> = { event: new Set(), resync: new Set() };
  readonly #running = new Set<K>();
  /** Marked while they ran, and since when. */
  readonly #again = new Map<K, { readonly lane: Lane; readonly sinceMs: number }>();
  readonly #failures = new Map<K, Failure>();
  /** Since when a key is dirty. */
  readonly #dirtySince = new Map<K, number>();
  /** Keys whose turn came too early. */
  readonly #paused = new Map<K, { readonly lane: Lane; readonly cancel: CancelTimer }>();
  #pauseEnds = Promise.withResolvers<void>();
  #isClosed = false;

  constructor(options: ReconcileQueueOptions<K>) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#backoff = options.backoff ?? { firstMs: 500, maxMs: 60_000 };
    this.#slots = new PQueue({ concurrency: options.concurrency });
  }

  /**
   * The key needs a run. While it waits after a failure, news about it bring the retry forward, but never closer to the
   * failure than the first delay: a key that fails at every event must not spin.
   */
  mark(key: K, lane: Lane = "event"): void {
    if (this.#isClosed) return;
    const nowMs = this.#options.clock.monotonicMs();
    if (!this.#dirtySince.has(key)) this.#dirtySince.set(key, nowMs);
    if (this.#running.has(key)) {
      const again = this.#again.get(key);
      this.#again.set(key, { lane: again?.lane === "event" ? "event" : lane, sinceMs: again?.sinceMs ?? nowMs });
      return;
    }
    const paused = this.#paused.get(key);
    if (paused !== undefined) {
      if (lane === "event") this.#paused.set(key, { ...paused, lane });
      return;
    }
    const failure = this.#failures.get(key);
    if (failure === undefined || this.#isQueued(key)) this.#enqueue(key, lane);
    else if (lane === "event") this.#retryIn(key, failure, failure.atMs + this.#backoff.firstMs - nowMs);
  }

  /** For a key that waits because of `delayMs`: its answer may be another now. */
  reconsider(key: K): void {
    const paused = this.#paused.get(key);
    if (paused === undefined) return;
    paused.cancel();
    this.#endPause(key, paused.lane);
  }

  /** Not known to be in its desired state: queued, running, resting or waiting after a failure. */
  isDirty(key: K): boolean {
    return this.#dirtySince.has(key);
  }

  get stats(): QueueStats {
    const nowMs = this.#options.clock.monotonicMs();
    const oldestDirtyMs = nowMs - [...this.#dirtySince.values()].reduce((oldest, sinceMs) => Math.min(oldest, sinceMs), nowMs);
    return { dirty: this.#dirtySince.size, oldestDirtyMs, failing: this.#failures.size };
  }

  /** Resolves when nothing is queued, paused or running; keys that wait after a failure are not waited for. */
  async idle(): Promise<void> {
    await this.#slots.onIdle();
    while (this.#paused.size > 0) {
      await this.#pauseEnds.promise;
      await this.#slots.onIdle();
    }
  }

  /** Starts nothing more and resolves when the running keys are done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const failure of this.#failures.values()) failure.cancelRetry();
    for (const paused of this.#paused.values()) paused.cancel();
    this.#paused.clear();
    this.#endPauses();
    this.#lanes.event.clear();
    this.#lanes.resync.clear();
    this.#again.clear();
    await this.#slots.onIdle();
  }

  #isQueued(key: K): boolean {
    return this.#lanes.event.has(key) || this.#lanes.resync.has(key);
  }

  #enqueue(key: K, lane: Lane): void {
    if (this.#isClosed || this.#lanes.event.has(key)) return;
    const isNew = !this.#isQueued(key);
    this.#lanes.resync.delete(key);
    this.#lanes[lane].add(key);
    // A slot is not bound to a key: whoever gets one takes the most urgent key of that moment.
    if (isNew) void this.#slots.add(() => this.#runNext());
  }

  async #runNext(): Promise<void> {
    // Never in the stack of `mark`: the caller may be in the middle of taking over several changes of one key.
    await Promise.resolve();
    const key = this.#takeNext();
    if (key === undefined) return;
    this.#running.add(key.value);
    try {
      await this.#options.run(key.value);
      this.#failures.delete(key.value);
      this.#settleDirty(key.value);
    } catch (thrown) {
      this.#fail(key.value, key.lane, thrown);
    } finally {
      this.#running.delete(key.value);
      this.#runAgain(key.value);
    }
  }

  #takeNext(): { readonly value: K; readonly lane: Lane } | undefined {
    for (const lane of ["event", "resync"] as const) {
      for (const value of this.#lanes[lane]) {
        this.#lanes[lane].delete(value);
        const waitMs = this.#options.delayMs?.(value) ?? 0;
        if (waitMs <= 0) return { value, lane };
        this.#pause(value, lane, waitMs);
      }
    }
    return undefined;
  }

  #pause(key: K, lane: Lane, waitMs: number): void {
    const cancel = this.#options.timers.after(waitMs, () => this.#endPause(key, this.#paused.get(key)?.lane ?? lane));
    this.#paused.set(key, { lane, cancel });
  }

  #endPause(key: K, lane: Lane): void {
    this.#paused.delete(key);
    this.#enqueue(key, lane);
    this.#endPauses();
  }

  #endPauses(): void {
    this.#pauseEnds.resolve();
    this.#pauseEnds = Promise.withResolvers();
  }

  /** Clean, or dirty only since it was marked again. */
  #settleDirty(key: K): void {
    const sinceMs = this.#dirtySince.get(key);
    if (sinceMs !== undefined) this.#options.onSettled?.(key, this.#options.clock.monotonicMs() - sinceMs);
    const again = this.#again.get(key);
    if (again === undefined) this.#dirtySince.delete(key);
    else this.#dirtySince.set(key, again.sinceMs);
  }

  #runAgain(key: K): void {
    const again = this.#again.get(key);
    this.#again.delete(key);
    if (again !== undefined) this.mark(key, again.lane);
  }

  #fail(key: K, lane: Lane, thrown: unknown): void {
    const attempt = (this.#failures.get(key)?.attempts ?? 0) + 1;
    const delayMs = backoffMs(attempt, this.#backoff, this.#random);
    const failure = { attempts: attempt, atMs: this.#options.clock.monotonicMs(), lane, cancelRetry: () => {} };
    this.#retryIn(key, failure, delayMs);
    this.#options.onFailure(key, thrown, { attempt, delayMs: Math.round(delayMs) });
  }

  #retryIn(key: K, failure: Failure, delayMs: number): void {
    failure.cancelRetry();
    if (this.#isClosed) return;
    const cancelRetry = this.#options.timers.after(Math.max(0, delayMs), () => this.#enqueue(key, failure.lane));
    this.#failures.set(key, { ...failure, cancelRetry });
  }
}
