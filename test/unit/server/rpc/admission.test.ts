import assert from "node:assert/strict";
import { test } from "node:test";
import { NetloomError } from "../../../../src/base/errors.ts";
import { Admission } from "../../../../src/server/rpc/admission.ts";

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
