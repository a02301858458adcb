// What was found out about tokens, for a while: asking the identity service at every request would be slower than the request.
import { createHash } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { Identity } from "./authenticator.ts";

/** What the identity service says of a token. */
export type Verdict = { readonly identity: Identity; readonly expiresAtMs: number } | "refused";

export interface TokenCacheSettings {
  readonly clock: Clock;
  /** How long an accepted token is believed, at most; a token that is revoked meanwhile still works for so long. */
  readonly cacheMs: number;
  /** How long a refused one stays refused. */
  readonly negativeCacheMs: number;
  /** Of accepted and of refused ones; the oldest go first. */
  readonly maxEntries?: number;
}

const defaultMaxEntries = 10_000;

export class TokenCache {
  readonly #settings: TokenCacheSettings;
  readonly #accepted = new Map<string, { readonly identity: Identity; readonly untilMs: number }>();
  /** Apart from the others, so that guessed tokens do not push out good ones. */
  readonly #refused = new Map<string, { readonly untilMs: number }>();
  readonly #asked = new Map<string, Promise<Identity | undefined>>();

  constructor(settings: TokenCacheSettings) {
    this.#settings = settings;
  }

  /**
   * Whose token it is; `undefined` for a refused one. `ask` is called when nothing is known, once for all who wait for the same
   * token, and what it throws is remembered for nobody.
   */
  async lookUp(token: string, ask: (token: string) => Promise<Verdict>): Promise<Identity | undefined> {
    // Whoever reads the memory of this process later finds no tokens here.
    const key = createHash("sha256").update(token).digest("base64");
    const nowMs = this.#settings.clock.monotonicMs();
    const accepted = fresh(this.#accepted, key, nowMs);
    if (accepted !== undefined) return accepted.identity;
    if (fresh(this.#refused, key, nowMs) !== undefined) return undefined;
    const before = this.#asked.get(key);
    if (before !== undefined) return before;
    const asked = ask(token)
      .then((verdict) => this.#remember(key, verdict))
      .finally(() => this.#asked.delete(key));
    this.#asked.set(key, asked);
    return asked;
  }

  #remember(key: string, verdict: Verdict): Identity | undefined {
    const { clock, cacheMs, negativeCacheMs, maxEntries = defaultMaxEntries } = this.#settings;
    // The end of a token is a time of the wall; here only how far away it is counts, whatever is done to that clock later.
    const leftMs = verdict === "refused" ? 0 : verdict.expiresAtMs - clock.nowMs();
    const startMs = clock.monotonicMs();
    if (verdict === "refused" || leftMs <= 0) {
      keep(this.#refused, key, { untilMs: startMs + negativeCacheMs }, maxEntries);
      return undefined;
    }
    keep(this.#accepted, key, { identity: verdict.identity, untilMs: startMs + Math.min(cacheMs, leftMs) }, maxEntries);
    return verdict.identity;
  }
}

function fresh<T extends { readonly untilMs: number }>(entries: Map<string, T>, key: string, nowMs: number): T | undefined {
  const entry = entries.get(key);
  if (entry === undefined || entry.untilMs > nowMs) return entry;
  entries.delete(key);
  return undefined;
}

/** A map keeps the order in which keys came. */
function keep<T>(entries: Map<string, T>, key: string, entry: T, maxEntries: number): void {
  entries.delete(key);
  const [oldest] = entries.size >= maxEntries ? entries.keys() : [];
  if (oldest !== undefined) entries.delete(oldest);
  entries.set(key, entry);
}
