// The launcher from other places and under another Node, and the demo from its first line to its last.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { findProcessesOf } from "../helpers/instance.ts";
import { sh, skipWithoutRoot } from "../helpers/namespaces.ts";

const home = fileURLToPath(new URL("../..", import.meta.url));
const launcher = join(home, "bin/netloom");
/** An older Node than ours, where the machine has one beside it. */
const systemNode = ["/usr/local/bin/node", "/usr/bin/node"].find(existsSync);

interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(file: string, args: readonly string[], cwd = "/"): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(file, args, { cwd }, (error, stdout, stderr) => {
      resolve({ exitCode: typeof error?.code === "number" ? error.code : error === null ? 0 : 1, stdout, stderr });
    });
  });
}

async function scratch(context: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "netloom-launcher-"));
  await chmod(path, 0o755);
  context.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

test("the launcher works through a symbolic link, from any directory", async (context) => {
  const directory = await scratch(context);
  await symlink(launcher, join(directory, "netloom"));

  const result = await run(process.execPath, [join(directory, "netloom"), "--version"], directory);

  assert.equal(result.exitCode, 0, result.stderr);
  assert.match(result.stdout, /^\d+\.\d+\.\d+\n$/);
});

test("a reader that has seen enough is no failure", async () => {
  const child = spawn(process.execPath, [launcher, "up", "--help"], { stdio: ["ignore", "pipe", "pipe"] });
  const errors: string[] = [];
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors.push(text));
  child.stdout.destroy();

  const exitCode = await new Promise((resolve) => child.once("close", resolve));

  assert.deepEqual([exitCode, errors.join("")], [0, ""]);
});

const isOld = systemNode !== undefined && systemNode !== process.execPath;

test("an old Node hands over to the project's, exit code included", { skip: !isOld && "no other Node here" }, async () => {
  const good = await run(systemNode ?? "", [launcher, "--version"]);
  const bad = await run(systemNode ?? "", [launcher, "network", "list", "--nonsense"]);

  assert.match(good.stdout, /^\d+\.\d+\.\d+\n$/);
  assert.equal(bad.exitCode, 2);
});

test("an old Node without `npm ci` is told what to do", { skip: !isOld && "no other Node here" }, async (context) => {
  const version = (await run(systemNode ?? "", ["--version"])).stdout;
  if (Number(version.slice(1).split(".")[0]) >= 24) return context.skip("the system's Node is new enough");
  const directory = await scratch(context);
  await mkdir(join(directory, "bin"));
  for (const file of ["netloom", "package.json"]) await cp(join(home, "bin", file), join(directory, "bin", file));

  const result = await run(systemNode ?? "", [join(directory, "bin/netloom"), "--version"]);

  assert.equal(result.exitCode, 1);
  assert.match(result.stderr, /^netloom: Node 24 or newer is needed and this is v\d+.*: run `npm ci` in .*\n$/);
});

/** Of demos in other places than the usual one, also of those that were killed once. */
async function findDemos(): Promise<readonly string[]> {
  const text = (await sh("ip", "netns", "list")) + (await sh("ip", "-o", "link"));
  return text.match(/\b(netloom|nl)-demo-[\w-]+/g) ?? [];
}

test("the demo gets a lease as the API says, reaches and is reached through a router, and leaves nothing", {
  skip: skipWithoutRoot,
}, async (context) => {
  const stateDir = join(await scratch(context), "demo");
  const others = new Set(await findDemos());

  const result = await run(process.execPath, [join(home, "scripts/demo.ts"), "--once", "--state-dir", stateDir], home);

  assert.equal(result.exitCode, 0, result.stdout + result.stderr);
  const leased = ["port created", "event at the agent", "DHCP ready", "lease obtained", "lease seen by the server"];
  const routed = ["router created", "instance reaches the outside", "instance reaches the other network"];
  for (const moment of [...leased, ...routed, "outside reaches the floating IP", "metadata"]) {
    assert.match(result.stdout, new RegExp(`\\d+ ms  ${moment}`));
  }
  assert.match(result.stdout, /That is what the API says\./);
  assert.equal(existsSync(stateDir), false);
  assert.deepEqual(await findProcessesOf(stateDir), []);
  assert.deepEqual(
    (await findDemos()).filter((name) => !others.has(name)),
    [],
  );
});

test("a demo that cannot start says why and fails", { skip: skipWithoutRoot }, async () => {
  const result = await run(process.execPath, [join(home, "scripts/demo.ts"), "--once", "--state-dir", "/proc/netloom"], home);

  assert.equal(result.exitCode, 1);
  assert.match(result.stderr, /demo failed: .*state directory \/proc\/netloom is not writable/);
});
