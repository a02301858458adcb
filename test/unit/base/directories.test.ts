import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { canonicalPath, makeDirectories } from "../../../src/base/directories.ts";

describe("making directories", () => {
  let top: string;
  before(async () => {
    top = await mkdtemp(join(tmpdir(), "netloom-dirs-"));
  });
  after(() => rm(top, { recursive: true }));

  test("tells the highest that was missing, and nothing when all were there", async () => {
    assert.equal(await makeDirectories(join(top, "a", "b", "c"), 0o750), join(top, "a"));
    assert.equal(await makeDirectories(join(top, "a", "b", "c")), undefined);
    assert.equal((await stat(join(top, "a", "b", "c"))).mode & 0o777, 0o750);
  });

  test("all of many at the same time succeed", async () => {
    const path = join(top, "x", "y", "z");

    await Promise.all(Array.from({ length: 20 }, () => makeDirectories(path)));

    assert.equal((await stat(path)).isDirectory(), true);
  });

  test("fails below a file and below /proc instead of trying for ever", async () => {
    await writeFile(join(top, "file"), "");

    await assert.rejects(makeDirectories(join(top, "file", "a")), { code: "EEXIST" });
    await assert.rejects(makeDirectories("/proc/netloom/run"), { code: "ENOENT" });
  });

  test("a path has one text, whatever links lead to it and whether it is there or not", async () => {
    await mkdir(join(top, "real"));
    await symlink(join(top, "real"), join(top, "link"));

    for (const path of ["real/state", "link/state", "link//state/", "real/../link/state"])
      assert.equal(canonicalPath(`${top}/${path}`), canonicalPath(join(top, "real", "state")), path);
    assert.equal(canonicalPath("/"), "/");
  });
});
