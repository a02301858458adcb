// So many at once and no queue: agents that all come back at the same moment are told to come again, a little apart.
import { NetloomError } from "../../base/errors.ts";

export class Admission {
  readonly #limit: number;
  readonly #retryAfterMs: number;
  readonly #random: () => number;
  #running = 0;

  constructor(options: { readonly limit: number; readonly retryAfterMs: number; readonly random?: () => number }) {
    this.#limit = options.limit;
    this.#retryAfterMs = options.retryAfterMs;
    this.#random = options.random ?? Math.random;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limit) {
      const retryAfterMs = Math.round(this.#retryAfterMs * (0.5 + this.#random()));
      throw new NetloomError("UNAVAILABLE", "too many agents are syncing", { retryAfterMs });
    }
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
    }
  }
}
