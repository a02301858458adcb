// Floating IPs: from the message to the kernel's acknowledgement with few and with many of them, a thousand in one message, the
// ancestor's steps for the same, and from the API's answer to the first ping through a floating IP that was associated.
import { mkdir, writeFile } from "node:fs/promises";
import { systemClock } from "../../src/base/clock.ts";
import { createLogger } from "../../src/base/logger.ts";
import type { AddressChanges, ApplyOutcome, FloatingIpDriver } from "../../src/drivers/floating-ip-driver.ts";
import { readyDirectory, readyFile, type RouterReady } from "../../src/drivers/l3-layout.ts";
import { NftFloatingIpDriver } from "../../src/drivers/nft-floating-ip/nft-floating-ip-driver.ts";
import { startFloatingIpAgent } from "../../src/floating-ip-agent/agent-program.ts";
import { NamespaceWorker } from "../../src/linux/namespace-worker.ts";
import { NftShellPool } from "../../src/linux/nft-shell-pool.ts";
import { systemTimers } from "../../src/runtime/timers.ts";
import type { FloatingIpItem } from "../../src/types/l3-messages.ts";
import { AncestorFloatingIps } from "../helpers/ancestor-floating-ips.ts";
import { FakeFloatingIpServer } from "../helpers/fake-floating-ip-server.ts";
import { FirstPingProbe } from "../helpers/first-ping.ts";
import { createFloatingIpRig, type FloatingIpRig } from "../helpers/floating-ip-rig.ts";
import { floatingIpItem, goneItem } from "../helpers/floating-ip-items.ts";
import { FloatingSite } from "../helpers/floating-site.ts";
import { createTestDirectory, sh } from "../helpers/namespaces.ts";
import { startTestNats } from "../helpers/nats-server.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { percentile, report, type Row } from "./report.ts";

const sizes = [10, 10_000];
const rounds = 500;
const bulk = 1000;
const bulkRounds = 5;
const ancestorRounds = 20;
const associations = 100;
const host = "host-bench";
/** A change that had to be repeated is seen in the figures; why, is told here. */
const log = createLogger("warn", { agent: "bench" });

const tail = (n: number): string => `${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
const addressOf = (n: number) => ({ floating: `100.${tail(n)}`, fixed: `10.${tail(n)}` });

/** Tells when the kernel has acknowledged a change. */
class WatchedDriver implements FloatingIpDriver {
  readonly #inner: FloatingIpDriver;
  #waiting: ((atMs: number) => void) | undefined;

  constructor(inner: FloatingIpDriver) {
    this.#inner = inner;
  }

  nextApplied(): Promise<number> {
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  async apply(place: RouterReady, changes: AddressChanges): Promise<ApplyOutcome> {
    const outcome = await this.#inner.apply(place, changes);
    if (outcome.failed.size > 0) throw new Error([...outcome.failed.values()][0]);
    this.#waiting?.(performance.now());
    return outcome;
  }

  verify = (place: RouterReady): Promise<ApplyOutcome> => this.#inner.verify(place);
  announce = (place: RouterReady, addresses: readonly string[]): Promise<void> => this.#inner.announce(place, addresses);
  forget = (router: RouterReady["routerId"]): void => this.#inner.forget(router);
}

interface Changes {
  readonly change: (items: readonly FloatingIpItem[]) => Promise<number>;
  readonly item: (n: number, revision: number, fixed?: string) => FloatingIpItem;
}

/** The agent in this process, a real nats-server between it and a server that already has `count` floating IPs. */
async function withAgent(count: number, work: (changes: Changes) => Promise<void>): Promise<void> {
  const rig = await createFloatingIpRig(0);
  const directory = await createTestDirectory();
  const nats = await startTestNats([{ role: "fip", host }]);
  const stops: (() => Promise<void> | void)[] = [];
  const [nft, worker] = [new NftShellPool(), new NamespaceWorker(undefined, { idleMs: 600_000 })];
  try {
    const { place } = rig;
    await mkdir(readyDirectory(directory.path), { recursive: true });
    await writeFile(readyFile(directory.path, place.routerId), JSON.stringify(place));
    const item = (n: number, revision: number, fixed = addressOf(n).fixed): FloatingIpItem =>
      floatingIpItem(n, revision, { routerId: place.routerId, floatingIp: addressOf(n).floating, fixedIp: fixed });
    const server = new FakeFloatingIpServer({ bus: await nats.connectServer(), host, pageSize: 1000 });
    server.commit(
      Array.from({ length: count }, (_, n) => item(n, 1)),
      { isLost: true },
    );
    const driver = new WatchedDriver(new NftFloatingIpDriver({ nft, worker, log }));
    const settings = { host, stateDir: directory.path, availabilityZone: "nova", reportIntervalMs: 5000, concurrency: 4 };
    const { ready } = await startFloatingIpAgent({
      settings: { ...settings, resyncIntervalMs: 60_000, resyncThrottleMs: 250 },
      ...{ bus: await nats.connectAgent("fip", host), driver, log },
      ...{ clock: systemClock, timers: systemTimers, stop: { onStop: (_, close) => void stops.unshift(close) } },
    });
    await ready;
    // Reading that many statuses is this process's work, too, but not the agent's. Its announcements go on.
    const told = (): number => server.reports.reduce((sum, reports) => sum + reports.length, 0);
    await waitFor(() => told() >= count, { limitMs: 60_000, what: `statuses of ${count} floating IPs` });
    const change = async (items: readonly FloatingIpItem[]): Promise<number> => {
      const applied = driver.nextApplied();
      const startedAt = performance.now();
      server.commit(items);
      return (await applied) - startedAt;
    };
    await work({ change, item });
  } finally {
    for (const stop of stops) await stop();
    await nft.close();
    await worker.close();
    await nats.close();
    await rig.close();
    await directory.remove();
  }
}

const figures = (times: readonly number[]) => ({
  "p50 ms": percentile(times, 50),
  "p99 ms": percentile(times, 99),
  "max ms": Math.max(...times),
});

async function measureChanges(count: number): Promise<Row[]> {
  const times = { add: [] as number[], "re-map": [] as number[], remove: [] as number[] };
  const bulks = { [`add ${bulk} in one message`]: [] as number[], [`remove ${bulk} in one message`]: [] as number[] };
  await withAgent(count, async ({ change, item }) => {
    for (let round = 0; round < rounds; round += 1) {
      const n = count + round;
      times.add.push(await change([item(n, 1)]));
      times["re-map"].push(await change([item(n, 2, `10.200.${round >> 8}.${round & 255}`)]));
      times.remove.push(await change([goneItem(item(n, 2), 3)]));
    }
    for (let round = 0; round < bulkRounds; round += 1) {
      const some = Array.from({ length: bulk }, (_, index) => item(count + rounds + round * bulk + index, 1));
      bulks[`add ${bulk} in one message`]?.push(await change(some));
      bulks[`remove ${bulk} in one message`]?.push(await change(some.map((one) => goneItem(one, 2))));
    }
  });
  return Object.entries({ ...times, ...bulks }).map(([what, values]) => ({
    what: `message → kernel acknowledged: ${what}`,
    ...{ "floating IPs there": count, times: values.length, ...figures(values) },
  }));
}

async function measureAncestor(backend: "nft" | "legacy", count: number): Promise<Row[]> {
  const rig: FloatingIpRig = await createFloatingIpRig(0);
  try {
    await sh("ip", "netns", "exec", rig.router, "nft", "flush", "ruleset");
    const device = rig.place.gatewayDevice ?? "";
    const ancestor = new AncestorFloatingIps({ backend, namespace: rig.router, device, addressOf });
    await ancestor.load(count);
    const times = { add: [] as number[], remove: [] as number[] };
    for (let round = 0; round < ancestorRounds; round += 1) {
      for (const step of ["add", "remove"] as const) {
        const startedAt = performance.now();
        await ancestor[step](count + round);
        times[step].push(performance.now() - startedAt);
      }
    }
    return Object.entries(times).map(([what, values]) => ({
      what: `ancestor's steps, iptables-${backend}: ${what}`,
      ...{ "floating IPs there": count, times: values.length, ...figures(values) },
    }));
  } finally {
    await rig.close();
  }
}

/** Everything as `netloom up` runs it; one instance has the addresses of many ports. */
async function measureFirstPings(): Promise<Row[]> {
  const site = await FloatingSite.create(["--log-level", "warn"]);
  try {
    const network = await site.network("10.1.0.0/24");
    await site.router(network);
    const instance = await site.instance("bench", network);
    const probe = await FirstPingProbe.start(site.outside.namespace);
    const times: number[] = [];
    let fromRouter = 0;
    try {
      for (let round = 0; round < associations; round += 1) {
        const port = await site.client.create("port", { network_id: network.id });
        const [fixed] = port["fixed_ips"] as readonly { readonly ip_address: string }[];
        await sh("ip", "-n", instance.namespace, "addr", "add", `${fixed?.ip_address}/24`, "dev", "eth0");
        const floating = await site.floatingIp();
        await site.client.update("floatingip", floating.id, { port_id: port.id });
        const answeredAtMs = Number(process.hrtime.bigint()) / 1e6;
        const first = await probe.wait(floating.address);
        times.push(first.atMs - answeredAtMs);
        fromRouter += first.fromRouter;
      }
    } finally {
      await probe.close();
    }
    if (fromRouter > 0) process.stderr.write(`${fromRouter} pings were answered by the router in the instance's place\n`);
    const row = { "floating IPs there": "1 to 100", times: times.length, ...figures(times) };
    return [{ what: "API's answer to associate → first ping", ...row }];
  } finally {
    await site.destroy();
  }
}

const ours: Row[] = [];
for (const size of sizes) ours.push(...(await measureChanges(size)));
const theirs: Row[] = [];
for (const backend of ["nft", "legacy"] as const) {
  for (const size of [10, 1000]) theirs.push(...(await measureAncestor(backend, size)));
}
const addMs = Number(ours.find((row) => String(row["what"]).endsWith(": add"))?.["p50 ms"]);
const removeMs = Number(ours.find((row) => String(row["what"]).endsWith(": remove"))?.["p50 ms"]);
const isAdd = (row: Row): boolean => String(row["what"]).endsWith(": add");
const compared = theirs.map((row) => ({ ...row, "times ours": Number(row["p50 ms"]) / (isAdd(row) ? addMs : removeMs) }));
report("floating-ip", [...ours.map((row) => ({ ...row, "times ours": 1 })), ...compared, ...(await measureFirstPings())]);
