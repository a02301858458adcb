import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NetloomError } from "../../../src/base/errors.ts";
import { type LogFields, type Logger, silentLogger } from "../../../src/base/logger.ts";
import { errorReply, readReply } from "../../../src/messaging/envelope.ts";

test("an error survives the way to the caller", () => {
  const sent = new NetloomError("CONFLICT", "taken", { port: "a" });

  const reply: unknown = JSON.parse(JSON.stringify(errorReply(sent, "s", silentLogger)));

  assert.throws(
    () => readReply(reply, "s"),
    (thrown) => {
      assert.ok(thrown instanceof NetloomError);
      assert.deepEqual([thrown.code, thrown.message, thrown.detail], ["CONFLICT", "taken", { port: "a" }]);
      return true;
    },
  );
});

test("a bug is logged with the reference that the caller gets", () => {
  const lines: LogFields[] = [];
  const log: Logger = { ...silentLogger, error: (fields) => void lines.push(fields) };
  const bug = new TypeError("secret");

  const reply = errorReply(bug, "s", log);

  assert.ok(!reply.ok);
  assert.equal(lines[0]?.["err"], bug);
  assert.ok(reply.error.message.includes(String(lines[0]?.["reference"])));
  assert.ok(!JSON.stringify(reply).includes("secret"));
});

test("a code that only a newer peer knows becomes one that may be tried again", () => {
  const reply = { ok: false, error: { code: "BRAND_NEW", message: "?", detail: {} } };

  assert.throws(() => readReply(reply, "s"), { code: "UNAVAILABLE", message: "?" });
});

test("whatever comes as a reply is a result or a NetloomError, never another exception", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.anything(), fc.record({ ok: fc.anything(), error: fc.anything(), result: fc.anything() })),
      (reply) => {
        try {
          readReply(reply, "s");
        } catch (thrown) {
          assert.ok(thrown instanceof NetloomError, String(thrown));
        }
      },
    ),
  );
});
