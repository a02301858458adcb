// A nats-server, a server and a DHCP agent as three processes, so that a benchmark can fill the server first and start, kill and
// measure the agent alone. Everything carries a random prefix and is removed by `destroy`.
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { silentLogger } from "../../src/base/logger.ts";
import { DeviceManager } from "../../src/device-manager/device-manager.ts";
import { DnsmasqDriver } from "../../src/drivers/dnsmasq/dnsmasq-driver.ts";
import { endBusProcess } from "../../src/lease-bus/bus-process.ts";
import { processRunner } from "../../src/linux/command-runner.ts";
import { agentNodeFlags } from "../../src/up/node-flags.ts";
import { endOf } from "./children.ts";
import { startTestNats, type TestNats } from "./nats-server.ts";
import { RestClient } from "./rest-client.ts";
import { unlimited } from "./unlimited.ts";
import { waitFor } from "./wait-for.ts";

const startLimitMs = 300_000;
const launcher = fileURLToPath(new URL("../../bin/netloom", import.meta.url));

export interface StartedAgent {
  readonly pid: number;
  /** From the start of the process until every network of its first sync had its turn. */
  readonly readyMs: number;
  /** performance.now() of this process when the agent was started. */
  readonly startedAt: number;
}

export class BenchSite {
  readonly prefix: string;
  readonly host: string;
  readonly stateDir: string;
  readonly url: string;
  readonly nats: TestNats;
  readonly client: RestClient;
  readonly #server: ChildProcess;
  #agent: ChildProcess | undefined;

  private constructor(parts: {
    readonly stateDir: string;
    readonly nats: TestNats;
    readonly server: ChildProcess;
    readonly url: string;
    readonly names: { readonly prefix: string; readonly host: string };
  }) {
    this.stateDir = parts.stateDir;
    this.nats = parts.nats;
    this.#server = parts.server;
    this.url = parts.url;
    this.client = new RestClient(parts.url, 16);
    this.prefix = parts.names.prefix;
    this.host = parts.names.host;
  }

  static async create(): Promise<BenchSite> {
    const prefix = `t${randomBytes(2).toString("hex")}-`;
    const host = `host-${prefix}b`;
    const stateDir = await mkdtemp(path.join(tmpdir(), "netloom-bench-"));
    await chmod(stateDir, 0o755);
    // `netloom port plug` reads it.
    await writeFile(path.join(stateDir, ".netloom"), JSON.stringify({ version: 1, host, namespacePrefix: prefix }));
    const nats = await startTestNats([{ role: "dhcp", host }]);
    const seed = nats.credentials.get("server")?.seedFile ?? "";
    const flags = ["--state-dir", stateDir, "--listen", "127.0.0.1:0", "--nats-url", nats.url, "--nats-nkey-seed-file", seed];
    // Its agent is killed and started at will; that must not make the server take its networks away.
    const patience = ["--dhcp-agent-down-ms", "3600000", "--dhcp-failover-after-ms", "7200000"];
    const server = fork(launcher, ["server", ...flags, ...unlimited, ...patience, "--log-level", "silent"], { execArgv: [] });
    const { url } = await message<{ url: string }>(server, "ready");
    return new BenchSite({ stateDir, nats, server, url, names: { prefix, host } });
  }

  get serverPid(): number {
    return this.#server.pid ?? 0;
  }

  get agentPid(): number {
    return this.#agent?.pid ?? 0;
  }

  get agentArguments(): readonly string[] {
    const seed = this.nats.credentials.get(`dhcp-${this.host}`)?.seedFile ?? "";
    const flags = ["--state-dir", this.stateDir, "--host", this.host, `--namespace-prefix=${this.prefix}`];
    return ["dhcp-agent", ...flags, "--nats-url", this.nats.url, "--nats-nkey-seed-file", seed, "--log-level", "warn"];
  }

  /** As `netloom up` starts it; resolves when it is ready. NETLOOM_BENCH_NODE_FLAGS goes to the agent's node, for a profile. */
  async startAgent(extra: readonly string[] = []): Promise<StartedAgent> {
    const more = (process.env["NETLOOM_BENCH_NODE_FLAGS"] ?? "").split(" ").filter((flag) => flag !== "");
    const execArgv = [...agentNodeFlags, ...more];
    const startedAt = performance.now();
    const agent = fork(launcher, [...this.agentArguments, ...extra], { execArgv });
    this.#agent = agent;
    await Promise.race([message(agent, "ready"), tooLate()]);
    return { pid: agent.pid ?? 0, readyMs: performance.now() - startedAt, startedAt };
  }

  async stopAgent(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    await endOf(this.#agent, signal);
    this.#agent = undefined;
  }

  /**
   * `count` networks with one subnet each and `ports` ports, given to this host, whose agent was there for a moment and has
   * nothing of them: as after a boot. Answers their ids.
   */
  async fill(count: number, ports: number): Promise<readonly string[]> {
    await this.startAgent();
    await this.stopAgent("SIGKILL");
    const ids: string[] = [];
    for (let at = 0; at < count; at += 8) {
      const some = Array.from({ length: Math.min(8, count - at) }, (_, index) => this.#network(at + index, ports));
      ids.push(...(await Promise.all(some)));
    }
    return ids;
  }

  async #network(index: number, ports: number): Promise<string> {
    const network = await this.client.create("network", { name: `n${index}` });
    const cidr = `10.${(index >> 8) & 255}.${index & 255}.0/24`;
    await this.client.create("subnet", { network_id: network.id, ip_version: 4, cidr });
    await this.addPorts(network.id, ports);
    return network.id;
  }

  async addPorts(network: string, count: number): Promise<void> {
    for (let made = 0; made < count; made += 100) {
      const bodies = Array.from({ length: Math.min(100, count - made) }, () => ({ network_id: network }));
      const answer = await this.client.request("POST", "/v2.0/ports", { ports: bodies });
      if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
    }
  }

  /** The agent's own page: `metrics`, `status`, `readyz`. */
  async agentPage(page: string): Promise<string> {
    const socketPath = path.join(this.stateDir, "run", "dhcp-agent.sock");
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const request = http.get({ socketPath, path: `/${page}` }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve(text));
    });
    request.on("error", reject);
    return promise;
  }

  /** One figure of the agent, summed over its labels; NaN when there is none of that name. */
  async agentFigure(name: string): Promise<number> {
    const lines = (await this.agentPage("metrics")).split("\n").filter((line) => new RegExp(`^${name}(\\{| )`).test(line));
    if (lines.length === 0) return Number.NaN;
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  }

  /**
   * Resolves with performance.now() of the moment when so many networks are served and nothing is left to do: an agent that is
   * new is given its networks in portions, and is ready for the first of them.
   */
  async waitServed(networks: number): Promise<number> {
    return waitFor(
      async () => {
        const { networks: known } = JSON.parse(await this.agentPage("status")) as {
          networks: Record<string, { state: string }>;
        };
        const at = performance.now();
        return Object.values(known).filter(({ state }) => state === "served").length >= networks ? at : undefined;
      },
      { limitMs: startLimitMs, what: `${networks} networks to be served`, everyMs: 50 },
    );
  }

  /** Pid of each network's dnsmasq. */
  async dnsmasqPids(networks: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const pids = await Promise.all(
      networks.map(async (id) => {
        const text = await readFile(path.join(this.stateDir, "dhcp", id, "pid"), "utf8").catch(() => "");
        return [id, Number(text)] as const;
      }),
    );
    return new Map(pids);
  }

  async destroy(): Promise<void> {
    this.client.close();
    await endOf(this.#agent, "SIGTERM");
    await endOf(this.#server, "SIGTERM");
    try {
      await this.#removeDataPlane();
    } finally {
      await this.nats.close();
      await rm(this.stateDir, { recursive: true, force: true });
    }
  }

  async #removeDataPlane(): Promise<void> {
    const runner = processRunner();
    const { stateDir, host, prefix } = this;
    const driver = new DnsmasqDriver({ runner, stateDir, log: silentLogger });
    const devices = new DeviceManager({ runner, stateDir, host, namespacePrefix: prefix });
    for (const id of await driver.list()) await driver.remove(id);
    const marked = await devices.list();
    for (let at = 0; at < marked.length; at += 32) {
      await Promise.all(marked.slice(at, at + 32).map((id) => devices.destroy(id)));
    }
    await devices.settle();
    await endBusProcess(stateDir);
  }
}

async function message<T>(child: ChildProcess, type: string): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once("exit", (code, signal) =>
      reject(new Error(`${child.spawnargs.slice(1, 4).join(" ")} ended: ${code ?? signal}`)),
    );
    child.on("message", (sent: { readonly type?: string }) => {
      // The cast: what the program sends with this type is known to whoever asks for it.
      if (sent.type === type) resolve(sent as T);
    });
  });
}

async function tooLate(): Promise<never> {
  await delay(startLimitMs, undefined, { ref: false });
  throw new Error(`the agent was not ready within ${startLimitMs} ms`);
}
