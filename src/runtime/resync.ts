// When to compare notes with the server again. Anybody may ask, with a reason; one resync runs at a time, at once if it can,
// not more often than the throttle allows, and again after a failure.
import type { Clock } from "../base/clock.ts";
import { NetloomError } from "../base/errors.ts";
import { backoffMs, type BackoffLimits } from "./backoff.ts";
import type { CancelTimer, Timers } from "./timers.ts";

export interface ResyncOptions {
  /** A rejection means "again later"; its reasons are kept. */
  readonly run: (reasons: readonly string[]) => Promise<void>;
  readonly onFailure: (thrown: unknown, retry: { readonly attempt: number; readonly delayMs: number }) => void;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random?: () => number;
  /** Least time between the starts of two resyncs. */
  readonly throttleMs?: number;
  readonly backoff?: BackoffLimits;
}

export class Resync {
  readonly #options: ResyncOptions;
  readonly #throttleMs: number;
  readonly #backoff: BackoffLimits;
  #reasons = new Set<string>();
  #isRunning = false;
  #isClosed = false;
  #failures = 0;
  #lastStartMs = Number.NEGATIVE_INFINITY;
  #cancelTimer: CancelTimer | undefined;

  constructor(options: ResyncOptions) {
    this.#options = options;
    this.#throttleMs = options.throttleMs ?? 250;
    this.#backoff = options.backoff ?? { firstMs: 50, maxMs: 10_000 };
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Asks for a resync; while one runs, for another one after it. */
  request(reason: string): void {
    this.#reasons.add(reason);
    if (this.#isRunning || this.#cancelTimer !== undefined) return;
    this.#startIn(this.#lastStartMs + this.#throttleMs - this.#options.clock.monotonicMs());
  }

  /** Like `request`, and does not wait out a back-off: what made it fail has probably gone. */
  requestNow(reason: string): void {
    this.#failures = 0;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.request(reason);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
  }

  #startIn(delayMs: number): void {
    if (this.#isClosed) return;
    if (delayMs <= 0) {
      void this.#run();
      return;
    }
    this.#cancelTimer = this.#options.timers.after(delayMs, () => {
      this.#cancelTimer = undefined;
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    const reasons = this.#reasons;
    this.#reasons = new Set();
    this.#isRunning = true;
    this.#lastStartMs = this.#options.clock.monotonicMs();
    let delayMs: number | undefined;
    try {
      await this.#options.run([...reasons]);
      this.#failures = 0;
    } catch (thrown) {
      for (const reason of reasons) this.#reasons.add(reason);
      delayMs = this.#fail(thrown);
    } finally {
      this.#isRunning = false;
    }
    if (this.#reasons.size > 0)
      this.#startIn(delayMs ?? this.#lastStartMs + this.#throttleMs - this.#options.clock.monotonicMs());
  }

  #fail(thrown: unknown): number {
    this.#failures += 1;
    const random = this.#options.random ?? Math.random;
    const delayMs = Math.max(backoffMs(this.#failures, this.#backoff, random), retryAfterMs(thrown) * (1 + random() / 4));
    this.#options.onFailure(thrown, { attempt: this.#failures, delayMs: Math.round(delayMs) });
    return delayMs;
  }
}

/** What a server that is busy asks of us. */
function retryAfterMs(thrown: unknown): number {
  const asked = thrown instanceof NetloomError ? thrown.detail["retryAfterMs"] : undefined;
  return typeof asked === "number" && asked > 0 ? Math.min(asked, 60_000) : 0;
}
