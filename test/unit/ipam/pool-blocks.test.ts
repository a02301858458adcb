import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Cidr, formatCidr, overlap, parseCidr } from "../../../src/model/addresses.ts";
import { coversRange } from "../../../src/model/prefixes.ts";
import { findFreeBlock } from "../../../src/server/ipam/pool-blocks.ts";

const block = (text: string) => parseCidr(text) ?? assert.fail(text);

function next(prefixes: readonly string[], taken: readonly string[], length: number): string | undefined {
  const version = block(prefixes[0] ?? "").version;
  const found = findFreeBlock({ version, prefixes: prefixes.map(block), taken: taken.map(block) }, length);
  return found && formatCidr(found);
}

test("the lowest block of an empty pool, then the next", () => {
  assert.equal(next(["10.0.0.0/16"], [], 24), "10.0.0.0/24");
  assert.equal(next(["10.0.0.0/16"], ["10.0.0.0/24"], 24), "10.0.1.0/24");
  assert.equal(next(["fd00::/48"], ["fd00::/64"], 64), "fd00:0:0:1::/64");
});

test("small holes are filled before large ones are broken", () => {
  assert.equal(next(["10.0.0.0/16"], ["10.0.0.0/24", "10.0.7.0/25"], 25), "10.0.7.128/25");
  assert.equal(next(["10.0.0.0/16", "192.0.2.0/28"], [], 28), "192.0.2.0/28");
});

test("a pool without room for the length gives nothing", () => {
  assert.equal(next(["10.0.0.0/24"], [], 23), undefined);
  assert.equal(next(["10.0.0.0/24"], ["10.0.0.0/26", "10.0.0.128/26"], 25), undefined);
  assert.equal(next(["10.0.0.0/24"], ["10.0.0.0/16"], 32), undefined);
  // Together as large, but no block.
  assert.equal(next(["10.0.1.0/24", "10.0.2.0/24"], [], 23), undefined);
});

test("blocks of any lengths, taken and given back, never overlap and stay inside; a free aligned block is always found", () => {
  const prefixes = [block("10.0.0.0/26"), block("10.0.0.128/27")];
  const steps = fc.array(fc.record({ length: fc.integer({ min: 26, max: 32 }), back: fc.nat() }), { maxLength: 60 });

  fc.assert(
    fc.property(steps, (history) => {
      const taken: Cidr[] = [];
      for (const { length, back } of history) {
        if (back % 3 === 0) taken.splice(back % Math.max(taken.length, 1), 1);
        const found = findFreeBlock({ version: 4, prefixes, taken }, length);
        assert.equal(found !== undefined, hasRoom(prefixes, taken, length));
        if (found === undefined) continue;
        assert.equal(formatCidr(found), formatCidr(block(formatCidr(found))));
        assert.ok(coversRange(prefixes, found) && !taken.some((other) => overlap(other, found)));
        taken.push(found);
      }
    }),
    { numRuns: 60 },
  );
});

/** By trying every place. */
function hasRoom(prefixes: readonly Cidr[], taken: readonly Cidr[], length: number): boolean {
  const size = 1n << BigInt(32 - length);
  return prefixes.some((prefix) => {
    for (let first = prefix.first; first + size - 1n <= prefix.last; first += size) {
      if (!taken.some((other) => overlap(other, { first, last: first + size - 1n }))) return true;
    }
    return false;
  });
}
