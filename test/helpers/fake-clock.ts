// Time that stands still until a test moves it: a Clock and Timers in one.
import type { Clock } from "../../src/base/clock.ts";
import type { CancelTimer, Timers } from "../../src/runtime/timers.ts";

interface PendingTimer {
  readonly dueMs: number;
  readonly work: () => void;
}

/** Lets everything that is ready run: microtasks and immediates. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export class FakeClock implements Clock, Timers {
  #nowMs = 0;
  readonly #pending = new Set<PendingTimer>();

  nowMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(ms: number, work: () => void): CancelTimer {
    const timer = { dueMs: this.#nowMs + ms, work };
    this.#pending.add(timer);
    return () => this.#pending.delete(timer);
  }

  get pendingTimers(): number {
    return this.#pending.size;
  }

  /** Moves time on, firing each timer at its own moment and letting what it started settle. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (let timer = this.#nextDue(endMs); timer !== undefined; timer = this.#nextDue(endMs)) {
      this.#pending.delete(timer);
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      timer.work();
      await settle();
    }
    this.#nowMs = endMs;
  }

  #nextDue(endMs: number): PendingTimer | undefined {
    const due = [...this.#pending].filter((timer) => timer.dueMs <= endMs);
    return due.sort((left, right) => left.dueMs - right.dueMs)[0];
  }
}
