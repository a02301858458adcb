// The server alone: what it makes and lists over HTTP, how soon agents hear of it, what heartbeats of a thousand agents cost, how
// long a large snapshot takes, and its memory after all that. On SQLite, and on PostgreSQL where it is installed. Agents are only
// their end of the wire; clients, PostgreSQL and NATS share the machine.
import { type ChildProcess, fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { nodeFlagsOf } from "../../src/up/node-flags.ts";
import { syncReplySchema } from "../../src/types/agent-messages.ts";
import { endOf } from "../helpers/children.ts";
import { startTestNats, type TestNats } from "../helpers/nats-server.ts";
import { startPostgres, whyNoPostgres } from "../helpers/postgres.ts";
import { cpuMs, residentMb } from "../helpers/process-figures.ts";
import { RawAgent } from "../helpers/raw-agent.ts";
import { RestClient } from "../helpers/rest-client.ts";
import { unlimited } from "../helpers/unlimited.ts";
import { percentile, report, type Row } from "./report.ts";
import { untilReady } from "../helpers/ready-program.ts";

const launcher = fileURLToPath(new URL("../../bin/netloom", import.meta.url));
const hosts = 1000;
const beatEveryMs = 5000;
const beatingMs = 20_000;

interface Site {
  readonly engine: string;
  readonly nats: TestNats;
  readonly server: ChildProcess;
  readonly client: RestClient;
  /** Has every network until the snapshot: the usual case, and what the server tells of each port is made. */
  readonly agent: RawAgent;
  readonly rows: Row[];
}

async function startServer(nats: TestNats, stateDir: string, db: string): Promise<{ child: ChildProcess; url: string }> {
  const flags = ["--state-dir", stateDir, "--listen", "127.0.0.1:0", "--nats-url", nats.url, "--db", db];
  // The agents of this benchmark are there at times only; nothing is to be moved away from them.
  const patience = ["--dhcp-agent-down-ms", "3600000", "--dhcp-failover-after-ms", "7200000"];
  const child = fork(launcher, ["server", ...flags, ...patience, ...unlimited, "--log-level", "warn"], {
    execArgv: [...nodeFlagsOf("server")],
  });
  const { url } = await untilReady(child);
  return { child, url };
}

const add = (site: Site, what: string, figures: Readonly<Record<string, number>>, aim: string): void => {
  const { p50 = Number.NaN, p99 = Number.NaN, value = Number.NaN } = figures;
  site.rows.push({ engine: site.engine, what, value, p50, p99, aim });
};

async function network({ client }: Site, name: string, prefix = "10.0.0.0/16"): Promise<string> {
  const { id } = await client.create("network", { name });
  await client.create("subnet", { network_id: id, ip_version: 4, cidr: prefix });
  return id;
}

async function bulk({ client }: Site, networkId: string, count: number): Promise<void> {
  const ports = Array.from({ length: count }, () => ({ network_id: networkId }));
  const answer = await client.request("POST", "/v2.0/ports", { ports });
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
}

/** @returns milliseconds of each run */
async function timed(count: number, clients: number, work: () => Promise<unknown>): Promise<readonly number[]> {
  const taken: number[] = [];
  let left = count;
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      const at = performance.now();
      await work();
      taken.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: clients }, one));
  return taken;
}

async function creates(site: Site): Promise<void> {
  const { client } = site;
  const warm = await network(site, "warm");
  await timed(1000, 8, () => client.create("port", { network_id: warm }));
  const single = await network(site, "single");
  const at = performance.now();
  const taken = await timed(1500, 8, () => client.create("port", { network_id: single }));
  const perSecond = (taken.length / (performance.now() - at)) * 1000;
  const aim = site.engine === "sqlite" ? "≥ 400" : "≥ 250";
  add(
    site,
    "ports created, single, 8 clients: per second; ms",
    { value: perSecond, p99: percentile(taken, 99) },
    `${aim}; p99 ≤ 60`,
  );
  const target = await network(site, "bulk");
  const bulkAt = performance.now();
  await timed(20, 1, () => bulk(site, target, 100));
  add(site, "ports created, bulk of 100: per second", { value: 2_000_000 / (performance.now() - bulkAt) }, "≥ 1000 (SQLite)");
}

async function lists(site: Site): Promise<void> {
  const { client } = site;
  for (const [count, aim] of [
    [1000, "≤ 60"],
    [5000, "≤ 250"],
  ] as const) {
    const id = await network(site, `list-${count}`);
    for (let made = 0; made < count; made += 500) await bulk(site, id, 500);
    const taken = await timed(15, 1, async () => {
      const listed = await client.list("port", `?network_id=${id}`);
      if (listed.length !== count) throw new Error(`${listed.length} ports instead of ${count}`);
    });
    add(site, `list ${count} ports: ms`, { p50: percentile(taken, 50), p99: percentile(taken, 99) }, aim);
  }
}

/** From the answer of the API, which the commit comes before, until the agent has the event; 0 when that came first. */
async function events(site: Site): Promise<void> {
  const { agent } = site;
  agent.messages.length = 0;
  const id = await network(site, "events");
  const waits: number[] = [];
  for (let n = 0; n < 500; n++) {
    const { id: portId } = await site.client.create("port", { network_id: id });
    const answeredAt = performance.now();
    while (!agent.messages.some(({ items }) => items.some((item) => item.id === portId))) {
      if (performance.now() - answeredAt > 5000) throw new Error(`no event of port ${portId}`);
      await delay(0);
    }
    waits.push(Math.max(0, performance.now() - answeredAt));
    agent.messages.length = 0;
  }
  add(site, "answer → event at the agent: ms", { p50: percentile(waits, 50), p99: percentile(waits, 99) }, "p50 ≤ 4, p99 ≤ 25");
}

async function snapshot(site: Site): Promise<void> {
  const bus = await site.nats.connectServer();
  const agent = new RawAgent(bus, "snapshot-host");
  await agent.sync();
  // Only this agent takes networks now: the other one is switched off.
  const [other] = await site.client.list("agent", "?host=event-host");
  await site.client.request("PUT", `/v2.0/agents/${other?.["id"]}`, { agent: { admin_state_up: false } });
  for (let n = 0; n < 200; n++) await bulk(site, await network(site, `snap-${n}`, "10.1.0.0/24"), 50);
  const taken: number[] = [];
  let largest = 0;
  for (let run = 0; run < 5; run++) {
    let items = 0;
    let takenMs = 0;
    let from: Parameters<RawAgent["sync"]>[0] | undefined = { epoch: "", since: 0 };
    while (from !== undefined) {
      // The answer as it comes: what an agent makes of it is the agent's time.
      const at = performance.now();
      const answer = await agent.call("sync", { agent: agent.description, ...from });
      takenMs += performance.now() - at;
      largest = Math.max(largest, Buffer.byteLength(JSON.stringify(answer)));
      const { epoch, items: page, next } = syncReplySchema.parse(answer);
      items += page.length;
      from = next === undefined ? undefined : { epoch, since: 0, cursor: next };
    }
    taken.push(takenMs);
    if (items < 200) throw new Error(`a snapshot of ${items} items`);
  }
  add(site, "snapshot, 200 networks × 50 ports: ms", { p50: percentile(taken, 50), p99: percentile(taken, 99) }, "≤ 300");
  add(site, "its largest message: KiB", { value: largest / 1024 }, "< 1024");
}

async function heartbeats(site: Site): Promise<void> {
  const bus = await site.nats.connectServer();
  const agents = Array.from({ length: hosts }, (_, index) => new RawAgent(bus, `beat-${index}`));
  const seen = { epoch: "", seq: 0 };
  const beatAll = async (forMs: number): Promise<void> => {
    const endsAt = performance.now() + forMs;
    for (let at = 0; performance.now() < endsAt; at = (at + 10) % hosts) {
      for (const agent of agents.slice(at, at + 10)) agent.beat(seen, "ready", Date.now());
      await delay((beatEveryMs / hosts) * 10);
    }
  };
  // The first round registers them.
  await beatAll(2 * beatEveryMs);
  const pid = site.server.pid ?? 0;
  const [cpuBefore, at] = [cpuMs(pid).own, performance.now()];
  await beatAll(beatingMs);
  const share = ((cpuMs(pid).own - cpuBefore) / (performance.now() - at)) * 100;
  add(site, `${hosts} agents, a heartbeat each ${beatEveryMs / 1000} s: % of a core`, { value: share }, "≤ 10");
}

async function measure(engine: string, db: string, stateDir: string, rows: Row[]): Promise<void> {
  const nats = await startTestNats();
  const { child, url } = await startServer(nats, stateDir, db);
  const agent = new RawAgent(await nats.connectServer(), "event-host");
  await agent.sync();
  const site: Site = { engine, nats, server: child, client: new RestClient(url, 16), agent, rows };
  try {
    await creates(site);
    await lists(site);
    await events(site);
    await snapshot(site);
    await heartbeats(site);
    add(site, "resident memory after all that: MiB", { value: residentMb(child.pid ?? 0) }, "≤ 250");
  } finally {
    site.client.close();
    await endOf(child, "SIGTERM");
    await nats.close();
  }
}

const stateDir = await mkdtemp(join(tmpdir(), "netloom-bench-server-"));
const rows: Row[] = [];
try {
  await measure("sqlite", `sqlite:${join(stateDir, "netloom.db")}`, stateDir, rows);
  if (whyNoPostgres() === undefined) {
    const postgres = await startPostgres(true);
    try {
      await measure("postgres", await postgres.createDatabase(), stateDir, rows);
    } finally {
      await postgres.close();
    }
  }
} finally {
  await rm(stateDir, { recursive: true, force: true });
}
report("server", rows);
