// What a lease costs by each way: a SIGHUP with 500 leases told by the script and over the bus, a lease deleted over the bus
// and by a packet in the client's name, and the memory of the bus.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { buildRelease4, sendReleases } from "../../src/drivers/dnsmasq/release.ts";
import { busSocketPath } from "../../src/lease-bus/bus-names.ts";
import { endBusProcess, findBusProcess } from "../../src/lease-bus/bus-process.ts";
import { DBusConnection } from "../../src/lease-bus/dbus-connection.ts";
import { LeaseBus } from "../../src/lease-bus/lease-bus.ts";
import { leaseScriptPath, leaseSocketPath } from "../../src/lease-relay/lease-relay.ts";
import { processRunner } from "../../src/linux/command-runner.ts";
import { parseLeases } from "../../src/linux/dnsmasq-leases.ts";
import { readFileIfPresent } from "../../src/linux/atomic-file.ts";
import type { Port } from "../../src/model/network.ts";
import { systemTimers } from "../../src/runtime/timers.ts";
import { DhcpBench } from "../helpers/dhcp-bench.ts";
import { makeNetwork, makePort, makeSubnet } from "../helpers/dhcp-network.ts";
import { exactCpuMs, liveChildren, proportionalMb, residentMb, treeCpuMs } from "../helpers/process-figures.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { percentile, report, type Row } from "./report.ts";

const [leaseCount, reloads, deletes, clients] = [500, 5, 100, 1000];
const parts = { clock: systemClock, timers: systemTimers, log: silentLogger, runner: processRunner() };
const addressOf = (index: number): string => `10.20.${1 + (index >> 8)}.${index & 255}`;

interface Site {
  readonly bench: DhcpBench;
  readonly ports: readonly Port[];
}

async function makeSite(options: Parameters<typeof DhcpBench.create>[0]): Promise<Site> {
  const own = makeNetwork();
  const subnets = [makeSubnet(own, { cidr: "10.20.0.0/16" })];
  const bench = await DhcpBench.create({ ...options, network: own, subnets });
  return { bench, ports: Array.from({ length: leaseCount }, (_, index) => makePort(subnets, [addressOf(index)])) };
}

/** dnsmasq begins with a lease for every port, as after a restart. */
async function startWithLeases({ bench, ports }: Site): Promise<number> {
  const expires = Math.floor(Date.now() / 1000) + 3600;
  const lines = ports.map((port, index) => `${expires} ${port.macAddress} ${addressOf(index)} * *\n`);
  await mkdir(dirname(bench.file("leases")), { recursive: true });
  await writeFile(bench.file("leases"), lines.join(""), { mode: 0o666 });
  await bench.apply(ports);
  return bench.pid();
}

interface Counter {
  count: number;
  lastAt: number;
}

const note = (counter: Counter): void => {
  counter.count += 1;
  counter.lastAt = performance.now();
};

interface Reloads {
  readonly pid: number;
  readonly events: Counter;
  readonly cpuMs: () => number;
  /** Called while events are waited for. */
  readonly nudge?: () => void;
}

async function measureReloads({ pid, events, cpuMs, nudge }: Reloads): Promise<Omit<Row, "way">> {
  const quiet = async (): Promise<number> => {
    let seen = -1;
    return waitFor(
      () => {
        const isQuiet = seen === events.count;
        seen = events.count;
        return isQuiet && seen;
      },
      { limitMs: 60_000, what: "the events of the start", everyMs: 500 },
    );
  };
  await quiet();
  const [times, cpus]: [number[], number[]] = [[], []];
  for (let round = 0; round < reloads; round += 1) {
    const before = events.count;
    const cpuBefore = cpuMs();
    const startedAt = performance.now();
    process.kill(pid, "SIGHUP");
    const isComplete = (): boolean => {
      nudge?.();
      return events.count >= before + leaseCount;
    };
    await waitFor(isComplete, { limitMs: 60_000, what: "all events", everyMs: 5 });
    times.push(events.lastAt - startedAt);
    await quiet();
    cpus.push(cpuMs() - cpuBefore);
  }
  return { "last event p50 ms": percentile(times, 50), "max ms": Math.max(...times), "CPU p50 ms": percentile(cpus, 50) };
}

const ownCpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

async function measureScript(): Promise<Row> {
  const events: Counter = { count: 0, lastAt: 0 };
  const site = await makeSite({ hasLeaseRelay: true });
  const { bench } = site;
  const socketPath = leaseSocketPath(bench.stateDir);
  await mkdir(dirname(socketPath), { recursive: true });
  const server = createServer((socket) => socket.once("data", () => note(events)).on("error", () => {}));
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  try {
    const pid = await startWithLeases(site);
    const figures = await measureReloads({ pid, events, cpuMs: () => treeCpuMs(pid) });
    const helpers = liveChildren(pid).reduce((sum, child) => sum + proportionalMb(child), 0);
    return { way: `script (${leaseScriptPath.split("/").at(-1)})`, ...figures, "helper MB a network": helpers };
  } finally {
    server.close();
    await bench.close();
  }
}

async function measureBus(): Promise<readonly [Row, Row[], Row[]]> {
  const events: Counter = { count: 0, lastAt: 0 };
  const site = await makeSite({ leaseControl: (stateDir) => new LeaseBus({ ...parts, stateDir }) });
  const { bench } = site;
  const bus = new LeaseBus({ ...parts, stateDir: bench.stateDir });
  const connections: DBusConnection[] = [];
  try {
    await bus.start();
    bus.onChange(() => note(events));
    const pid = await startWithLeases(site);
    await waitFor(() => bus.reachable.has(bench.network.id), { limitMs: 5000, what: "dnsmasq on the bus" });
    const daemon = findBusProcess(bench.stateDir)?.pid ?? 0;
    const cpuMs = (): number => treeCpuMs(pid) + exactCpuMs(daemon) + ownCpuMs();
    // What does not fit into dnsmasq's socket at once waits until something else wakes it.
    const nudge = (): void => void bus.readMetrics(bench.network.id);
    const figures = await measureReloads({ pid, events, cpuMs, nudge });
    const reloadRow = { way: "bus", ...figures, "helper MB a network": 0 };
    const deleteRows = [await measureDeletes(site, bus), await measureReleases(site)];
    const memoryRows: Row[] = [{ connections: 2, "dbus-daemon MB resident": residentMb(daemon) }];
    const open = { socketPath: busSocketPath(bench.stateDir), timers: systemTimers, onSignal: () => {}, onLost: () => {} };
    for (let made = 0; made < clients; made += 1) connections.push(await DBusConnection.open(open));
    memoryRows.push({ connections: clients + 2, "dbus-daemon MB resident": residentMb(daemon) });
    return [reloadRow, deleteRows, memoryRows];
  } finally {
    for (const connection of connections) connection.close();
    bus.close();
    await endBusProcess(bench.stateDir);
    await bench.close();
    await rm(join(bench.stateDir, "dhcp"), { recursive: true, force: true });
  }
}

async function measureDeletes({ bench }: Site, bus: LeaseBus): Promise<Row> {
  const times: number[] = [];
  for (let index = 0; index < deletes; index += 1) {
    const startedAt = performance.now();
    const hadLease = await bus.deleteLease(bench.network.id, addressOf(index));
    times.push(performance.now() - startedAt);
    if (hadLease !== true) throw new Error(`no lease of ${addressOf(index)}`);
  }
  return { way: "DeleteDhcpLease", count: deletes, "p50 ms": percentile(times, 50), "p99 ms": percentile(times, 99) };
}

async function measureReleases({ bench }: Site): Promise<Row> {
  const target = {
    runner: parts.runner,
    namespace: bench.namespace,
    interfaceName: (await readFileIfPresent(bench.file("interface")))?.trim() ?? "",
  };
  const read = async () => parseLeases((await readFileIfPresent(bench.file("leases"))) ?? "");
  // Read once: dnsmasq rewrites it in place at each release.
  const leases = new Map((await read()).map((lease) => [lease.ipAddress, lease]));
  const times: number[] = [];
  for (let index = deletes; index < 2 * deletes; index += 1) {
    const lease = leases.get(addressOf(index));
    if (lease === undefined) throw new Error(`no lease of ${addressOf(index)}`);
    const startedAt = performance.now();
    await sendReleases(target, [{ destination: "10.20.0.2", bytes: buildRelease4(lease, "10.20.0.2", index) }]);
    await waitFor(async () => !(await read()).some((one) => one.ipAddress === lease.ipAddress), {
      ...{ limitMs: 5000, what: "the lease to go", everyMs: 1 },
    });
    times.push(performance.now() - startedAt);
  }
  return { way: "DHCPRELEASE by Perl", count: deletes, "p50 ms": percentile(times, 50), "p99 ms": percentile(times, 99) };
}

const script = await measureScript();
const [bus, deleted, memory] = await measureBus();
report(`lease-events: SIGHUP with ${leaseCount} leases, ${reloads} times`, [script, bus]);
report("lease-events: one lease deleted", deleted);
report("lease-events: memory of the bus", memory);
