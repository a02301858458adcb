// How soon a DHCP server that died is started again: at once, but not again and again, and not for ever.
import type { Clock } from "../base/clock.ts";
import type { NetworkId } from "../model/ids.ts";
import { backoffMs } from "../runtime/backoff.ts";

interface Deaths {
  /** Of this loop. */
  readonly count: number;
  readonly atMs: number;
  readonly notBeforeMs: number;
  /** The latest ones, by the monotonic clock. */
  readonly recentMs: readonly number[];
}

/** `give-up`: told once, when it has died too often; `wait`: not yet, or never again by itself. */
export type CrashVerdict = "restart" | "wait" | "give-up";

// Having lived this long, a server's next death is not part of a loop.
const calmMs = 60_000;
export const mostDeaths = 10;
export const deathWindowMs = 300_000;

export class CrashLoop {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #deaths = new Map<NetworkId, Deaths>();
  readonly #hopeless = new Set<NetworkId>();
  #total = 0;

  constructor(clock: Clock, random: () => number = Math.random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Deaths seen since the start. */
  get total(): number {
    return this.#total;
  }

  hasGivenUp(id: NetworkId): boolean {
    return this.#hopeless.has(id);
  }

  /** Call whenever the server of `id` is seen dead. */
  judge(id: NetworkId): CrashVerdict {
    const nowMs = this.#clock.monotonicMs();
    const before = this.#deaths.get(id);
    if (this.#hopeless.has(id) || (before !== undefined && nowMs < before.notBeforeMs)) return "wait";
    this.#total += 1;
    const recentMs = [...(before?.recentMs ?? []).filter((atMs) => nowMs - atMs < deathWindowMs), nowMs];
    const count = before === undefined || nowMs - before.atMs > calmMs ? 0 : before.count;
    const waitMs = count === 0 ? 0 : backoffMs(count, { firstMs: 4_000, maxMs: 30_000 }, this.#random);
    this.#deaths.set(id, { count: count + 1, atMs: nowMs, notBeforeMs: nowMs + waitMs, recentMs });
    if (recentMs.length < mostDeaths) return "restart";
    this.#hopeless.add(id);
    return "give-up";
  }

  /** Something about the network has changed: it may live now. */
  giveChance(id: NetworkId): void {
    if (this.#hopeless.delete(id)) this.#deaths.delete(id);
  }

  forget(id: NetworkId): void {
    this.#deaths.delete(id);
    this.#hopeless.delete(id);
  }
}
