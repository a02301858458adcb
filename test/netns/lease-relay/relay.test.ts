// Leases of real clients arrive through dnsmasq and the script client.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { afterEach, describe, test } from "node:test";
import { silentLogger } from "../../../src/base/logger.ts";
import { LeaseRelay, leaseSocketPath } from "../../../src/lease-relay/lease-relay.ts";
import { AgentLeases } from "../../../src/leases/agent-leases.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { systemTimers } from "../../../src/runtime/timers.ts";
import type { LeaseReport } from "../../../src/types/agent-messages.ts";
import { DhcpBench } from "../../helpers/dhcp-bench.ts";
import { runDhcpClient } from "../../helpers/dhcp-client.ts";
import { makePort } from "../../helpers/dhcp-network.ts";
import { skipWithoutRoot } from "../../helpers/namespaces.ts";
import { waitFor } from "../../helpers/wait-for.ts";

describe("the lease relay behind a real dnsmasq", { skip: skipWithoutRoot }, () => {
  let bench: DhcpBench;
  let leases: AgentLeases | undefined;
  const reports: LeaseReport[] = [];

  const createBench = async (leaseSeconds: number): Promise<void> => {
    reports.length = 0;
    bench = await DhcpBench.create({ hasLeaseRelay: true, options: { leaseSeconds } });
  };
  /** What an agent has where there is no bus. @param pollMs of the lease files: who finds a new one there first tells it as old */
  const startLeases = async (pollMs = 600_000): Promise<void> => {
    const parts = { stateDir: bench.stateDir, log: silentLogger, clock: systemClock, timers: systemTimers };
    leases = new AgentLeases({ ...parts, hints: undefined, messages: new LeaseRelay(parts), pollMs });
    leases.onLease((report) => reports.push(report));
    await leases.start();
  };
  const reported = async (event: string): Promise<LeaseReport> =>
    waitFor(() => reports.find((report) => report.event === event), { limitMs: 10_000, what: `a lease event ${event}` });

  afterEach(async () => {
    await leases?.close();
    leases = undefined;
    await bench.close();
  });

  test("a new lease is told once, and told as gone when its port goes", async () => {
    await createBench(600);
    await startLeases();
    const [gone, kept] = [makePort(bench.subnets, ["10.20.0.5"]), makePort(bench.subnets, ["10.20.0.6"])];
    await bench.apply([gone, kept]);
    const startedAtMs = Date.now();

    await runDhcpClient(await bench.plug(gone.macAddress), "eth0");
    const added = await reported("add");
    await runDhcpClient(await bench.plug(kept.macAddress), "eth0");
    await bench.apply([kept]);
    const removed = await reported("del");

    assert.equal(added.networkId, bench.network.id);
    assert.equal(added.ipAddress, "10.20.0.5");
    assert.equal(added.macAddress, gone.macAddress);
    assert.equal(added.hostname, "host-10-20-0-5");
    assert.ok(Math.abs((added.expiresAtMs ?? 0) - startedAtMs - 600_000) < 10_000, String(added.expiresAtMs));
    assert.equal(removed.ipAddress, "10.20.0.5");
    assert.equal(reports.filter((one) => one.ipAddress === "10.20.0.6").length, 1, "the reload repeats it, the agent does not");
  });

  test("a lease for ever has no expiry", async () => {
    await createBench(-1);
    await startLeases();
    const port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);

    await runDhcpClient(await bench.plug(port.macAddress), "eth0");

    assert.equal((await reported("add")).expiresAtMs, null);
  });

  test("clients are served while nobody listens, and the lease file tells of them later", async () => {
    await createBench(600);
    const port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);

    const answer = await runDhcpClient(await bench.plug(port.macAddress), "eth0");
    await startLeases(100);
    const known = await reported("old");

    assert.equal(answer?.ipAddress, "10.20.0.5");
    assert.equal(known.ipAddress, "10.20.0.5");
    assert.equal(known.macAddress, port.macAddress);
    assert.equal(known.networkId, bench.network.id);
  });

  test("only root can write to the socket", async () => {
    await createBench(600);
    await startLeases();

    assert.equal(statSync(leaseSocketPath(bench.stateDir)).mode & 0o777, 0o600);
  });
});
