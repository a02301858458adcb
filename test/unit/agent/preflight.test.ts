import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { lockAgent } from "../../../src/runtime/agent-lock.ts";
import { checkPreflight } from "../../../src/agent/preflight.ts";

const marker = { version: 1, host: "h1", namespacePrefix: "" } as const;

async function directoryWith(...programs: readonly string[]): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "netloom-preflight-"));
  for (const program of programs) {
    await writeFile(join(directory, program), "");
    await chmod(join(directory, program), 0o755);
  }
  return directory;
}

test("without root the agent says so", () => {
  assert.throws(() => checkPreflight({ uid: 1000, searchPath: "" }), /needs root.*sudo/);
});

test("programs that are missing are named with the package that has them", async (t) => {
  const directory = await directoryWith("ip", "nsenter", "perl");
  t.after(() => rm(directory, { recursive: true }));

  assert.throws(
    () => checkPreflight({ uid: 0, searchPath: directory }),
    /^NetloomError: dnsmasq not found in PATH: apt-get install -y dnsmasq-base$/,
  );
});

test("Open vSwitch is asked for where its bridge is to be used, and only there", async (t) => {
  const directory = await directoryWith("dnsmasq", "ip", "nsenter", "perl");
  t.after(() => rm(directory, { recursive: true }));
  const facts = { uid: 0, searchPath: directory };

  assert.doesNotThrow(() => checkPreflight(facts));
  assert.throws(
    () => checkPreflight({ ...facts, usesOvs: true }),
    /^NetloomError: ovs-vsctl not found in PATH: apt-get install -y openvswitch-switch$/,
  );
});

test("with everything there it passes", async (t) => {
  const directory = await directoryWith("ip", "nsenter", "dnsmasq", "perl");
  t.after(() => rm(directory, { recursive: true }));

  checkPreflight({ uid: 0, searchPath: `/nowhere:${directory}` });
});

test("a state directory has one agent at a time, also under another path", async (t) => {
  const parent = await directoryWith();
  t.after(() => rm(parent, { recursive: true }));
  const stateDir = join(parent, "state");
  const first = await lockAgent(stateDir, marker);

  await assert.rejects(lockAgent(join(parent, "..", parent.split("/").at(-1) ?? "", "state"), marker), {
    code: "CONFLICT",
    message: new RegExp(`another DHCP agent \\(pid ${process.pid}\\) uses state directory`),
  });
  await first.release();
  const second = await lockAgent(stateDir, marker);
  await second.release();
});

test("a lock that is undone leaves nothing behind, and nothing of others is removed", async (t) => {
  const parent = await directoryWith();
  t.after(() => rm(parent, { recursive: true }));

  await (await lockAgent(join(parent, "new", "state"), marker)).undo();
  assert.deepEqual(await readdir(parent), []);
  await mkdir(join(parent, "old", "run"), { recursive: true });
  await (await lockAgent(join(parent, "old"), marker)).undo();

  assert.ok((await stat(join(parent, "old", "run"))).isDirectory());
});

test("a state directory that cannot be written to is named", async (t) => {
  const parent = await directoryWith();
  t.after(() => rm(parent, { recursive: true }));
  await writeFile(join(parent, "file"), "");

  await assert.rejects(lockAgent(join(parent, "file", "state"), marker), {
    code: "FORBIDDEN",
    message: /state directory .* is not writable/,
  });
});
