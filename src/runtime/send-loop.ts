// When what is kept for the server is sent: the first waits a moment for others, a failure waits ever longer, and one send runs at
// a time. What is kept, and what goes into a message, is the owner's.
import { NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { backoffMs } from "./backoff.ts";
import type { CancelTimer, Timers } from "./timers.ts";

export interface SendLoopOptions {
  /** How much waits. */
  readonly pending: () => number;
  /**
   * Sends one message. Rejects with what kept the server from storing it; what it refuses as INVALID it would refuse for ever, so
   * that the owner has to drop it and resolve.
   */
  readonly sendBatch: () => Promise<void>;
  readonly timers: Timers;
  readonly log: Logger;
  /** What is sent, as the log calls it. */
  readonly what: string;
  /** How long the first waits for others. */
  readonly lingerMs?: number | undefined;
  readonly random?: (() => number) | undefined;
}

/** A report that the server refuses would be refused for ever, and hold up all others. */
export const isRefused = (thrown: unknown): boolean => thrown instanceof NetloomError && thrown.code === "INVALID";

export class SendLoop {
  readonly #options: SendLoopOptions;
  #isSending = false;
  #isClosed = false;
  #failures = 0;
  #cancelTimer: CancelTimer | undefined;

  constructor(options: SendLoopOptions) {
    this.#options = options;
  }

  /** Something was added. */
  wake(): void {
    if (this.#isClosed || this.#isSending || this.#cancelTimer !== undefined || this.#options.pending() === 0) return;
    const { lingerMs = 2, random = Math.random, timers } = this.#options;
    const delayMs = this.#failures === 0 ? lingerMs : backoffMs(this.#failures, { firstMs: 200, maxMs: 10_000 }, random);
    this.#cancelTimer = timers.after(delayMs, () => {
      this.#cancelTimer = undefined;
      void this.#sendAll();
    });
  }

  /** The connection is back: what failed may go now. */
  retryNow(): void {
    this.#failures = 0;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.wake();
  }

  /** Sends what it can in one go. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer?.();
    if (!this.#isSending && this.#options.pending() > 0) await this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    let isGoingOn = true;
    while (isGoingOn && this.#options.pending() > 0) isGoingOn = await this.#sendOne();
    this.#isSending = false;
    this.wake();
  }

  /** @returns false when it is better to wait. */
  async #sendOne(): Promise<boolean> {
    const { sendBatch, log, what } = this.#options;
    try {
      await sendBatch();
    } catch (thrown) {
      this.#failures += 1;
      // Of a series the first is told; no server there, or a slow one, is no fault of ours: where it was noticed says nothing.
      const err = thrown instanceof NetloomError && thrown.retryable ? thrown.message : thrown;
      log[this.#failures === 1 ? "warn" : "debug"]({ err, attempt: this.#failures }, `${what} failed, will be repeated`);
      return false;
    }
    this.#failures = 0;
    return true;
  }
}

/** The first `count` of them. */
export function firstOf<T>(entries: Iterable<T>, count: number): T[] {
  const taken: T[] = [];
  for (const entry of entries) {
    if (taken.length === count) break;
    taken.push(entry);
  }
  return taken;
}
