import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../../../src/base/logger.ts";
import { Teardowns } from "../../../src/device-manager/teardowns.ts";
import { testNetworkId } from "../../helpers/agent-items.ts";

const blue = testNetworkId(1);
const fail = async (): Promise<void> => Promise.reject(new Error("busy"));

test("a removal that failed is due after a rest that grows, and no more once it has worked", async () => {
  let now = 0;
  const teardowns = new Teardowns(silentLogger, () => now);
  const tryAt = async (ms: number, work: () => Promise<void>): Promise<void> => {
    now = ms;
    teardowns.start(blue, work);
    await teardowns.settled(blue);
  };

  await tryAt(0, fail);
  assert.equal(teardowns.hasDue, false, "at once it would fail once more");
  now = 1000;
  assert.equal(teardowns.hasDue, true);
  await tryAt(1000, fail);
  now = 2999;
  assert.equal(teardowns.hasDue, false);
  now = 3000;
  assert.equal(teardowns.hasDue, true);

  await tryAt(3000, async () => {});

  now = 1_000_000;
  assert.equal(teardowns.hasDue, false);
});

test("a network that is wanted again needs no removal", async () => {
  let now = 0;
  const teardowns = new Teardowns(silentLogger, () => now);
  teardowns.start(blue, fail);
  await teardowns.settled(blue);
  now = 60_000;

  teardowns.forget(blue);

  assert.equal(teardowns.hasDue, false);
});
