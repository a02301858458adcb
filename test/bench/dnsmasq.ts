// What dnsmasq costs under the driver: start by step, adoption, and the share of its time that changes take (with fifty port events a
// second on 4,000 ports, a tenth or all of them leased) beside what a client notices of it.
import { mkdir, writeFile } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { NetloomError } from "../../src/base/errors.ts";
import type { Port } from "../../src/model/network.ts";
import { readProcessLoad } from "../../src/linux/process-load.ts";
import { processRunner, type CommandRunner } from "../../src/linux/command-runner.ts";
import { DhcpBench } from "../helpers/dhcp-bench.ts";
import { makeNetwork, makePort, makeSubnet } from "../helpers/dhcp-network.ts";
import { percentile, report, type Row } from "./report.ts";

const portCount = 4000;
const eventsPerSecond = 50;
const measuredMs = 12_000;
const starts = 30;

const addressAt = (index: number): string => `10.20.${16 + (index >> 8)}.${index & 255}`;

/** CPU of every child that the runner has waited for, and of its children: they end before it returns. */
function childCpuMs(): number {
  const { userCPUTime, systemCPUTime } = childUsage();
  return (userCPUTime + systemCPUTime) / 1000;
}

/** Node has no RUSAGE_CHILDREN; the kernel tells it in ticks, which many starts make exact enough. */
function childUsage(): { readonly userCPUTime: number; readonly systemCPUTime: number } {
  const text = process.getBuiltinModule("node:fs").readFileSync("/proc/self/stat", "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { userCPUTime: Number(fields[13]) * 10_000, systemCPUTime: Number(fields[14]) * 10_000 };
}

async function measureStart(): Promise<readonly Row[]> {
  const inner = processRunner();
  const childMs: number[] = [];
  const runner: CommandRunner = {
    run: async (argv, options) => {
      const startedAt = performance.now();
      const result = await inner.run(argv, options);
      if (argv.includes("dnsmasq")) childMs.push(performance.now() - startedAt);
      return result;
    },
  };
  const bench = await DhcpBench.create({ runner });
  try {
    const port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);
    childMs.length = 0;
    const walls: number[] = [];
    const daemons: number[] = [];
    let own = 0;
    const childBefore = childCpuMs();
    for (let round = 0; round < starts; round += 1) {
      const network = { ...bench.network, mtuBytes: 1300 + round };
      const before = process.cpuUsage();
      const startedAt = performance.now();
      if ((await bench.apply([port], network)) !== "restarted") throw new Error("not restarted");
      walls.push(performance.now() - startedAt);
      const used = process.cpuUsage(before);
      own += (used.user + used.system) / 1000;
      daemons.push(readProcessLoad(await bench.pid())?.cpuMs ?? Number.NaN);
    }
    const children = (childCpuMs() - childBefore) / starts;
    const adoption = await measureAdoption(bench, [port], { ...bench.network, mtuBytes: 1300 + starts - 1 });
    return [
      { step: "stop and start, wall", "median ms": percentile(walls, 50), "p95 ms": percentile(walls, 95) },
      {
        step: "… nsenter + dnsmasq until daemon, wall",
        "median ms": percentile(childMs, 50),
        "p95 ms": percentile(childMs, 95),
      },
      { step: "… their CPU up to there (mean)", "median ms": children, "p95 ms": "" },
      { step: "… the daemon's CPU after that", "median ms": percentile(daemons, 50), "p95 ms": percentile(daemons, 95) },
      { step: "… the agent's own CPU (mean)", "median ms": own / starts, "p95 ms": "" },
      adoption,
    ];
  } finally {
    await bench.close();
  }
}

async function measureAdoption(bench: DhcpBench, ports: readonly Port[], network: DhcpBench["network"]): Promise<Row> {
  const times: number[] = [];
  const children = bench.children.length;
  for (let round = 0; round < 200; round += 1) {
    bench.driver = bench.newDriver();
    const startedAt = performance.now();
    if ((await bench.apply(ports, network)) !== "unchanged") throw new Error("not adopted");
    times.push(performance.now() - startedAt);
  }
  const step = `adoption by a new driver, ${bench.children.length - children} children`;
  return { step, "median ms": percentile(times, 50), "p95 ms": percentile(times, 95) };
}

/** False when the server is too busy to say that old leases are gone: the agent's queue would come again. */
async function applyIfNotBusy(bench: DhcpBench, ports: readonly Port[]): Promise<boolean> {
  try {
    await bench.apply(ports);
    return true;
  } catch (thrown) {
    if (thrown instanceof NetloomError && thrown.code === "UNAVAILABLE") return false;
    throw thrown;
  }
}

async function measureDuty(leasedShare: number): Promise<Row> {
  const network = makeNetwork();
  const subnets = [makeSubnet(network, { cidr: "10.20.0.0/16" })];
  const bench = await DhcpBench.create({ network, subnets });
  try {
    let ports: readonly Port[] = Array.from({ length: portCount }, (_, index) => makePort(subnets, [addressAt(index)]));
    await mkdir(bench.file(""), { recursive: true });
    const leased = ports.slice(0, portCount * leasedShare);
    const line = (port: Port): string => `0 ${port.macAddress} ${port.fixedIps[0]?.ipAddress ?? ""} * *\n`;
    await writeFile(bench.file("leases"), leased.map(line).join(""));
    await bench.apply(ports);
    const probe = await bench.startProbe();
    const pid = await bench.pid();
    const mac = ports.at(0)?.macAddress ?? "";
    const probes: Promise<number | undefined>[] = [];
    const ask = async (): Promise<number | undefined> => {
      const sentNs = process.hrtime.bigint();
      const answer = await probe.ask(mac, { want: "offer", timeoutMs: 3000, everyMs: 3001 });
      return answer.answer === "none" ? undefined : Number(answer.atNs - sentNs) / 1e6;
    };
    const cpuBefore = readProcessLoad(pid)?.cpuMs ?? 0;
    const startedAt = performance.now();
    const waits: number[] = [];
    let [next, changes, oldest]: [number, number, number | undefined] = [0, 0, undefined];
    for (let now = 0; now < measuredMs; now = performance.now() - startedAt) {
      while (next * (1000 / eventsPerSecond) <= now) {
        // Every second event is a new port at an address that nobody had, every second one takes a port away.
        const fresh = makePort(subnets, [addressAt(portCount + next)]);
        ports = next % 2 === 0 ? [...ports, fresh] : ports.filter((_, index) => index !== ports.length >> 1);
        next += 1;
        oldest ??= now;
        probes.push(ask());
      }
      if (oldest !== undefined && bench.driver.nextApplyDelayMs(network.id) === 0) {
        changes += 1;
        if (!(await applyIfNotBusy(bench, ports))) continue;
        waits.push(performance.now() - startedAt - oldest);
        oldest = undefined;
      }
      await delay(2);
    }
    const elapsedMs = performance.now() - startedAt;
    const busyMs = (readProcessLoad(pid)?.cpuMs ?? Number.NaN) - cpuBefore;
    const answers = await Promise.all(probes);
    const times = answers.filter((one) => one !== undefined);
    return {
      ports: portCount,
      leased: leased.length,
      "events/s": Math.round(next / (elapsedMs / 1000)),
      reconciles: changes,
      "duty %, clients included": (100 * busyMs) / elapsedMs,
      "probes lost %": (100 * (answers.length - times.length)) / answers.length,
      "probe p50 ms": percentile(times, 50),
      "probe p99 ms": percentile(times, 99),
      "event to effect p50 ms": percentile(waits, 50),
      "event to effect max ms": Math.max(...waits),
    };
  } finally {
    await bench.close();
  }
}

report("dnsmasq-start", await measureStart());
report("dnsmasq-duty", [await measureDuty(0.1), await measureDuty(1)]);
