// Sets of addresses as sorted ranges that do not touch, and as the fewest blocks that cover them. Pure.
import { type AddressRange, bitsOf, type Cidr, type IpVersion } from "./addresses.ts";

const byStart = (a: AddressRange, b: AddressRange): number => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0);

/** Sorted, and those that overlap or touch are one. */
export function joinRanges(ranges: readonly AddressRange[]): readonly AddressRange[] {
  const joined: AddressRange[] = [];
  for (const { first, last } of [...ranges].sort(byStart)) {
    const before = joined.at(-1);
    if (before === undefined || first > before.last + 1n) joined.push({ first, last });
    else if (last > before.last) joined[joined.length - 1] = { first: before.first, last };
  }
  return joined;
}

/** What of `whole` is in none of `taken`; sorted. */
export function withoutRanges(whole: readonly AddressRange[], taken: readonly AddressRange[]): readonly AddressRange[] {
  const holes = joinRanges(taken);
  const left: AddressRange[] = [];
  let at = 0;
  for (const { first, last } of joinRanges(whole)) {
    let next = first;
    // A hole that reaches beyond this range may reach into the following one.
    while (at > 0 && (holes[at - 1]?.last ?? -1n) >= first) at--;
    for (; at < holes.length; at++) {
      const hole = holes[at];
      if (hole === undefined || hole.first > last) break;
      if (hole.first > next) left.push({ first: next, last: hole.first - 1n });
      if (hole.last >= next) next = hole.last + 1n;
    }
    if (next <= last) left.push({ first: next, last });
  }
  return left;
}

export function coversRange(ranges: readonly AddressRange[], { first, last }: AddressRange): boolean {
  return joinRanges(ranges).some((range) => range.first <= first && last <= range.last);
}

export function rangesMeet(ones: readonly AddressRange[], others: readonly AddressRange[]): boolean {
  return ones.some((one) => others.some((other) => one.first <= other.last && other.first <= one.last));
}

/** The fewest blocks that are exactly this range, in order. */
export function blocksOf(version: IpVersion, { first, last }: AddressRange): readonly Cidr[] {
  const bits = bitsOf(version);
  const blocks: Cidr[] = [];
  for (let next = first; next <= last; ) {
    let hostBits = trailingZeros(next, bits);
    while (next + (1n << BigInt(hostBits)) - 1n > last) hostBits--;
    const end = next + (1n << BigInt(hostBits)) - 1n;
    blocks.push({ version, first: next, last: end, prefixLength: bits - hostBits });
    next = end + 1n;
  }
  return blocks;
}

function trailingZeros(value: bigint, bits: number): number {
  let count = 0;
  for (let rest = value; count < bits && (rest & 1n) === 0n; rest >>= 1n) count++;
  return count;
}

/** The fewest blocks of the same addresses, in order. All are of one family. */
export function compactBlocks(version: IpVersion, blocks: readonly AddressRange[]): readonly Cidr[] {
  return joinRanges(blocks).flatMap((range) => blocksOf(version, range));
}
