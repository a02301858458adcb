// A thousand agents lose their server and come back together. Each asks in the agent's own way of asking again; behind them are
// no namespaces, so what is measured is the server: how long a single answer takes, how long until the last agent has its
// networks, what that costs, and whether the REST API still answers meanwhile.
import { type ChildProcess, fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../src/base/clock.ts";
import type { Bus } from "../../src/messaging/bus.ts";
import { heartbeatSubject, rpcSubject } from "../../src/messaging/subjects.ts";
import { Resync } from "../../src/runtime/resync.ts";
import { systemTimers } from "../../src/runtime/timers.ts";
import { type SyncReply, syncReplySchema } from "../../src/types/agent-messages.ts";
import { endOf } from "../helpers/children.ts";
import { startTestNats, type TestNats } from "../helpers/nats-server.ts";
import { cpuMs, residentMb } from "../helpers/process-figures.ts";
import { RestClient } from "../helpers/rest-client.ts";
import { unlimited } from "../helpers/unlimited.ts";
import { percentile, report, type Row } from "./report.ts";
import { untilReady } from "../helpers/ready-program.ts";

const agentCount = Number(process.argv[2] ?? 1000);
const networksPerAgent = 2;
const portsPerNetwork = 5;
const connections = 50;
const launcher = fileURLToPath(new URL("../../bin/netloom", import.meta.url));

interface Position {
  readonly epoch: string;
  readonly seq: number;
}

/** An agent's side of `sync`, with the pages of a snapshot and the waiting that a busy server asks for. */
class ReturningAgent {
  readonly #bus: Bus;
  readonly #host: string;
  position: Position = { epoch: "", seq: 0 };
  readonly answersMs: number[] = [];
  turnedAway = 0;
  items = 0;

  constructor(bus: Bus, host: string) {
    this.#bus = bus;
    this.#host = host;
  }

  /** Resolves when the copy is whole. */
  async comeBack(from: Position): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const resync = new Resync({
      clock: systemClock,
      timers: systemTimers,
      onFailure: () => {
        this.turnedAway += 1;
      },
      run: async () => {
        await this.#readAll(from);
        resolve();
      },
    });
    resync.requestNow("back");
    await promise;
    resync.close();
  }

  /** Without it the server would give the agent nothing. */
  beat(): void {
    this.#bus.publish(heartbeatSubject("dhcp", this.#host), {
      ...{ agent: this.#description, phase: "syncing", progress: { done: 0, total: 0 }, seen: this.position },
      load: { networks: 0, subnets: 0, ports: 0, dirty: 0, oldestDirtyMs: 0 },
    });
  }

  get #description(): object {
    return {
      ...{ agentType: "DHCP agent", binary: "bench", host: this.#host, bootId: "bench", availabilityZone: "nova" },
      ...{ startedAtMs: 1, configurations: {} },
    };
  }

  async #readAll({ epoch, seq }: Position): Promise<void> {
    const first = await this.#ask({ epoch, since: seq });
    this.items = first.items.length;
    for (let page = first; page.next !== undefined; ) {
      page = await this.#ask({ epoch, since: seq, cursor: page.next });
      this.items += page.items.length;
    }
    this.position = { epoch: first.epoch, seq: first.seq };
  }

  async #ask(from: object): Promise<SyncReply> {
    const at = performance.now();
    const request = { agent: this.#description, ...from };
    const answer = await this.#bus.request(rpcSubject("dhcp", "sync", this.#host), request, { timeoutMs: 10_000 });
    this.answersMs.push(performance.now() - at);
    return syncReplySchema.parse(answer);
  }
}

interface Site {
  readonly server: ChildProcess;
  readonly client: RestClient;
  readonly agents: readonly ReturningAgent[];
}

async function open(nats: TestNats, stateDir: string): Promise<Site> {
  const flags = ["--state-dir", stateDir, "--listen", "127.0.0.1:0", "--nats-url", nats.url, "--log-level", "silent"];
  const server = fork(launcher, ["server", ...flags, ...unlimited, "--dhcp-failover-moves-per-second", "0"], { execArgv: [] });
  const { url } = await untilReady(server);
  const buses = await Promise.all(Array.from({ length: connections }, (_, n) => nats.connectAgent("dhcp", `bench-${n}`)));
  const agents = Array.from({ length: agentCount }, (_, n) => {
    const bus = buses[n % connections];
    if (bus === undefined) throw new RangeError("no connection");
    return new ReturningAgent(bus, `bench-${n}`);
  });
  return { server, client: new RestClient(url), agents };
}

/** Answers the networks. */
async function fill(client: RestClient): Promise<readonly string[]> {
  const made: string[] = [];
  const count = agentCount * networksPerAgent;
  for (let at = 0; at < count; at += 100) {
    const networks = await client.request("POST", "/v2.0/networks", { networks: Array.from({ length: 100 }, () => ({})) });
    const ids = (networks.body as { readonly networks: readonly { readonly id: string }[] }).networks.map(({ id }) => id);
    const subnets = ids.map((network_id) => ({ network_id, ip_version: 4, cidr: "10.0.0.0/24" }));
    await client.request("POST", "/v2.0/subnets", { subnets });
    for (let n = 0; n < portsPerNetwork; n += 1) await addPorts(client, ids);
    made.push(...ids);
  }
  return made;
}

/** One on each network. */
async function addPorts(client: RestClient, networkIds: readonly string[]): Promise<void> {
  for (let at = 0; at < networkIds.length; at += 100) {
    const ports = networkIds.slice(at, at + 100).map((network_id) => ({ network_id }));
    const made = await client.request("POST", "/v2.0/ports", { ports });
    if (made.status !== 201) throw new Error(JSON.stringify(made.body));
  }
}

/** One request after the other until it is told to stop; how long each took. */
function probe(client: RestClient): () => Promise<readonly number[]> {
  const latencies: number[] = [];
  let isStopped = false;
  const running = (async () => {
    while (!isStopped) {
      const at = performance.now();
      await client.request("GET", "/v2.0/networks?limit=10");
      latencies.push(performance.now() - at);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  return async () => {
    isStopped = true;
    await running;
    return latencies;
  };
}

async function measure(
  what: string,
  { server, client, agents }: Site,
  from: (agent: ReturningAgent) => Position,
): Promise<Row> {
  const pid = server.pid ?? 0;
  for (const agent of agents) {
    agent.answersMs.length = 0;
    agent.turnedAway = 0;
  }
  const stopProbe = probe(client);
  let peakMb = residentMb(pid);
  const watch = setInterval(() => {
    peakMb = Math.max(peakMb, residentMb(pid));
  }, 50);
  const cpuBefore = cpuMs(pid).own;
  const startedAt = performance.now();
  await Promise.all(agents.map((agent) => agent.comeBack(from(agent))));
  const lastMs = performance.now() - startedAt;
  clearInterval(watch);
  const rest = await stopProbe();
  const answers = agents.flatMap((agent) => agent.answersMs);
  return {
    what,
    agents: agents.length,
    items: agents.reduce((sum, { items }) => sum + items, 0),
    answerP50Ms: percentile(answers, 50),
    answerP99Ms: percentile(answers, 99),
    lastReadyMs: lastMs,
    turnedAway: agents.reduce((sum, { turnedAway }) => sum + turnedAway, 0),
    serverCpuMs: cpuMs(pid).own - cpuBefore,
    serverPeakMb: peakMb,
    restP99Ms: percentile(rest, 99),
  };
}

const directory = await mkdtemp(join(tmpdir(), "netloom-bench-"));
const nats = await startTestNats();
const rows: Row[] = [];
let site: Site | undefined;
let beats: NodeJS.Timeout | undefined;
try {
  site = await open(nats, directory);
  rows.push(await measure("first hello, nothing to serve", site, () => ({ epoch: "", seq: 0 })));
  const { agents } = site;
  beats = setInterval(() => agents.forEach((agent) => agent.beat()), 5000);
  const networks = await fill(site.client);
  rows.push(await measure("new process: snapshot", site, () => ({ epoch: "", seq: 0 })));
  await addPorts(site.client, networks);
  rows.push(await measure("lost connection: delta", site, ({ position }) => position));
} finally {
  clearInterval(beats);
  site?.client.close();
  await endOf(site?.server, "SIGTERM");
  await nats.close();
  await rm(directory, { recursive: true, force: true });
}
report("agents-return", rows);
