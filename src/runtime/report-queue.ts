// Reports on their way to the server, each kept until the server has stored it. A newer one about the same thing replaces the
// older one, so the server hears the last word at least once, and never more than it has to.
import type { Logger } from "../base/logger.ts";
import { firstOf, isRefused, SendLoop } from "./send-loop.ts";
import type { Timers } from "./timers.ts";

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
  readonly #loop: SendLoop;

  constructor(options: ReportQueueOptions<R>) {
    const { timers, log, lingerMs, random } = options;
    this.#options = options;
    this.#loop = new SendLoop({
      ...{ timers, log, lingerMs, random, what: "report" },
      pending: () => this.pending,
      sendBatch: () => this.#sendBatch(),
    });
  }

  get pending(): number {
    return this.#reports.size;
  }

  /** @param about what the report is about; of two about the same only the later one is sent */
  add(about: string, report: R): void {
    this.#reports.set(about, report);
    this.#loop.wake();
  }

  /** The connection is back: what failed may go now. */
  retryNow(): void {
    this.#loop.retryNow();
  }

  /** Sends what it can in one go. */
  async close(): Promise<void> {
    await this.#loop.close();
  }

  async #sendBatch(): Promise<void> {
    const { send, batch, log } = this.#options;
    const taken = firstOf(this.#reports, batch);
    try {
      await send(taken.map(([, report]) => report));
    } catch (thrown) {
      if (!isRefused(thrown)) throw thrown;
      log.error({ err: thrown, reports: taken.length }, "report was refused");
    }
    for (const [about, report] of taken) if (this.#reports.get(about) === report) this.#reports.delete(about);
  }
}
