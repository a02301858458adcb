// A few at once, some more in a queue, and no more: a flood of new tokens must not become a flood at the identity service.
import { NetloomError } from "../../base/errors.ts";

export interface WorkLimits {
  readonly atOnce: number;
  readonly waiting: number;
}

export class WorkLimit {
  readonly #limits: WorkLimits;
  readonly #queue: (() => void)[] = [];
  #running = 0;

  constructor(limits: WorkLimits) {
    this.#limits = limits;
  }

  /** Throws NetloomError UNAVAILABLE at once when too many wait already. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.#enter();
    try {
      return await work();
    } finally {
      const next = this.#queue.shift();
      // The place goes to the next one without being free in between.
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  async #enter(): Promise<void> {
    if (this.#running < this.#limits.atOnce) {
      this.#running += 1;
      return;
    }
    if (this.#queue.length >= this.#limits.waiting) throw new NetloomError("UNAVAILABLE", "too many tokens are being checked");
    await new Promise<void>((resolve) => this.#queue.push(resolve));
  }
}
