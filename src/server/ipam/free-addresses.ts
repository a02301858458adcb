// Finds free addresses in a subnet's pools. Works on keys, so that one code serves both families; what is used it asks in windows.
import { addressKey, type AddressRange, type IpVersion } from "../../model/addresses.ts";

export interface FreeSearch {
  readonly version: IpVersion;
  /** Sorted, without overlap. */
  readonly pools: readonly AddressRange[];
  /** Where to begin; addresses before it are looked at last. */
  readonly from: bigint;
  readonly wanted: number;
  /** Keys that are spoken for though no row says so yet. */
  readonly reserved: ReadonlySet<string>;
  /** Used keys within both ends. */
  readonly readUsed: (first: string, last: string) => Promise<readonly string[]>;
}

const largestWindow = 4096n;

/** At most `wanted` keys of free addresses, in the order of the search; fewer mean that the pools have no more. */
export async function findFreeKeys(search: FreeSearch): Promise<readonly string[]> {
  const found: string[] = [];
  // Normally the next addresses are free and the first window is enough; in dense places it grows.
  let size = BigInt(search.wanted) + 3n;
  for (const span of spansInSearchOrder(search.pools, search.from)) {
    for (let first = span.first; first <= span.last; ) {
      const end = first + size - 1n;
      const last = end < span.last ? end : span.last;
      await collect(search, { first, last }, found);
      if (found.length === search.wanted) return found;
      first = last + 1n;
      size = size * 2n < largestWindow ? size * 2n : largestWindow;
    }
  }
  return found;
}

async function collect(search: FreeSearch, window: AddressRange, found: string[]): Promise<void> {
  const { version, reserved } = search;
  const key = (value: bigint): string => addressKey({ version, value });
  const used = new Set(await search.readUsed(key(window.first), key(window.last)));
  for (let value = window.first; value <= window.last && found.length < search.wanted; value++) {
    const candidate = key(value);
    if (!used.has(candidate) && !reserved.has(candidate)) found.push(candidate);
  }
}

/** From `from` to the end of the last pool, then from the beginning to `from`. */
function spansInSearchOrder(pools: readonly AddressRange[], from: bigint): readonly AddressRange[] {
  const after = pools.filter((pool) => pool.last >= from).map((pool) => (pool.first >= from ? pool : { ...pool, first: from }));
  const before = pools
    .filter((pool) => pool.first < from)
    .map((pool) => (pool.last < from ? pool : { ...pool, last: from - 1n }));
  return [...after, ...before];
}
