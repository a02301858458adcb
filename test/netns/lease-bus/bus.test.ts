// Leases of real clients over the private bus, with a real dnsmasq and a real dbus-daemon.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, test } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { busAddress, busNameOf, busSocketPath } from "../../../src/lease-bus/bus-names.ts";
import { ensureBusProcess, endBusProcess, findBusProcess } from "../../../src/lease-bus/bus-process.ts";
import { LeaseBus } from "../../../src/lease-bus/lease-bus.ts";
import { LeaseRelay } from "../../../src/lease-relay/lease-relay.ts";
import { AgentLeases } from "../../../src/leases/agent-leases.ts";
import { processRunner } from "../../../src/linux/command-runner.ts";
import { sendSignal } from "../../../src/linux/process-table.ts";
import { systemTimers } from "../../../src/runtime/timers.ts";
import type { LeaseReport } from "../../../src/types/agent-messages.ts";
import { DhcpBench } from "../../helpers/dhcp-bench.ts";
import { runDhcpClient } from "../../helpers/dhcp-client.ts";
import { makePort } from "../../helpers/dhcp-network.ts";
import { skipWithoutRoot } from "../../helpers/namespaces.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const parts = { clock: systemClock, timers: systemTimers, log: silentLogger, runner: processRunner() };

describe("leases over the bus", { skip: skipWithoutRoot }, () => {
  let bench: DhcpBench;
  let bus: LeaseBus;
  let leases: AgentLeases;
  let reports: LeaseReport[];

  /** The agent's part; again for an agent that was started anew. */
  const startAgentPart = async (): Promise<void> => {
    const { stateDir } = bench;
    bus = new LeaseBus({ ...parts, stateDir });
    reports = [];
    leases = new AgentLeases({ ...parts, stateDir, hints: bus, messages: new LeaseRelay({ ...parts, stateDir }) });
    leases.onLease((report) => reports.push(report));
    await leases.start();
  };
  const reported = async (event: string, ipAddress: string): Promise<LeaseReport> =>
    waitFor(() => reports.find((one) => one.event === event && one.ipAddress === ipAddress), {
      limitMs: 10_000,
      what: `a lease event ${event} of ${ipAddress}`,
    });
  const onBus = async (): Promise<unknown> =>
    waitFor(() => bus.reachable.has(bench.network.id), { limitMs: 10_000, what: "dnsmasq on the bus" });

  beforeEach(async () => {
    bench = await DhcpBench.create({
      options: { leaseSeconds: 600 },
      leaseControl: (stateDir) => new LeaseBus({ ...parts, stateDir }),
    });
    await startAgentPart();
  });
  afterEach(async () => {
    await leases.close();
    await endBusProcess(bench.stateDir);
    await bench.close();
  });

  test("a new lease is told with its expiry, and told as gone when it is deleted; counters can be read", async () => {
    const port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);
    await onBus();
    const startedAtMs = Date.now();

    await runDhcpClient(await bench.plug(port.macAddress), "eth0");
    const added = await reported("add", "10.20.0.5");
    const deleted = await bus.deleteLease(bench.network.id, "10.20.0.5");
    await reported("del", "10.20.0.5");

    assert.equal(added.networkId, bench.network.id);
    assert.equal(added.macAddress, port.macAddress);
    assert.equal(added.hostname, "host-10-20-0-5");
    assert.ok(Math.abs((added.expiresAtMs ?? 0) - startedAtMs - 600_000) < 10_000, String(added.expiresAtMs));
    assert.equal(deleted, true);
    assert.equal(await bus.deleteLease(bench.network.id, "10.20.0.5"), false, "there is none any more");
    const metrics = await bus.readMetrics(bench.network.id);
    // A client that waits for long asks again.
    assert.ok((metrics?.get("dhcp_ack") ?? 0) >= 1);
    assert.deepEqual(await bus.readTotals(), metrics);
  });

  test("the bus outlives the agent and is adopted by the next one; it holds for one state directory only", async () => {
    const port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);
    await onBus();
    const before = findBusProcess(bench.stateDir)?.pid;

    await leases.close();
    await startAgentPart();

    await onBus();
    assert.equal(findBusProcess(bench.stateDir)?.pid, before);
    assert.equal(findBusProcess(`${bench.stateDir}x`), undefined);
    assert.equal(await ensureBusProcess(parts.runner, bench.stateDir), "adopted");
  });

  test("DA-233: the bus is killed: DHCP is served, lease events go on, and no dnsmasq is started anew for it", async () => {
    const [first, second, third] = ["10.20.0.5", "10.20.0.6", "10.20.0.7"].map((ip) => makePort(bench.subnets, [ip]));
    assert.ok(first && second && third);
    await bench.apply([first, second]);
    await onBus();
    await runDhcpClient(await bench.plug(first.macAddress), "eth0");
    await reported("add", "10.20.0.5");
    const dnsmasq = await bench.pid();
    const killed = findBusProcess(bench.stateDir);
    assert.ok(killed !== undefined && sendSignal(killed, "SIGKILL"));
    await waitFor(() => !bus.reachable.has(bench.network.id), { limitMs: 10_000, what: "the loss to be noticed" });

    const answer = await runDhcpClient(await bench.plug(second.macAddress), "eth0");
    await reported("add", "10.20.0.6");
    await waitFor(() => bus.isConnected, { limitMs: 10_000, what: "a new bus" });
    const outcome = await bench.apply([first, second, third]);
    await bench.apply([second, third]);
    await reported("del", "10.20.0.5");
    const late = await runDhcpClient(await bench.plug(third.macAddress), "eth0");
    await reported("add", "10.20.0.7");

    assert.equal(answer?.ipAddress, "10.20.0.6");
    assert.equal(late?.ipAddress, "10.20.0.7");
    assert.equal(outcome, "added");
    assert.equal(await bench.pid(), dnsmasq, "the same dnsmasq");
    assert.notEqual(findBusProcess(bench.stateDir)?.pid, killed.pid);
    assert.equal(await bus.deleteLease(bench.network.id, "10.20.0.7"), undefined, "an old server never comes to a new bus");
  });

  test("a dnsmasq that is started before the bus comes to it later, as the user it has become", async () => {
    await leases.close();
    await endBusProcess(bench.stateDir);
    const port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);

    await startAgentPart();

    await onBus();
    const status = await readFile(`/proc/${await bench.pid()}/status`, "utf8");
    assert.doesNotMatch(status, /^Uid:\s0\s/m);
  });

  test("an address goes to another client over the bus, without a child and without a restart", async () => {
    const [old, next] = [makePort(bench.subnets, ["10.20.0.5"]), makePort(bench.subnets, ["10.20.0.5"])];
    bench.driver = bench.newDriver(bus);
    await bench.apply([old]);
    await onBus();
    await runDhcpClient(await bench.plug(old.macAddress), "eth0");
    await reported("add", "10.20.0.5");
    const dnsmasq = await bench.pid();
    const before = bench.children.length;

    await bench.apply([next]);

    assert.deepEqual(bench.children.slice(before), []);
    assert.equal(await bench.pid(), dnsmasq);
    const answer = await runDhcpClient(await bench.plug(next.macAddress), "eth0");
    assert.equal(answer?.ipAddress, "10.20.0.5");
    const owner = (): boolean => reports.some((one) => one.event !== "del" && one.macAddress === next.macAddress);
    await waitFor(owner, { limitMs: 10_000, what: "the new owner's lease" });
  });

  test("a renewal, of which dnsmasq sends no signal, is told with its new expiry", async () => {
    const port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);
    await onBus();
    const namespace = await bench.plug(port.macAddress);
    await runDhcpClient(namespace, "eth0");
    const first = await reported("add", "10.20.0.5");
    // A lease is written in whole seconds.
    await waitFor(() => Date.now() > first.observedAtMs + 3000, { limitMs: 10_000, what: "the clock to go on" });

    await runDhcpClient(namespace, "eth0");
    const renewed = await reported("old", "10.20.0.5");

    assert.ok((renewed.expiresAtMs ?? 0) >= (first.expiresAtMs ?? 0) + 2000, `${first.expiresAtMs} ${renewed.expiresAtMs}`);
  });

  test("only root and dnsmasq's user get in, and only root calls servers", async () => {
    const port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);
    await onBus();
    const name = busNameOf(bench.network.id);
    const send = async (user: string, destination: string, path: string, method: string) =>
      parts.runner.run([
        ...["setpriv", `--reuid=${user}`, "--clear-groups", "dbus-send"],
        ...[`--bus=${busAddress(busSocketPath(bench.stateDir))}`, "--print-reply", "--reply-timeout=10000"],
        ...[`--dest=${destination}`, path, method],
      ]);
    const list = ["org.freedesktop.DBus", "/", "org.freedesktop.DBus.ListNames"] as const;
    const metrics = [name, "/uk/org/thekelleys/dnsmasq", `${name}.GetMetrics`] as const;

    assert.equal((await send("root", ...metrics)).exitCode, 0);
    assert.equal((await send("nobody", ...list)).exitCode, 0);
    assert.match((await send("nobody", ...metrics)).stderr, /AccessDenied/);
    assert.notEqual((await send("www-data", ...list)).exitCode, 0);
  });
});
