// How soon a DHCP server that died is started again: soon, but not again and again, and not for ever.
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

export interface CrashVerdict {
  /** It has died too often: not started again before something changes. */
  readonly isGivenUp: boolean;
  /** Until it may be started again. */
  readonly delayMs: number;
}

const restartBackoff = { firstMs: 200, maxMs: 30_000 } as const;
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

  /** How long the server of `id` must not be started yet; 0 when it may be. */
  waitMs(id: NetworkId): number {
    return Math.max(0, (this.#deaths.get(id)?.notBeforeMs ?? 0) - this.#clock.monotonicMs());
  }

  /** Call once for each death. */
  judge(id: NetworkId): CrashVerdict {
    const nowMs = this.#clock.monotonicMs();
    const before = this.#deaths.get(id);
    this.#total += 1;
    const recentMs = [...(before?.recentMs ?? []).filter((atMs) => nowMs - atMs < deathWindowMs), nowMs];
    const count = before === undefined || nowMs - before.notBeforeMs > calmMs ? 1 : before.count + 1;
    const isGivenUp = recentMs.length >= mostDeaths;
    const delayMs = isGivenUp ? 0 : backoffMs(count, restartBackoff, this.#random);
    this.#deaths.set(id, { count, atMs: nowMs, notBeforeMs: nowMs + delayMs, recentMs });
    if (isGivenUp) this.#hopeless.add(id);
    return { isGivenUp, delayMs };
  }

  /** Something about the network has changed: it may live now. Whoever waits need not wait longer than after a first death. */
  giveChance(id: NetworkId): void {
    const deaths = this.#deaths.get(id);
    if (this.#hopeless.delete(id)) this.#deaths.delete(id);
    else if (deaths !== undefined) {
      const notBeforeMs = Math.min(deaths.notBeforeMs, deaths.atMs + restartBackoff.firstMs);
      this.#deaths.set(id, { ...deaths, notBeforeMs });
    }
  }

  forget(id: NetworkId): void {
    this.#deaths.delete(id);
    this.#hopeless.delete(id);
  }
}
