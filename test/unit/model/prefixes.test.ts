import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type AddressRange, formatCidr, parseCidr } from "../../../src/model/addresses.ts";
import { blocksOf, compactBlocks, coversRange, joinRanges, rangesMeet, withoutRanges } from "../../../src/model/prefixes.ts";

const block = (text: string) => parseCidr(text) ?? assert.fail(text);
const compact = (version: 4 | 6, ...texts: readonly string[]) => compactBlocks(version, texts.map(block)).map(formatCidr);

const range: fc.Arbitrary<AddressRange> = fc
  .tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 12 }))
  .map(([first, length]) => ({ first: BigInt(first), last: BigInt(first + length) }));
const ranges = fc.array(range, { maxLength: 8 });

/** In order, each once. */
function members(of: readonly AddressRange[]): readonly bigint[] {
  const all = new Set<bigint>();
  for (const { first, last } of of) for (let at = first; at <= last; at++) all.add(at);
  return [...all].sort((a, b) => Number(a - b));
}

test("neighbours become one block, blocks inside others vanish", () => {
  assert.deepEqual(compact(4, "10.0.1.0/24", "10.0.0.0/24", "10.0.0.128/25"), ["10.0.0.0/23"]);
  assert.deepEqual(compact(4, "10.0.1.0/24", "10.0.2.0/24"), ["10.0.1.0/24", "10.0.2.0/24"]);
  assert.deepEqual(compact(6, "fd00:1::/32", "fd00::/32"), ["fd00::/31"]);
  assert.deepEqual(compact(4, "255.255.255.0/24", "255.255.254.0/24"), ["255.255.254.0/23"]);
});

test("what is left without some ranges is exactly the rest, sorted and apart", () => {
  fc.assert(
    fc.property(ranges, ranges, (whole, taken) => {
      const left = withoutRanges(whole, taken);

      assert.deepEqual(
        members(left),
        members(whole).filter((each) => !members(taken).includes(each)),
      );
      assert.deepEqual(left, joinRanges(left));
    }),
  );
});

test("blocks are exactly their range, aligned, and no two could be one", () => {
  fc.assert(
    fc.property(range, (one) => {
      const blocks = blocksOf(4, one);

      assert.deepEqual(members(blocks), members([one]));
      for (const each of blocks) assert.equal(formatCidr(block(formatCidr(each))), formatCidr(each));
      assert.deepEqual(compactBlocks(4, blocks), blocks);
    }),
  );
});

test("a range is covered by the union, and meets what it shares an address with", () => {
  fc.assert(
    fc.property(ranges, range, (many, one) => {
      const all = members(many);
      const has = (each: bigint): boolean => all.includes(each);
      assert.equal(coversRange(many, one), members([one]).every(has));
      assert.equal(rangesMeet(many, [one]), members([one]).some(has));
    }),
  );
});
