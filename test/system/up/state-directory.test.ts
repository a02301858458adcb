import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { describeProcess } from "../../../src/up/pid-file.ts";
import { checkStateDirectory, layout, lockStateDirectory, readHolder } from "../../../src/up/state-directory.ts";
import { endOf, firstOutput } from "../../helpers/children.ts";

const marker = { version: 1, host: "h", namespacePrefix: "p-" } as const;

async function directory(context: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "netloom-state-"));
  context.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

test("a second lock is refused with the holder's pid and time, and possible after the release", async (context) => {
  const stateDir = await directory(context);
  const first = await lockStateDirectory(stateDir, marker);

  await assert.rejects(lockStateDirectory(stateDir, marker), {
    code: "CONFLICT",
    message: new RegExp(`pid ${process.pid} since 20`),
  });
  assert.equal((await readHolder(stateDir))?.pid, process.pid);
  await first.release();

  await (await lockStateDirectory(stateDir, marker)).release();
  assert.equal(await readHolder(stateDir), undefined);
});

test("the lock of a killed process is free at once", async (context) => {
  const stateDir = await directory(context);
  const url = new URL("../../../src/up/state-directory.ts", import.meta.url).href;
  const program = `const { lockStateDirectory } = await import(${JSON.stringify(url)});
    await lockStateDirectory(${JSON.stringify(stateDir)}, ${JSON.stringify(marker)});
    process.stdout.write("locked"); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "pipe"] });
  await firstOutput(child, /locked/);

  await assert.rejects(lockStateDirectory(stateDir, marker), { message: new RegExp(`pid ${child.pid} since`) });
  await endOf(child, "SIGKILL");

  assert.equal(await readHolder(stateDir), undefined);
  await (await lockStateDirectory(stateDir, marker)).release();
});

test("a living process with the holder's pid but another start time is not the holder", async (context) => {
  const stateDir = await directory(context);
  await (await lockStateDirectory(stateDir, marker)).release();
  const own = describeProcess(process.pid);
  assert.ok(own);

  await writeFile(layout(stateDir).pidFile("up"), JSON.stringify({ ...own, startTime: own.startTime - 1, since: "before" }));

  assert.equal(await readHolder(stateDir), undefined);
});

test("of many that start at once, exactly one gets the lock", async (context) => {
  const stateDir = await directory(context);

  const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => lockStateDirectory(stateDir, marker)));

  assert.equal(attempts.filter((one) => one.status === "fulfilled").length, 1);
  for (const one of attempts) if (one.status === "fulfilled") await one.value.release();
});

test("a refused start leaves nothing of a directory that it made", async (context) => {
  const parent = await directory(context);
  const lock = await lockStateDirectory(join(parent, "a", "b"), marker);

  await lock.release({ undo: true });

  assert.deepEqual(await readdir(parent), []);
});

test("a refused start leaves a directory that was there as it was", async (context) => {
  const stateDir = await directory(context);
  await (await lockStateDirectory(stateDir, marker)).release();
  await writeFile(join(stateDir, "netloom.db"), "data");

  await (await lockStateDirectory(stateDir, marker)).release({ undo: true });

  assert.equal(await readFile(join(stateDir, "netloom.db"), "utf8"), "data");
  assert.ok((await readdir(stateDir)).includes(".netloom"));
});

test("a directory with somebody else's files, or made under other names, is refused", async (context) => {
  const foreign = await directory(context);
  await writeFile(join(foreign, "thesis.txt"), "");
  const ours = await directory(context);
  await (await lockStateDirectory(ours, marker)).release();

  await assert.rejects(checkStateDirectory(foreign, marker), { code: "CONFLICT", message: /files of somebody else/ });
  await assert.rejects(checkStateDirectory(ours, { ...marker, namespacePrefix: "q-" }), /run netloom down first/);
  await checkStateDirectory(ours, marker);
  await checkStateDirectory(join(foreign, "new"), marker);
  await assert.rejects(checkStateDirectory(join(foreign, "thesis.txt"), marker), /not a directory/);
});
