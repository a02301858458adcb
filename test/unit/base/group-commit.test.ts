import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { GroupCommit } from "../../../src/base/group-commit.ts";

const outcomesOf = async (runs: readonly Promise<string>[]): Promise<readonly string[]> =>
  (await Promise.allSettled(runs)).map((one) => (one.status === "fulfilled" ? one.value : String(one.reason)));

function groupsThat({
  commit,
  isRefusal = () => true,
  maxTogether = 10,
}: {
  readonly commit: (requests: readonly string[]) => Promise<readonly string[]>;
  readonly isRefusal?: () => boolean;
  readonly maxTogether?: number;
}) {
  const seen: string[] = [];
  const groups = new GroupCommit<string, string>({
    commit: (requests) => {
      seen.push(requests.join("+"));
      return commit(requests);
    },
    isRefusal,
    ...{ maxTogether, lingerMs: 50 },
  });
  return { groups, seen };
}

/** Nothing is kept for a key that nobody asks for any more. */
async function untilIdle(groups: GroupCommit<string, string>): Promise<void> {
  while (groups.size > 0) await setImmediate();
}

test("what waits for the same key goes together, in order and at most so many; other keys do not wait", async () => {
  const first = Promise.withResolvers<void>();
  const { groups, seen } = groupsThat({
    commit: async (requests) => {
      if (requests.includes("a")) await first.promise;
      return requests.map((one) => one.toUpperCase());
    },
    maxTogether: 2,
  });
  const a = groups.run("net", "a");
  assert.equal(await groups.run("other", "z"), "Z");
  const rest = ["b", "c", "d"].map((one) => groups.run("net", one));
  assert.deepEqual(seen, ["a", "z"]);
  first.resolve();
  assert.deepEqual(await outcomesOf([a, ...rest]), ["A", "B", "C", "D"]);
  assert.deepEqual(seen, ["a", "z", "b+c", "d"]);
  await untilIdle(groups);
});

test("requests of one turn of the event loop are one group", async () => {
  const { groups, seen } = groupsThat({ commit: async (requests) => requests });
  await Promise.all(["a", "b", "c"].map((one) => groups.run("net", one)));
  assert.deepEqual(seen, ["a+b+c"]);
});

test("a refused group is tried one by one, so that only the request at fault fails", async () => {
  const { groups, seen } = groupsThat({
    commit: async (requests) => {
      if (requests.includes("bad")) throw new Error("refused");
      return requests;
    },
  });
  const outcomes = await outcomesOf(["a", "bad", "c"].map((one) => groups.run("net", one)));
  assert.deepEqual(outcomes, ["a", "Error: refused", "c"]);
  assert.deepEqual(seen, ["a+bad+c", "a", "bad", "c"]);
  await untilIdle(groups);
});

test("what is nobody's fault fails the whole group, once", async () => {
  const { groups, seen } = groupsThat({
    commit: async () => {
      throw new Error("no database");
    },
    isRefusal: () => false,
  });
  const outcomes = await outcomesOf(["a", "b"].map((one) => groups.run("net", one)));
  assert.deepEqual(outcomes, ["Error: no database", "Error: no database"]);
  assert.deepEqual(seen, ["a+b"]);
});

test("a group works in the asynchronous context of its first request, whoever was at work before", async () => {
  const context = new AsyncLocalStorage<string>();
  const { groups } = groupsThat({ commit: async (requests) => requests.map(() => context.getStore() ?? "none") });
  const one = context.run("first", () => groups.run("net", "a"));
  const other = one.then(() => "");
  await other;
  const [b, c] = await Promise.all([
    context.run("second", () => groups.run("net", "b")),
    context.run("third", () => groups.run("net", "c")),
  ]);
  assert.deepEqual([await one, b, c], ["first", "second", "second"]);
});

test("after a group of several as many are waited for, but not for long", async () => {
  const { groups, seen } = groupsThat({ commit: async (requests) => requests });
  await Promise.all(["a", "b"].map((one) => groups.run("net", one)));
  const c = groups.run("net", "c");
  await setImmediate();
  await setImmediate();
  const d = groups.run("net", "d");
  await Promise.all([c, d]);
  assert.deepEqual(seen, ["a+b", "c+d"]);
  await groups.run("net", "e");
  assert.deepEqual(seen, ["a+b", "c+d", "e"]);
  await untilIdle(groups);
});
