// How soon a DHCP server that died is started again: at once, but not again and again.
import type { Clock } from "../base/clock.ts";
import type { NetworkId } from "../model/ids.ts";
import { backoffMs } from "../runtime/backoff.ts";

interface Deaths {
  readonly count: number;
  readonly atMs: number;
  readonly notBeforeMs: number;
}

// Having lived this long, a server's next death is not part of a loop.
const calmMs = 60_000;

export class CrashLoop {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #deaths = new Map<NetworkId, Deaths>();

  constructor(clock: Clock, random: () => number = Math.random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Call whenever the server of `id` is seen dead. True when it should be started now. */
  mayRestart(id: NetworkId): boolean {
    const nowMs = this.#clock.monotonicMs();
    const before = this.#deaths.get(id);
    if (before !== undefined && nowMs < before.notBeforeMs) return false;
    const count = before === undefined || nowMs - before.atMs > calmMs ? 0 : before.count;
    const waitMs = count === 0 ? 0 : backoffMs(count, { firstMs: 4_000, maxMs: 30_000 }, this.#random);
    this.#deaths.set(id, { count: count + 1, atMs: nowMs, notBeforeMs: nowMs + waitMs });
    return true;
  }

  forget(id: NetworkId): void {
    this.#deaths.delete(id);
  }
}
