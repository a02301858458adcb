import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { checkPreflight } from "../../../src/l3-agent/preflight.ts";
import { createTestDirectory, type TestDirectory } from "../../helpers/namespaces.ts";

let directory: TestDirectory;
const install = async (...names: readonly string[]): Promise<void> => {
  for (const name of names) {
    await writeFile(join(directory.path, name), "");
    await chmod(join(directory.path, name), 0o755);
  }
};
const check = (): readonly string[] => checkPreflight({ uid: 0, searchPath: directory.path });

beforeEach(async () => {
  directory = await createTestDirectory();
});
afterEach(async () => directory.remove());

test("what the agent cannot do without keeps it from starting, with what to install", async () => {
  await install("ip", "nft", "perl");

  assert.throws(check, /nsenter not found in PATH: apt-get install -y util-linux/);
});

test("without radvd or keepalived it starts, and says what does not work", async () => {
  await install("ip", "nft", "nsenter", "perl");
  assert.deepEqual(check(), [
    "radvd not found in PATH, no router advertisements: apt-get install -y radvd",
    "keepalived not found in PATH, no routers of high availability: apt-get install -y keepalived",
  ]);

  await install("radvd");
  assert.deepEqual(check(), ["keepalived not found in PATH, no routers of high availability: apt-get install -y keepalived"]);
  await install("keepalived");
  assert.deepEqual(check(), []);
});
