import assert from "node:assert/strict";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { overwriteLinesSync, removeStaleTemporaries, writeFileAtomicSync } from "../../../src/linux/atomic-file.ts";
import { createTestDirectory } from "../../helpers/namespaces.ts";

async function prepare(t: TestContext): Promise<string> {
  const directory = await createTestDirectory();
  t.after(() => directory.remove());
  return directory.path;
}

test("lines are overwritten in the same file, and nothing of longer old ones is left", async (t) => {
  const file = join(await prepare(t), "lines");
  overwriteLinesSync(file, "a long first line\nanother\n");
  const before = await stat(file);

  overwriteLinesSync(file, "short\n");

  assert.equal((await readFile(file, "utf8")).replace(/\n+$/, "\n"), "short\n");
  assert.equal((await stat(file)).ino, before.ino);
  overwriteLinesSync(file, "a line that is longer than all that was there\nbefore\n");
  assert.equal(await readFile(file, "utf8"), "a line that is longer than all that was there\nbefore\n");
});

test("large text is another file, so that no reader sees a part of it", async (t) => {
  const file = join(await prepare(t), "lines");
  overwriteLinesSync(file, "x\n");
  const before = await stat(file);

  overwriteLinesSync(file, "line\n".repeat(10_000));

  assert.notEqual((await stat(file)).ino, before.ino);
});

test("what a killed process left where files are made is removed, what this one makes is not", async (t) => {
  const nursery = await prepare(t);
  await mkdir(join(nursery, "network"));
  writeFileAtomicSync(join(nursery, "network", "host"), "line\n", nursery);
  await writeFile(join(nursery, ".host.1-7"), "");
  await writeFile(join(nursery, `.host.${process.pid}-7`), "");

  await removeStaleTemporaries(nursery);

  assert.deepEqual((await readdir(nursery)).toSorted(), [`.host.${process.pid}-7`, "network"]);
  assert.equal(await readFile(join(nursery, "network", "host"), "utf8"), "line\n");
});
