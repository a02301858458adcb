import assert from "node:assert/strict";
import { test } from "node:test";
import { NetloomError } from "../../../src/base/errors.ts";
import { processRunner } from "../../../src/linux/command-runner.ts";
import { readProcess } from "../../../src/linux/process-table.ts";

test("a tool that takes too long is ended, and nobody waits for a child of it that has its output open", async (t) => {
  const script = "sleep 600 & echo $! >&2; exec sleep 600";

  const failed = await processRunner()
    .run(["sh", "-c", script], { timeoutMs: 2000 })
    .catch((thrown: unknown) => thrown);

  assert.ok(failed instanceof NetloomError);
  assert.equal(failed.code, "TIMEOUT");
  const child = Number(failed.detail["stderr"]);
  assert.ok(child > 1, failed.message);
  t.after(() => process.kill(child, "SIGKILL"));
  assert.ok(readProcess(child) !== undefined, "it ended before");
});
