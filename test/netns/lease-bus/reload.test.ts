// A reload makes dnsmasq repeat every lease; whatever the way, the agent tells none of them again.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { describe, test } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { endBusProcess } from "../../../src/lease-bus/bus-process.ts";
import { LeaseBus } from "../../../src/lease-bus/lease-bus.ts";
import { chooseLeaseWays } from "../../../src/leases/lease-ways.ts";
import { processRunner } from "../../../src/linux/command-runner.ts";
import { systemTimers } from "../../../src/runtime/timers.ts";
import type { LeaseReport } from "../../../src/types/agent-messages.ts";
import { kill } from "../../helpers/children.ts";
import { DhcpBench } from "../../helpers/dhcp-bench.ts";
import { runDhcpClient } from "../../helpers/dhcp-client.ts";
import { makeNetwork, makePort, makeSubnet } from "../../helpers/dhcp-network.ts";
import { skipWithoutRoot } from "../../helpers/namespaces.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const count = 500;
const addressOf = (index: number): string => `10.20.${1 + (index >> 8)}.${index & 255}`;
const parts = { clock: systemClock, timers: systemTimers, log: silentLogger, runner: processRunner() };

describe("a reload with 500 leases", { skip: skipWithoutRoot }, () => {
  for (const mode of ["bus", "script"] as const) {
    test(`DA-209: by ${mode}: every lease is told once, and a SIGHUP tells none again`, async (t) => {
      const network = makeNetwork();
      const subnets = [makeSubnet(network, { cidr: "10.20.0.0/16" })];
      const reports: LeaseReport[] = [];
      const bench = await DhcpBench.create({
        ...{ network, subnets, hasLeaseRelay: mode === "script" },
        ...(mode === "bus" ? { leaseControl: (stateDir) => new LeaseBus({ ...parts, stateDir }) } : {}),
      });
      const chosen = { ...parts, mode, hasDbus: true, searchPath: process.env["PATH"] ?? "" };
      const { source } = await chooseLeaseWays({ ...chosen, stateDir: bench.stateDir });
      t.after(async () => {
        await source.close();
        await endBusProcess(bench.stateDir);
        await bench.close();
      });
      source.onLease((report) => reports.push(report));
      await source.start();
      const ports = Array.from({ length: count + 1 }, (_, index) => makePort(subnets, [addressOf(index)]));
      const expires = Math.floor(Date.now() / 1000) + 3600;
      const lines = ports.slice(0, count).map((port, index) => `${expires} ${port.macAddress} ${addressOf(index)} * *\n`);
      await mkdir(dirname(bench.file("leases")), { recursive: true });
      await writeFile(bench.file("leases"), lines.join(""), { mode: 0o666 });
      await bench.apply(ports);
      await waitFor(() => reports.length >= count, { limitMs: 60_000, what: "every lease" });

      kill(await bench.pid(), "SIGHUP");
      const last = ports[count] ?? assert.fail("no port");
      await runDhcpClient(await bench.plug(last.macAddress), "eth0");
      await waitFor(() => reports.some((one) => one.ipAddress === addressOf(count)), {
        limitMs: 60_000,
        what: "the new lease",
      });

      const repeated = reports.filter((one, at) => reports.findIndex((other) => other.ipAddress === one.ipAddress) !== at);
      assert.deepEqual(repeated, []);
      assert.equal(reports.length, count + 1);
    });
  }
});
