import assert from "node:assert/strict";
import { test } from "node:test";
import { NetloomError } from "../../../../src/base/errors.ts";
import { Admission, admitFirst } from "../../../../src/server/rpc/admission.ts";

test("as many as the limit run at once, the rest hear when to come back, and an end makes room", async () => {
  const admission = new Admission({ limit: 2, retryAfterMs: 500, random: () => 0.5 });
  const gate = Promise.withResolvers<void>();
  const running = [admission.run(() => gate.promise), admission.run(() => gate.promise)];

  await assert.rejects(
    admission.run(async () => assert.fail("ran beyond the limit")),
    (thrown) => {
      assert.ok(thrown instanceof NetloomError);
      assert.deepEqual([thrown.code, thrown.detail["retryAfterMs"]], ["UNAVAILABLE", 500]);
      return true;
    },
  );
  gate.resolve();
  await Promise.all(running);

  assert.equal(await admission.run(async () => "in"), "in");
});

test("work that fails makes room, too", async () => {
  const admission = new Admission({ limit: 1, retryAfterMs: 500 });

  await assert.rejects(
    admission.run(() => Promise.reject(new Error("broken"))),
    /broken/,
  );

  assert.equal(await admission.run(async () => "in"), "in");
});

test("those who are sent away come back one after the other, at the pace of the work", async () => {
  let now = 0;
  const admission = new Admission({ limit: 2, retryAfterMs: 500, random: () => 0, nowMs: () => now });
  const first = Promise.withResolvers<void>();
  const learnt = admission.run(() => first.promise);
  now = 100;
  first.resolve();
  await learnt;
  const gate = Promise.withResolvers<void>();
  const running = [admission.run(() => gate.promise), admission.run(() => gate.promise)];

  const waits: unknown[] = [];
  for (let n = 0; n < 1000; n += 1) {
    await admission.run(async () => {}).catch((thrown: NetloomError) => waits.push(thrown.detail["retryAfterMs"]));
  }
  gate.resolve();
  await Promise.all(running);

  // 100 ms each, two at once: one every 50 ms, and faster than that so that the server is never idle.
  assert.deepEqual(waits.slice(0, 4), [250, 270, 290, 310]);
  assert.equal(waits.at(-1), 250 + 999 * 20);
});

test("an agent that was let in gets its further pages, however many wait", async () => {
  const admission = new Admission({ limit: 1, retryAfterMs: 500 });
  const gate = Promise.withResolvers<string>();
  const running = admitFirst(admission, {}, () => gate.promise);

  await assert.rejects(
    admitFirst(admission, {}, async () => "first page"),
    /too many agents/,
  );
  assert.equal(await admitFirst(admission, { cursor: "2" }, async () => "second page"), "second page");

  gate.resolve("done");
  assert.equal(await running, "done");
});
