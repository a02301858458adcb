import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CommandRunner } from "../../../src/linux/command-runner.ts";
import { IpBatcher } from "../../../src/linux/ip-batcher.ts";

/** Plays `ip -batch -`: stops at the first line that begins with "bad". */
function fakeIp(): { readonly runner: CommandRunner; readonly batches: (readonly string[])[] } {
  const batches: (readonly string[])[] = [];
  const run: CommandRunner["run"] = async (_argv, options) => {
    const lines = (options?.stdin ?? "").trim().split("\n");
    batches.push(lines);
    await new Promise((resolve) => setImmediate(resolve));
    const failedAt = lines.findIndex((line) => line.startsWith("bad"));
    if (failedAt < 0) return { exitCode: 0, stdout: "", stderr: "" };
    return { exitCode: 1, stdout: "", stderr: `RTNETLINK answers: File exists\nCommand failed -:${failedAt + 1}\n` };
  };
  return { runner: { run }, batches };
}

describe("commands for ip from many who ask at once", () => {
  test("go in one child", async () => {
    const { runner, batches } = fakeIp();
    const batcher = new IpBatcher(runner);

    await Promise.all([batcher.run(["a 1", "a 2"]), batcher.run(["b 1"]), batcher.run([])]);

    assert.deepEqual(batches, [["a 1", "a 2", "b 1"]]);
  });

  test("that come while a child runs go together in the next", async () => {
    const { runner, batches } = fakeIp();
    const batcher = new IpBatcher(runner);
    const first = batcher.run(["a"]);
    while (batches.length === 0) await new Promise((resolve) => setImmediate(resolve));

    await Promise.all([first, batcher.run(["b"]), batcher.run(["c"])]);

    assert.deepEqual(batches, [["a"], ["b", "c"]]);
  });

  test("one that fails does not touch the others: those before are done once, those behind are done next", async () => {
    const { runner, batches } = fakeIp();
    const batcher = new IpBatcher(runner);

    const outcomes = await Promise.allSettled([
      batcher.run(["a"]),
      batcher.run(["b", "bad line", "never"]),
      batcher.run(["c"]),
    ]);

    assert.deepEqual(
      outcomes.map((one) => one.status),
      ["fulfilled", "rejected", "fulfilled"],
    );
    const [, failed] = outcomes;
    assert.match(
      failed?.status === "rejected" ? String(failed.reason) : "",
      /"ip bad line" failed: RTNETLINK answers: File exists/,
    );
    assert.deepEqual(batches, [["a", "b", "bad line", "never", "c"], ["c"]]);
  });

  test("fail all when the child itself is lost, and the next one works", async () => {
    let isLost = true;
    const runner: CommandRunner = {
      run: async () => {
        if (isLost) throw new Error("ip was killed");
        return { exitCode: 0, stdout: "", stderr: "" };
      },
    };
    const batcher = new IpBatcher(runner);

    const outcomes = await Promise.allSettled([batcher.run(["a"]), batcher.run(["b"])]);
    isLost = false;
    await batcher.run(["a"]);

    assert.deepEqual(
      outcomes.map((one) => one.status),
      ["rejected", "rejected"],
    );
  });
});
