import assert from "node:assert/strict";
import { test } from "node:test";
import type { Identity } from "../../../../src/server/identity/authenticator.ts";
import { TokenCache, type Verdict } from "../../../../src/server/identity/token-cache.ts";
import { WorkLimit } from "../../../../src/server/identity/work-limit.ts";
import { rolesOf } from "../../../../src/types/roles.ts";
import { FakeClock } from "../../../helpers/fake-clock.ts";

const ann: Identity = { userId: "ann", projectId: "blue", roles: rolesOf(["member"]) };

function cacheOf(clock: FakeClock, maxEntries = 100) {
  const asked: string[] = [];
  const cache = new TokenCache({ clock, cacheMs: 60_000, negativeCacheMs: 10_000, maxEntries });
  const accept = async (token: string): Promise<Verdict> => {
    asked.push(token);
    return { identity: ann, expiresAtMs: clock.nowMs() + 3_600_000 };
  };
  const refuse = async (token: string): Promise<Verdict> => {
    asked.push(token);
    return "refused";
  };
  return { cache, asked, accept, refuse };
}

test("an accepted token is asked about once until its time is over, however many wait for it", async () => {
  const clock = new FakeClock();
  const { cache, asked, accept } = cacheOf(clock);

  const found = await Promise.all([cache.lookUp("t", accept), cache.lookUp("t", accept), cache.lookUp("t", accept)]);
  await clock.advance(59_999);
  await cache.lookUp("t", accept);
  assert.deepEqual([found, asked], [[ann, ann, ann], ["t"]]);

  await clock.advance(1);
  await cache.lookUp("t", accept);
  assert.deepEqual(asked, ["t", "t"]);
});

test("the end of a token is the end of what is known of it", async () => {
  const clock = new FakeClock();
  const { cache, asked, refuse } = cacheOf(clock);
  const shortly = async (): Promise<Verdict> => ({ identity: ann, expiresAtMs: clock.nowMs() + 5000 });

  assert.equal(await cache.lookUp("t", shortly), ann);
  await clock.advance(5000);

  assert.equal(await cache.lookUp("t", refuse), undefined);
  assert.deepEqual(asked, ["t"]);
  const past = async (): Promise<Verdict> => ({ identity: ann, expiresAtMs: clock.nowMs() });
  assert.equal(await cache.lookUp("other", past), undefined);
});

test("a refused token stays refused for a shorter while, and pushes out no accepted one", async () => {
  const clock = new FakeClock();
  const { cache, asked, accept, refuse } = cacheOf(clock, 3);
  await cache.lookUp("good", accept);

  for (const guess of ["a", "b", "c", "d"]) assert.equal(await cache.lookUp(guess, refuse), undefined);
  assert.equal(await cache.lookUp("d", accept), undefined);
  assert.equal(await cache.lookUp("good", accept), ann);
  assert.deepEqual(asked, ["good", "a", "b", "c", "d"]);

  await clock.advance(10_000);
  assert.equal(await cache.lookUp("d", accept), ann);
});

test("of too many accepted tokens the oldest is forgotten", async () => {
  const clock = new FakeClock();
  const { cache, asked, accept } = cacheOf(clock, 2);

  for (const token of ["a", "b", "c", "b", "c", "a"]) await cache.lookUp(token, accept);

  assert.deepEqual(asked, ["a", "b", "c", "a"]);
});

test("a question that failed is asked again by the next one", async () => {
  const { cache, accept } = cacheOf(new FakeClock());
  const fail = async (): Promise<Verdict> => {
    throw new Error("no answer");
  };

  await assert.rejects(cache.lookUp("t", fail), /no answer/);

  assert.equal(await cache.lookUp("t", accept), ann);
});

test("work beyond the limit waits, and beyond the queue is refused at once", async () => {
  const limit = new WorkLimit({ atOnce: 2, waiting: 1 });
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  let running = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    running += 1;
    most = Math.max(most, running);
    await gate;
    running -= 1;
  };

  const taken = [limit.run(work), limit.run(work), limit.run(work)];
  await assert.rejects(limit.run(work), { code: "UNAVAILABLE" });
  open();
  await Promise.all(taken);

  assert.equal(most, 2);
  await limit.run(work);
  assert.equal(running, 0);
});
