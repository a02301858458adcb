// How long a program that ended is left alone before it is started again.

const firstPauseMs = 500;
/** What was wrong may be put right at any time, a port that is free again for example: nobody should have to wait for long. */
const longestPauseMs = 8000;
/** A program that ran for so long is healthy: its next end is the first of a series. */
const healthyAfterMs = 60_000;

export class RestartPause {
  #nextMs = firstPauseMs;

  /** @param ranMs how long the program ran @returns how long to wait now */
  afterEnd(ranMs: number): number {
    if (ranMs > healthyAfterMs) this.#nextMs = firstPauseMs;
    const pauseMs = this.#nextMs;
    this.#nextMs = Math.min(Math.max(2 * pauseMs, firstPauseMs), longestPauseMs);
    return pauseMs;
  }

  /** The next end is one that was asked for: no pause. */
  skipNext(): void {
    this.#nextMs = 0;
  }
}
