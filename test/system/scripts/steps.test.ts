import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runStep } from "../../../scripts/steps.ts";

describe("a step of the suite", () => {
  test("counts as one check by its exit code", async () => {
    const passed = await runStep({ name: "a", command: ["sh", "-c", "exit 0"] });
    const failed = await runStep({ name: "b", command: ["sh", "-c", "echo no; exit 3"] });

    assert.deepEqual(passed.counts, { passed: 1, failed: 0, skipped: 0 });
    assert.deepEqual(failed.counts, { passed: 0, failed: 1, skipped: 0 });
    assert.equal(failed.output, "no\n");
  });

  test("is killed and fails when it does not end, and names what had not ended", async () => {
    const script = "echo '#start one (x)'; echo '#start two (y)'; echo '#end one (x)'; sleep 60 & sleep 60";

    const result = await runStep({ name: "spins", command: ["sh", "-c", script], limitMs: 1500 });

    assert.deepEqual(result.counts, { passed: 0, failed: 1, skipped: 0 });
    assert.match(result.output, /no end within 1\.5 s: killed\n {2}unfinished: two \(y\)\n/);
    assert.doesNotMatch(result.output, /#start|one/);
  });

  test("does not wait for a process that it leaves behind", async () => {
    const result = await runStep({ name: "leaves", command: ["sh", "-c", "sleep 60 & exit 0"] });

    assert.match(result.output, /a process was left behind/);
    assert.deepEqual(result.counts, { passed: 1, failed: 0, skipped: 0 });
  });

  test("fails when the test runner died before its summary", async () => {
    const result = await runStep({ name: "dies", command: ["sh", "-c", "exit 0"], isTest: true });

    assert.deepEqual(result.counts, { passed: 0, failed: 1, skipped: 0 });
  });

  test("fails when the program is not there", async () => {
    const result = await runStep({ name: "none", command: ["no-such-program"] });

    assert.deepEqual(result.counts, { passed: 0, failed: 1, skipped: 0 });
    assert.match(result.output, /ENOENT/);
  });

  test("names the files in which something failed, each once", async () => {
    const script = "echo '#failed-file a.test.ts'; echo '#failed-file b.test.ts'; echo '#failed-file a.test.ts'; exit 1";

    const result = await runStep({ name: "fails", command: ["sh", "-c", script] });

    assert.deepEqual(result.failedFiles, ["a.test.ts", "b.test.ts"]);
    assert.equal(result.output, "");
  });
});
