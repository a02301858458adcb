import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { rememberVersion } from "../../../src/agent/version-memory.ts";
import type { CommandRunner } from "../../../src/linux/command-runner.ts";
import { createTestDirectory } from "../../helpers/namespaces.ts";

async function prepare(t: TestContext) {
  const directory = await createTestDirectory();
  t.after(() => directory.remove());
  await mkdir(join(directory.path, "run"));
  await writeFile(join(directory.path, "tool"), "1");
  const asked: string[] = [];
  const inner: CommandRunner = {
    run: async (argv) => {
      asked.push(argv.join(" "));
      return { exitCode: 0, stdout: `version ${asked.length}\nof a tool\n`, stderr: "" };
    },
  };
  return { asked, path: directory.path, remembering: () => rememberVersion(inner, directory.path, directory.path) };
}

test("a program is asked for its version once, whatever starts in between", async (t) => {
  const { asked, remembering } = await prepare(t);

  const first = await remembering().run(["tool", "--version"]);
  const second = await remembering().run(["tool", "--version"]);

  assert.deepEqual(second, first);
  assert.deepEqual(asked, ["tool --version"]);
});

test("another program under the same name is asked anew, and other commands always are", async (t) => {
  const { asked, path, remembering } = await prepare(t);
  await remembering().run(["tool", "--version"]);

  await writeFile(join(path, "tool"), "another one");
  const { stdout } = await remembering().run(["tool", "--version"]);
  await remembering().run(["tool", "other"]);

  assert.equal(stdout, "version 2\nof a tool\n");
  assert.equal(asked.length, 3);
});
