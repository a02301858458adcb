import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { logOutput } from "../../../src/base/log-output.ts";

const errno = (code: string): Error => Object.assign(new Error(code), { code });

describe("the log", () => {
  test("writes a line whole though the kernel takes it in pieces", () => {
    let written = "";
    const output = logOutput((bytes) => {
      written += bytes.subarray(0, 3).toString();
      return Math.min(3, bytes.length);
    });

    output.write("one line\n");

    assert.equal(written, "one line\n");
  });

  test("drops what cannot be written, harms nobody, and tells of the loss when there is room again", () => {
    let isFull = true;
    const lines: string[] = [];
    const output = logOutput((bytes) => {
      if (isFull) throw errno("ENOSPC");
      lines.push(bytes.toString());
      return bytes.length;
    });

    for (const line of ["a\n", "b\n", "c\n"]) output.write(line);
    isFull = false;
    output.write("d\n");
    output.write("e\n");

    assert.equal(lines.length, 3);
    assert.deepEqual({ ...JSON.parse(lines[0] ?? ""), time: "" }, lost(3));
    assert.deepEqual(lines.slice(1), ["d\n", "e\n"]);
  });

  test("waits for a reader that is slow for a moment", () => {
    let refusals = 2;
    let written = "";
    const output = logOutput((bytes) => {
      if (refusals-- > 0) throw errno("EAGAIN");
      written += bytes.toString();
      return bytes.length;
    });

    output.write("line\n");

    assert.equal(written, "line\n");
  });
});

const lost = (count: number): object => ({ level: "warn", time: "", count, msg: "log lines could not be written" });
