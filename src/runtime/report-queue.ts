// Reports on their way to the server, each kept until the server has stored it. A newer one about the same thing replaces the
// older one, so the server hears the last word at least once, and never more than it has to.
import { NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { backoffMs } from "./backoff.ts";
import type { CancelTimer, Timers } from "./timers.ts";

export interface ReportQueueOptions<R> {
  /** Resolves when stored. */
  readonly send: (reports: readonly R[]) => Promise<void>;
  /** Reports in one message at most. */
  readonly batch: number;
  readonly timers: Timers;
  readonly log: Logger;
  /** How long the first report waits for others. */
  readonly lingerMs?: number | undefined;
  readonly random?: (() => number) | undefined;
}

export class ReportQueue<R> {
  readonly #options: ReportQueueOptions<R>;
  readonly #reports = new Map<string, R>();
  #isSending = false;
  #isClosed = false;
  #failures = 0;
  #cancelTimer: CancelTimer | undefined;

  constructor(options: ReportQueueOptions<R>) {
    this.#options = options;
  }

  get pending(): number {
    return this.#reports.size;
  }

  /** @param about what the report is about; of two about the same only the later one is sent */
  add(about: string, report: R): void {
    this.#reports.set(about, report);
    this.#schedule();
  }

  /** The connection is back: what failed may go now. */
  retryNow(): void {
    this.#failures = 0;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#schedule();
  }

  /** Sends what it can in one go. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer?.();
    if (!this.#isSending && this.pending > 0) await this.#sendAll();
  }

  #schedule(): void {
    if (this.#isClosed || this.#isSending || this.#cancelTimer !== undefined || this.pending === 0) return;
    const { lingerMs = 2, random = Math.random, timers } = this.#options;
    const delayMs = this.#failures === 0 ? lingerMs : backoffMs(this.#failures, { firstMs: 200, maxMs: 10_000 }, random);
    this.#cancelTimer = timers.after(delayMs, () => {
      this.#cancelTimer = undefined;
      void this.#sendAll();
    });
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    let isGoingOn = true;
    while (isGoingOn && this.pending > 0) isGoingOn = await this.#sendBatch();
    this.#isSending = false;
    this.#schedule();
  }

  /** @returns false when it is better to wait. */
  async #sendBatch(): Promise<boolean> {
    const { send, batch, log } = this.#options;
    const taken = firstOf(this.#reports, batch);
    try {
      await send(taken.map(([, report]) => report));
    } catch (thrown) {
      // A report that the server refuses would be refused for ever, and hold up all others.
      const isRefused = thrown instanceof NetloomError && thrown.code === "INVALID";
      if (!isRefused) {
        this.#failures += 1;
        // Of a series the first is told; no server there, or a slow one, is no fault of ours: where it was noticed says nothing.
        const err = thrown instanceof NetloomError && thrown.retryable ? thrown.message : thrown;
        log[this.#failures === 1 ? "warn" : "debug"]({ err, attempt: this.#failures }, "report failed, will be repeated");
        return false;
      }
      log.error({ err: thrown, reports: taken.length }, "report was refused");
    }
    this.#failures = 0;
    for (const [about, report] of taken) if (this.#reports.get(about) === report) this.#reports.delete(about);
    return true;
  }
}

function firstOf<R>(reports: ReadonlyMap<string, R>, count: number): readonly (readonly [string, R])[] {
  const taken: (readonly [string, R])[] = [];
  for (const entry of reports) {
    if (taken.length === count) break;
    taken.push(entry);
  }
  return taken;
}
