import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { afterEach, describe, test } from "node:test";
import { ServerStopper } from "../../../../src/drivers/dnsmasq/server-stopper.ts";
import { isAlive, type ProcessIdentity, readProcess } from "../../../../src/linux/process-table.ts";
import { endOf, firstOutput } from "../../../helpers/children.ts";
import { waitFor } from "../../../helpers/wait-for.ts";

describe("the end of a server", () => {
  const children: ChildProcess[] = [];

  afterEach(() => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
  });

  /** Runs until it is told to end; how it takes that is up to the script. */
  async function start(script: string): Promise<{ readonly server: ProcessIdentity; readonly child: ChildProcess }> {
    const child = spawn(process.execPath, ["-e", `${script}; setInterval(() => {}, 1000); console.log("up")`], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    children.push(child);
    await firstOutput(child, /up/);
    const server = await waitFor(() => readProcess(child.pid ?? 0), { limitMs: 10_000, what: "the process" });
    return { server, child };
  }
  const signalOf = (child: ChildProcess): Promise<NodeJS.Signals | null> => endOf(child).then(() => child.signalCode);

  test("DA-104: comes by SIGTERM where that is obeyed", async () => {
    const { server, child } = await start("");

    await new ServerStopper({ sliceMs: 2000, graceMs: 5000 }).stop([server]);

    assert.equal(isAlive(server), false);
    assert.equal(await signalOf(child), "SIGTERM");
  });

  test("DA-104: comes by SIGKILL when the time to obey is over", async () => {
    const { server, child } = await start("process.on('SIGTERM', () => {})");

    await new ServerStopper({ sliceMs: 2000, graceMs: 100 }).stop([server]);

    assert.equal(await signalOf(child), "SIGKILL");
  });

  test("DA-100: holds nobody up: what is not over in one slice goes on at the next attempt", async () => {
    const { server, child } = await start("process.on('SIGTERM', () => {})");
    const stopper = new ServerStopper({ sliceMs: 30, graceMs: 900 });

    await assert.rejects(stopper.stop([server]), { code: "UNAVAILABLE" });
    assert.equal(isAlive(server), true);
    await waitFor(async () => stopper.stop([server]).then(() => true), { limitMs: 10_000, what: "the end" });

    assert.equal(await signalOf(child), "SIGKILL");
  });

  test("DA-111: of one that is gone already is success, and a later holder of its pid is left alone", async () => {
    const { server } = await start("");
    const earlier = { pid: server.pid, startTime: server.startTime - 1 };

    await new ServerStopper().stop([earlier, { pid: 2 ** 22 - 1, startTime: 1 }]);

    assert.equal(isAlive(server), true);
  });
});
