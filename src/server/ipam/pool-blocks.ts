// Which block of a subnet pool is given next. Pure; what is taken is the store's word.
import { type AddressRange, type Cidr, type IpVersion } from "../../model/addresses.ts";
import { blocksOf, withoutRanges } from "../../model/prefixes.ts";

interface PoolSpace {
  readonly version: IpVersion;
  readonly prefixes: readonly AddressRange[];
  readonly taken: readonly AddressRange[];
}

/**
 * A free block of that length, from the smallest hole that has room, so that large holes stay large; the lowest of these.
 * `undefined`: no room.
 */
export function findFreeBlock({ version, prefixes, taken }: PoolSpace, prefixLength: number): Cidr | undefined {
  let best: Cidr | undefined;
  for (const range of withoutRanges(prefixes, taken)) {
    for (const hole of blocksOf(version, range)) {
      if (hole.prefixLength > prefixLength || (best !== undefined && hole.prefixLength <= best.prefixLength)) continue;
      best = hole;
    }
  }
  if (best === undefined) return undefined;
  const size = (best.last - best.first + 1n) >> BigInt(prefixLength - best.prefixLength);
  return { version, first: best.first, last: best.first + size - 1n, prefixLength };
}
