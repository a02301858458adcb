import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { after, test } from "node:test";
import { HangWatch, type ServerLook } from "../../../../src/drivers/dnsmasq/hang-watch.ts";
import { type ProcessProgress, readProcessProgress, readWaitPlace } from "../../../../src/linux/process-load.ts";
import { lookAtProcess, readStartTime } from "../../../../src/linux/process-table.ts";
import { networkId } from "../../../../src/model/ids.ts";
import { waitFor } from "../../../helpers/wait-for.ts";

const id = networkId("7c3a6f0e-0f6e-4f6a-9a53-5d1c2a3b4c5d");
const server = { pid: 77, startTime: 1 };
const children: ChildProcess[] = [];

after(async () => {
  for (const child of children) {
    const gone = new Promise((resolve) => child.once("exit", resolve));
    if (child.exitCode === null && child.kill("SIGKILL")) await gone;
  }
});

/** What the kernel says of one server; tests change it between looks, two seconds apart. */
class Scene {
  progress: ProcessProgress = { cpuMs: 100, waits: 5, waitsIn: "do_poll" };
  received = 10;
  nowMs = 0;
  readonly #watch = new HangWatch({
    readProgress: () => this.progress,
    readWaitPlace: () => this.progress.waitsIn,
    readReceived: () => this.received,
  });

  look(state: string, values: Partial<ServerLook> = {}): string | undefined {
    this.nowMs += 2000;
    return this.#watch.beginLook(this.nowMs)(id, { server, state, hosts: 5, ...values });
  }

  /** `change` is made before each look. @returns the first reason, and after how many looks it came */
  lookOften(state: string, looks: number, change: () => void = () => {}, values: Partial<ServerLook> = {}) {
    for (let count = 1; count <= looks; count += 1) {
      change();
      const reason = this.look(state, values);
      if (reason !== undefined) return { reason, count };
    }
    return undefined;
  }
}

test("one that is stopped hangs at the second look, and not when it went on between them", () => {
  const scene = new Scene();

  assert.equal(scene.look("T"), undefined);
  assert.equal(scene.look("S"), undefined);
  assert.equal(scene.look("T"), undefined);
  assert.equal(scene.look("T"), "stopped");
});

test("one that sleeps until something comes never hangs, however long nothing comes", () => {
  assert.equal(new Scene().lookOften("S", 1000), undefined);
});

test("one that waits in one place for what never comes hangs", () => {
  const scene = new Scene();
  scene.progress = { ...scene.progress, waitsIn: "unix_wait_for_peer" };

  const found = scene.lookOften("S", 12);

  assert.equal(found?.reason, "waits in unix_wait_for_peer");
});

test("one that waits there again and again, and gets on, does not", () => {
  const scene = new Scene();
  scene.progress = { ...scene.progress, waitsIn: "jbd2_log_wait_commit" };

  const found = scene.lookOften("S", 100, () => {
    scene.progress = { ...scene.progress, cpuMs: scene.progress.cpuMs + 0.1 };
  });

  assert.equal(found, undefined);
});

test("where the kernel does not say where a process sleeps, one that sleeps is believed to be well", () => {
  const scene = new Scene();
  scene.progress = { ...scene.progress, waitsIn: "" };

  assert.equal(scene.lookOften("S", 100), undefined);
});

const run = (scene: Scene, cpuMs: number) => (): void => {
  scene.progress = { ...scene.progress, cpuMs: scene.progress.cpuMs + cpuMs, waitsIn: "" };
};

test("one that runs without an end, and takes no packet, hangs after ten seconds of processor time", () => {
  const scene = new Scene();

  const found = scene.lookOften("R", 10, run(scene, 2000), { hosts: 0 });

  assert.deepEqual([found?.reason.startsWith("runs for 10"), found?.count], [true, 6]);
});

test("on a host that is so busy that it hardly runs, that takes as much longer", () => {
  const scene = new Scene();

  assert.equal(scene.lookOften("R", 20, run(scene, 200)), undefined);
});

test("one that answers many clients is found running at every look and does not hang", () => {
  const scene = new Scene();

  const found = scene.lookOften("R", 100, () => {
    run(scene, 2000)();
    scene.received += 1;
  });

  assert.equal(found, undefined);
});

test("one that rests at times does not hang though every look finds it running", () => {
  const scene = new Scene();

  const found = scene.lookOften("R", 100, () => {
    run(scene, 1990)();
    scene.progress = { ...scene.progress, waits: scene.progress.waits + 1 };
  });

  assert.equal(found, undefined);
});

test("one that reads twenty thousand hosts, all of them leased, has its minute", () => {
  const scene = new Scene();

  assert.equal(scene.lookOften("R", 25, run(scene, 2000), { hosts: 20_000 }), undefined);
  assert.notEqual(scene.lookOften("R", 25, run(scene, 2000), { hosts: 20_000 }), undefined, "and no more");
});

test("a suspicion is about one process, not about its successor", () => {
  const scene = new Scene();
  scene.look("T");

  assert.equal(scene.look("T", { server: { pid: 78, startTime: 9 } }), undefined);
});

test("the kernel tells what is asked of it: a sleeper's place, a runner's time, a stopped one's state", async () => {
  const start = (...argv: readonly [string, ...string[]]): number => {
    const [program, ...words] = argv;
    const child = spawn(program, words, { stdio: "ignore" });
    children.push(child);
    return child.pid ?? 0;
  };
  const sleeper = start("sleep", "60");
  await waitFor(() => lookAtProcess(sleeper)?.state === "S", { limitMs: 10_000, what: "sleep to sleep" });
  assert.match(readWaitPlace(sleeper), /^$|sleep/);
  const before = readProcessProgress(sleeper);
  assert.equal(readProcessProgress(sleeper)?.cpuMs, before?.cpuMs);

  process.kill(sleeper, "SIGSTOP");
  await waitFor(() => lookAtProcess(sleeper)?.state === "T", { limitMs: 10_000, what: "it to be stopped" });
  assert.notEqual(readStartTime(sleeper), undefined, "it is alive all the same");

  const runner = start("sh", "-c", "while :; do :; done");
  await waitFor(() => (readProcessProgress(runner)?.cpuMs ?? 0) > 50, { limitMs: 10_000, what: "it to have run" });
  assert.match(lookAtProcess(runner)?.state ?? "", /R/);
  assert.equal(lookAtProcess(2 ** 22 + 1), undefined);
});
