// A bucket of tokens for each source address: refilled at a steady rate, one taken by each request.

export interface RateLimit {
  /** Requests per second in the long run; 0: no limit. */
  readonly perSecond: number;
  /** Requests at once. */
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** An instance with a whole IPv6 prefix must not fill our memory with buckets. */
const mostBuckets = 4096;

export class RateLimiter {
  readonly #limit: RateLimit;
  readonly #buckets = new Map<string, Bucket>();

  constructor(limit: RateLimit) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** @param nowMs monotonic. @returns whether the request may pass */
  take(source: string, nowMs: number): boolean {
    const { perSecond, burst } = this.#limit;
    if (perSecond === 0) return true;
    const before = this.#buckets.get(source) ?? { tokens: burst, atMs: nowMs };
    const tokens = Math.min(burst, before.tokens + ((nowMs - before.atMs) * perSecond) / 1000);
    const isAllowed = tokens >= 1;
    // Put at the end again: the first of the map is the one that was quiet for longest.
    this.#buckets.delete(source);
    this.#buckets.set(source, { tokens: isAllowed ? tokens - 1 : tokens, atMs: nowMs });
    if (this.#buckets.size > mostBuckets) this.#dropQuietest();
    return isAllowed;
  }

  #dropQuietest(): void {
    const [quietest] = this.#buckets.keys();
    if (quietest !== undefined) this.#buckets.delete(quietest);
  }
}
