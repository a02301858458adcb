import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addressKey, type AddressRange } from "../../../src/model/addresses.ts";
import { findFreeKeys } from "../../../src/server/ipam/free-addresses.ts";

const key = (value: bigint): string => addressKey({ version: 4, value });

interface Setting {
  readonly pools: readonly AddressRange[];
  readonly used: readonly bigint[];
  readonly from: bigint;
  readonly wanted: number;
  readonly reserved?: readonly bigint[];
}

async function search({ pools, used, from, wanted, reserved = [] }: Setting): Promise<{ found: bigint[]; reads: number }> {
  const keys = used.map(key).sort();
  let reads = 0;
  const found = await findFreeKeys({
    version: 4,
    pools,
    from,
    wanted,
    reserved: new Set(reserved.map(key)),
    readUsed: async (first, last) => {
      reads++;
      return keys.filter((one) => one >= first && one <= last);
    },
  });
  return { found: found.map((one) => BigInt(`0x${one}`)), reads };
}

const range = (first: bigint, last: bigint): AddressRange => ({ first, last });
const numbers = (first: bigint, last: bigint): bigint[] =>
  Array.from({ length: Number(last - first) + 1 }, (_, i) => first + BigInt(i));

test("the next addresses after the cursor cost one read, one or a hundred", async () => {
  const pools = [range(10n, 100_000n)];
  const used = numbers(10n, 499n);

  assert.deepEqual(await search({ pools, used, from: 500n, wanted: 1 }), { found: [500n], reads: 1 });
  assert.deepEqual(await search({ pools, used, from: 500n, wanted: 100 }), { found: numbers(500n, 599n), reads: 1 });
});

test("at the end of the pools the search goes on at the beginning, into the gaps", async () => {
  const pools = [range(10n, 20n), range(30n, 40n)];
  const used = numbers(10n, 40n).filter((value) => value !== 12n && value !== 18n && value !== 39n);

  assert.deepEqual((await search({ pools, used, from: 38n, wanted: 3 })).found, [39n, 12n, 18n]);
});

test("a nearly full pool of many thousands is searched in few reads", async () => {
  const pools = [range(0n, 65_535n)];
  const used = numbers(0n, 65_535n).filter((value) => value !== 7n);

  const { found, reads } = await search({ pools, used, from: 8n, wanted: 1 });

  assert.deepEqual(found, [7n]);
  assert.ok(reads < 40, `${reads} reads`);
});

test("what is found is free, in a pool, new, and as much as there is", async () => {
  const value = fc.bigInt({ min: 0n, max: 60n });
  const pools = fc.uniqueArray(value, { maxLength: 6 }).map((ends) => {
    const sorted = [...ends].sort((a, b) => Number(a - b));
    return Array.from({ length: Math.floor(sorted.length / 2) }, (_, i) => range(sorted[2 * i] ?? 0n, sorted[2 * i + 1] ?? 0n));
  });
  const setting = fc.record({
    pools,
    used: fc.uniqueArray(value),
    reserved: fc.uniqueArray(value),
    from: fc.bigInt({ min: 0n, max: 70n }),
    wanted: fc.integer({ min: 1, max: 20 }),
  });

  await fc.assert(
    fc.asyncProperty(setting, async (one) => {
      const taken = new Set([...one.used, ...one.reserved]);
      const free = one.pools.flatMap((pool) => numbers(pool.first, pool.last)).filter((candidate) => !taken.has(candidate));
      const inTurn = [
        ...free.filter((candidate) => candidate >= one.from),
        ...free.filter((candidate) => candidate < one.from),
      ];

      assert.deepEqual((await search(one)).found, inTurn.slice(0, one.wanted));
    }),
    { numRuns: 300 },
  );
});
