// When the kernel state of each network or router that is served is looked at again: once a minute each, a few at a time.
import type { Clock } from "../base/clock.ts";

export interface VerifyPlanOptions {
  readonly clock: Clock;
  /** How often `due` is called. */
  readonly tickMs: number;
  readonly everyMs: number;
}

export class VerifyPlan<K> {
  readonly #options: VerifyPlanOptions;
  readonly #verifiedAtMs = new Map<K, number>();
  readonly #wanted = new Set<K>();

  constructor(options: VerifyPlanOptions) {
    this.#options = options;
  }

  addServed(id: K): void {
    if (!this.#verifiedAtMs.has(id)) this.#verifiedAtMs.set(id, this.#options.clock.monotonicMs());
  }

  want(id: K): void {
    this.#wanted.add(id);
  }

  /** Whether the reconcile that begins now should look closely. */
  takeWanted(id: K): boolean {
    return this.#wanted.delete(id);
  }

  forget(id: K): void {
    this.#verifiedAtMs.delete(id);
    this.#wanted.delete(id);
  }

  /** Those whose turn it is; they count as wanted and as verified now. */
  due(): readonly K[] {
    const { clock, tickMs, everyMs } = this.#options;
    const nowMs = clock.monotonicMs();
    const share = Math.ceil((this.#verifiedAtMs.size * tickMs) / everyMs) + 1;
    const due = [...this.#verifiedAtMs].filter(([, atMs]) => nowMs - atMs >= everyMs).slice(0, share);
    return due.map(([id]) => {
      this.#verifiedAtMs.set(id, nowMs);
      this.#wanted.add(id);
      return id;
    });
  }
}
