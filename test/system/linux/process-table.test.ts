import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import { readFileIfPresent, writeFileAtomic } from "../../../src/linux/atomic-file.ts";
import { processRunner, runChecked } from "../../../src/linux/command-runner.ts";
import {
  findProcesses,
  isAlive,
  parsePid,
  type ProcessIdentity,
  readProcess,
  terminate,
} from "../../../src/linux/process-table.ts";
import { firstOutput } from "../../helpers/children.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const children: ChildProcess[] = [];

// A child that a failed test leaves would keep this process alive for ever.
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

interface Started {
  readonly child: ChildProcess;
  readonly identity: ProcessIdentity;
}

/** The program must say that it is up once it is as the test wants it. */
async function start(program: string, args: readonly string[]): Promise<Started> {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  children.push(child);
  await firstOutput(child, /up/);
  const identity = readProcess(child.pid ?? 0);
  if (identity === undefined) throw new Error("child is not in the process table");
  return { child, identity };
}

describe("the process table", () => {
  test("finds a process by its arguments and tells it from a later holder of its pid", async () => {
    const mark = `mark-${Math.random()}`;
    const { child, identity } = await start("sh", ["-c", `: ${mark}; echo up; read line`]);

    assert.deepEqual(
      findProcesses((argv) => argv.some((word) => word.includes(mark))).map((one) => one.pid),
      [child.pid],
    );
    assert.equal(isAlive(identity), true);
    assert.equal(isAlive({ ...identity, startTime: identity.startTime + 1 }), false);

    await terminate(identity);
    assert.equal(isAlive(identity), false);
  });

  test("kills what does not obey, after the time it was given", async () => {
    const { child, identity } = await start("sh", ["-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"]);
    const ended = new Promise((resolve) => child.once("exit", (_code, signal) => resolve(signal)));

    await terminate(identity, 100);

    assert.equal(await ended, "SIGKILL");
  });

  test("leaves a process alone that only has the pid", async () => {
    await terminate({ pid: process.pid, startTime: 1 });

    assert.equal(readProcess(process.pid)?.pid, process.pid);
  });

  test("counts a zombie as gone", async () => {
    // Perl never waits for its child unless it is told to, as a shell may.
    const { child } = await start("perl", ["-e", "fork or exit 0; $| = 1; print 'up'; sleep 60"]);
    const isZombie = async (): Promise<string | undefined> => {
      for (const entry of await readdir("/proc")) {
        const text = /^\d+$/.test(entry) ? await readFileIfPresent(`/proc/${entry}/stat`).catch(() => undefined) : undefined;
        if (text?.includes(`) Z ${child.pid} `) === true) return entry;
      }
      return undefined;
    };
    const pid = await waitFor(isZombie, { limitMs: 10_000, what: "a zombie" });

    assert.equal(readProcess(Number(pid)), undefined);
  });

  test("reads a pid file's number and nothing else", () => {
    assert.equal(parsePid("123\n"), 123);
    for (const text of [undefined, "", "0", "-1", "12x", "1 2", "99999999999"]) assert.equal(parsePid(text), undefined);
  });
});

describe("a file that is replaced whole", () => {
  test("has the mode asked for and leaves no temporary file behind", async () => {
    const directory = await mkdtemp(join(tmpdir(), "netloom-file-"));
    const path = join(directory, "a");

    await writeFileAtomic(path, "one");
    await writeFileAtomic(path, "two", { mode: 0o600, isDurable: true });
    await assert.rejects(writeFileAtomic(join(directory, "none", "b"), "x"), { code: "ENOENT" });

    assert.equal(await readFile(path, "utf8"), "two");
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(directory), ["a"]);
    await rm(directory, { recursive: true });
  });
});

describe("the command runner", () => {
  const runner = processRunner();

  test("gives input, takes both outputs and the exit code", async () => {
    const result = await runner.run(["sh", "-c", "cat; echo oops >&2; exit 3"], { stdin: "hello" });

    assert.deepEqual(result, { exitCode: 3, stdout: "hello", stderr: "oops\n" });
  });

  test("hands on only the environment that it is told", async () => {
    const { stdout } = await runner.run(["env"], { env: { A: "1" } });

    const names = stdout
      .trim()
      .split("\n")
      .map((one) => one.split("=")[0]);
    assert.deepEqual(new Set(names), new Set(["A", "LC_ALL", "PATH"]));
  });

  test("says in one line which package a missing tool comes with", async () => {
    await assert.rejects(processRunner("/nowhere").run(["dnsmasq"]), {
      code: "UNAVAILABLE",
      message: "dnsmasq is not installed: apt-get install dnsmasq-base",
    });
  });

  test("ends a tool that takes too long", async () => {
    await assert.rejects(runner.run(["tail", "-f", "/dev/null"], { timeoutMs: 50 }), { code: "TIMEOUT" });
  });

  test("throws the tool's own words when its success is needed", async () => {
    await assert.rejects(runChecked(runner, ["sh", "-c", "echo no way >&2; exit 1"]), {
      code: "COMMAND_FAILED",
      message: "sh failed: no way",
    });
  });

  test("outlives a tool that does not read its input", async () => {
    const result = await runner.run(["true"], { stdin: "x".repeat(1_000_000) });

    assert.equal(result.exitCode, 0);
  });
});
