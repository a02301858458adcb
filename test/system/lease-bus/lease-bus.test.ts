// The agent's side of the bus where there is none, or something that is none.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type LogFields, type Logger, silentLogger } from "../../../src/base/logger.ts";
import { NetloomError } from "../../../src/base/errors.ts";
import { busSocketPath } from "../../../src/lease-bus/bus-names.ts";
import { LeaseBus } from "../../../src/lease-bus/lease-bus.ts";
import type { CommandRunner } from "../../../src/linux/command-runner.ts";
import { networkId } from "../../../src/model/ids.ts";
import { systemTimers, type Timers } from "../../../src/runtime/timers.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const network = networkId("0b7e4a4c-9f0e-4c53-8a9e-0d7d5f1c2a11");

describe("LeaseBus", () => {
  let stateDir: string;
  let bus: LeaseBus;
  let warnings: LogFields[];
  let started: (readonly string[])[];
  let server: Server | undefined;

  const make = (timers: Timers = systemTimers): LeaseBus => {
    const log: Logger = { ...silentLogger, warn: (fields) => warnings.push(fields) };
    const runner: CommandRunner = {
      run: async (argv) => {
        started.push(argv);
        throw new NetloomError("UNAVAILABLE", "dbus-daemon is not installed");
      },
    };
    return new LeaseBus({ stateDir, runner, timers, log, random: () => 0 });
  };

  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), "netloom-lbus-"));
    [warnings, started, server] = [[], [], undefined];
    bus = make();
  });
  afterEach(async () => {
    bus.close();
    await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
    await rm(stateDir, { recursive: true });
  });

  test("without a bus it starts all the same, says so once, goes on trying, and reaches nobody", async () => {
    await bus.start();
    await waitFor(() => started.length >= 3, { limitMs: 10_000, what: "further tries" });

    assert.equal(bus.isConnected, false);
    assert.equal(warnings.length, 1);
    assert.match(String(warnings[0]?.["reason"]), /not installed/);
    assert.equal(started[0]?.[0], "dbus-daemon");
    assert.equal(await bus.deleteLease(network, "10.0.0.5"), undefined);
    assert.equal(await bus.readMetrics(network), undefined);
    assert.deepEqual(await bus.readTotals(), new Map());
  });

  test("what dnsmasq is told is the same with a bus and without, today and after the next start", async () => {
    const before = bus.access(network);
    await bus.start();

    assert.deepEqual(bus.access(network), before);
    assert.deepEqual(make().access(network), before);
  });

  test("something on the socket that speaks no D-Bus is not taken for a bus, and no other is started beside it", async () => {
    await mkdir(join(stateDir, "dhcp"));
    let connections = 0;
    server = createServer((socket) => {
      connections += 1;
      socket.on("error", () => {});
      socket.resume();
      socket.end("220 welcome\r\n".repeat(100));
    });
    await new Promise<void>((resolve) => server?.listen(busSocketPath(stateDir), resolve));

    await bus.start();
    await waitFor(() => connections >= 4, { limitMs: 10_000, what: "further tries" });

    assert.equal(bus.isConnected, false);
    assert.deepEqual(started, []);
    assert.equal(warnings.length, 1);
  });

  test("after its end nothing is tried any more", async () => {
    const clock = new FakeClock();
    bus = make(clock);
    await bus.start();
    assert.equal(clock.pendingTimers, 1);

    bus.close();

    assert.equal(clock.pendingTimers, 0);
  });
});
