// Remembers what was deleted, so that an answer or message from before the delete cannot bring it back.
// Bounded by age and number: a late message older than that is caught by the next snapshot instead.
import type { Clock } from "../base/clock.ts";
import type { NetworkId } from "../model/ids.ts";

interface Tombstone {
  readonly revision: number;
  readonly networkId: NetworkId;
  readonly atMs: number;
}

export interface TombstoneLimits {
  readonly max: number;
  readonly ttlMs: number;
}

export class Tombstones {
  readonly #clock: Clock;
  readonly #limits: TombstoneLimits;
  // In order of deletion: the oldest is always first.
  readonly #byId = new Map<string, Tombstone>();

  constructor(clock: Clock, limits: TombstoneLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  add(id: string, networkId: NetworkId, revision: number): void {
    const kept = Math.max(revision, this.#byId.get(id)?.revision ?? 0);
    this.#byId.delete(id);
    this.#byId.set(id, { revision: kept, networkId, atMs: this.#clock.monotonicMs() });
    this.#dropOld();
  }

  /** True when `id` was deleted and `revision` is not newer than that. */
  covers(id: string, revision: number): boolean {
    const found = this.#byId.get(id);
    return found !== undefined && !this.#isExpired(found) && revision <= found.revision;
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  /** Forgets the deletes of a network and of everything in it: the network has come back. */
  clearNetwork(networkId: NetworkId): void {
    for (const [id, tombstone] of this.#byId) if (tombstone.networkId === networkId) this.#byId.delete(id);
  }

  clear(): void {
    this.#byId.clear();
  }

  get size(): number {
    return this.#byId.size;
  }

  #isExpired(tombstone: Tombstone): boolean {
    return this.#clock.monotonicMs() - tombstone.atMs > this.#limits.ttlMs;
  }

  #dropOld(): void {
    for (const [id, tombstone] of this.#byId) {
      if (this.#byId.size <= this.#limits.max && !this.#isExpired(tombstone)) return;
      this.#byId.delete(id);
    }
  }
}
