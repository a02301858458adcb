// One server and several DHCP agents as processes of their own, each agent with its own host name, state directory and prefix
// of namespaces. They share one kernel: the bridges of their networks are the same, as if the hosts were wired together.
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { silentLogger } from "../../src/base/logger.ts";
import { DeviceManager } from "../../src/device-manager/device-manager.ts";
import { DnsmasqDriver } from "../../src/drivers/dnsmasq/dnsmasq-driver.ts";
import { endBusProcess } from "../../src/lease-bus/bus-process.ts";
import { processRunner } from "../../src/linux/command-runner.ts";
import { endOf } from "./children.ts";
import { createNamespace, deleteNamespace, sh } from "./namespaces.ts";
import { startTestNats, type TestNats } from "./nats-server.ts";
import { type Json, RestClient } from "./rest-client.ts";
import { unlimited } from "./unlimited.ts";
import { untilReady } from "./ready-program.ts";

const launcher = fileURLToPath(new URL("../../bin/netloom", import.meta.url));

export class FleetAgent {
  readonly host: string;
  readonly prefix: string;
  readonly stateDir: string;
  readonly #flags: readonly string[];
  #child: ChildProcess | undefined;

  constructor(parts: { readonly host: string; readonly prefix: string; readonly stateDir: string; readonly nats: TestNats }) {
    const { host, prefix, stateDir, nats } = parts;
    this.host = host;
    this.prefix = prefix;
    this.stateDir = stateDir;
    const seed = nats.credentials.get(`dhcp-${host}`)?.seedFile ?? "";
    const names = ["--state-dir", stateDir, "--host", host, `--namespace-prefix=${prefix}`, "--report-interval-ms", "300"];
    this.#flags = ["dhcp-agent", ...names, "--nats-url", nats.url, "--nats-nkey-seed-file", seed, "--log-level", "warn"];
  }

  /** Resolves when every network of its first sync had its turn. */
  async start(): Promise<void> {
    ({ child: this.#child } = await start(this.#flags));
  }

  /** kill -9 of the agent; what it made goes on. */
  async kill(): Promise<void> {
    await endOf(this.#child, "SIGKILL");
    this.#child = undefined;
  }

  namespaceOf(networkId: string): string {
    return `${this.prefix}qdhcp-${networkId}`;
  }

  /** The network's dnsmasq on this host; 0 when there is none. */
  async dnsmasqPid(networkId: string): Promise<number> {
    const pid = Number(await readFile(join(this.stateDir, "dhcp", networkId, "pid"), "utf8").catch(() => "0"));
    const argv = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    return argv.includes(networkId) ? pid : 0;
  }

  /** The whole host dies: the agent and the network's dnsmasq. */
  async killHost(networkId: string): Promise<void> {
    const pid = await this.dnsmasqPid(networkId);
    await this.kill();
    if (pid > 0) process.kill(pid, "SIGKILL");
  }

  async destroy(): Promise<void> {
    await this.kill();
    const runner = processRunner();
    const driver = new DnsmasqDriver({ runner, stateDir: this.stateDir, log: silentLogger });
    const devices = new DeviceManager({
      ...{ runner, stateDir: this.stateDir, host: this.host, namespacePrefix: this.prefix },
    });
    for (const id of await driver.list()) await driver.remove(id);
    for (const id of await devices.list()) await devices.destroy(id);
    await endBusProcess(this.stateDir);
    await devices.settle();
  }
}

export class AgentFleet {
  readonly client: RestClient;
  readonly agents: readonly FleetAgent[];
  readonly #directory: string;
  readonly #nats: TestNats;
  readonly #server: ChildProcess;
  readonly #namespaces: string[] = [];
  readonly #taps: string[] = [];

  private constructor(parts: {
    readonly directory: string;
    readonly nats: TestNats;
    readonly server: ChildProcess;
    readonly url: string;
    readonly agents: readonly FleetAgent[];
  }) {
    this.#directory = parts.directory;
    this.#nats = parts.nats;
    this.#server = parts.server;
    this.agents = parts.agents;
    this.client = new RestClient(parts.url);
  }

  /** @param count of agents; none of them runs yet. */
  static async create(count: number, serverFlags: readonly string[]): Promise<AgentFleet> {
    const directory = await mkdtemp(join(tmpdir(), "netloom-fleet-"));
    await chmod(directory, 0o755);
    const random = randomBytes(2).toString("hex");
    const names = Array.from({ length: count }, (_, n) => ({ host: `host-${random}-${n}`, prefix: `t${random}${n}-` }));
    const nats = await startTestNats(names.map(({ host }) => ({ role: "dhcp", host })));
    try {
      const agents: FleetAgent[] = [];
      for (const { host, prefix } of names) {
        const stateDir = join(directory, host);
        await mkdir(stateDir, { mode: 0o755 });
        agents.push(new FleetAgent({ host, prefix, stateDir, nats }));
      }
      const seed = nats.credentials.get("server")?.seedFile ?? "";
      const flags = ["server", "--state-dir", directory, "--listen", "127.0.0.1:0", "--nats-url", nats.url];
      const { child: server, url } = await start([
        ...flags,
        "--nats-nkey-seed-file",
        seed,
        "--log-level",
        "error",
        ...unlimited,
        ...serverFlags,
      ]);
      return new AgentFleet({ directory, nats, agents, server, url });
    } catch (thrown) {
      await nats.close();
      await rm(directory, { recursive: true, force: true });
      throw thrown;
    }
  }

  /** Names of the hosts that serve the network, as the server says. */
  async hostsOf(networkId: string): Promise<readonly string[]> {
    const { body } = await this.client.request("GET", `/v2.0/networks/${networkId}/dhcp-agents`);
    // The cast: the answer's documented form.
    return (body as { readonly agents: readonly Json[] }).agents.map((agent) => String(agent["host"])).toSorted();
  }

  /** A namespace whose eth0 is the port's interface on the network's bridge. */
  async plug(port: Json & { readonly id: string }): Promise<string> {
    const name = `t${randomBytes(3).toString("hex")}-i`;
    await createNamespace(name);
    this.#namespaces.push(name);
    const outer = `tap${port.id.slice(0, 11)}`;
    const inner = ["peer", "name", "eth0", "netns", name, "address", String(port["mac_address"])];
    await sh("ip", "link", "add", outer, "type", "veth", ...inner);
    this.#taps.push(outer);
    await sh("ip", "link", "set", outer, "master", `brq${String(port["network_id"]).slice(0, 11)}`, "up");
    await sh("ip", "-n", name, "link", "set", "eth0", "up");
    return name;
  }

  async destroy(): Promise<void> {
    this.client.close();
    // First: a bridge with an instance's device in it would stay, and the kernel takes its time with a namespace.
    for (const tap of this.#taps) await sh("ip", "link", "del", tap).catch(() => "");
    for (const name of this.#namespaces) await deleteNamespace(name);
    for (const agent of this.agents) await agent.destroy();
    await endOf(this.#server, "SIGTERM");
    await this.#nats.close();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** Resolves at the program's ready message. @returns where a server listens, too */
async function start(argv: readonly string[]): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const child = fork(launcher, argv, { stdio: ["ignore", "ignore", "pipe", "ipc"], execArgv: [] });
  let text = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    text = (text + chunk.toString("utf8")).slice(-10_000);
  });
  return { child, ...(await untilReady(child, () => text)) };
}
