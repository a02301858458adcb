// The program itself, with real dnsmasq, namespaces and nats-server; only the server's side is a fake.
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { silentLogger } from "../../../src/base/logger.ts";
import { DeviceManager } from "../../../src/device-manager/device-manager.ts";
import { DnsmasqDriver } from "../../../src/drivers/dnsmasq/dnsmasq-driver.ts";
import { endBusProcess } from "../../../src/lease-bus/bus-process.ts";
import { processRunner } from "../../../src/linux/command-runner.ts";
import { isNamespace } from "../../../src/linux/netns.ts";
import { isAlive, parsePid, readStartTime, type ProcessIdentity } from "../../../src/linux/process-table.ts";
import { bridgeName, dhcpNamespaceName } from "../../../src/model/device-names.ts";
import { networkId, portId, subnetId, type NetworkId, type SubnetId } from "../../../src/model/ids.ts";
import type { StreamItem } from "../../../src/types/agent-messages.ts";
import { deleteItem, makeNetwork, makePort, makeSubnet, networkItem, portItem, subnetItem } from "../../helpers/agent-items.ts";
import { endOf, kill } from "../../helpers/children.ts";
import { DhcpProbe } from "../../helpers/dhcp-probe/probe.ts";
import { FakeServer } from "../../helpers/fake-server.ts";
import { createNamespace, deleteNamespace, randomPrefix, sh } from "../../helpers/namespaces.ts";
import { startTestNats, type TestNats } from "../../helpers/nats-server.ts";
import { waitFor } from "../../helpers/wait-for.ts";
import { untilReady } from "../../helpers/ready-program.ts";

const launcher = fileURLToPath(new URL("../../../bin/netloom", import.meta.url));
const isRoot = process.getuid?.() === 0;
const options = { skip: isRoot ? false : "needs root for network namespaces", timeout: 60_000 };

/** Device names are cut from ids, so the first 11 characters must be this test's own. */
class TestNetworks {
  readonly #random = randomBytes(2).toString("hex");

  readonly network = (n: number): NetworkId => networkId(this.#id("a", n));

  items(n: number): readonly StreamItem[] {
    const id = this.network(n);
    return [networkItem(makeNetwork(n, { id })), subnetItem(makeSubnet(n, id, { id: this.#subnet(n) }))];
  }

  port(n: number, p: number): StreamItem {
    const fixedIps = [{ subnetId: this.#subnet(n), ipAddress: `10.${n}.${p >> 8}.${p & 255}` }];
    return portItem(makePort(p, this.network(n), n, { id: portId(this.#id("c", 0x100 * n + p)), fixedIps }));
  }

  readonly #subnet = (n: number): SubnetId => subnetId(this.#id("b", n));

  /** The fake server reads a subnet's number from the last 12 digits. */
  #id(kind: string, n: number): string {
    const number = n.toString(16);
    return `${kind}${this.#random}${number.padStart(3, "0").slice(-3)}-0000-4000-8000-${number.padStart(12, "0")}`;
  }
}

interface AgentProcess {
  readonly child: ChildProcess;
  readonly stderr: () => string;
}

class Bench {
  readonly prefix = `t${randomBytes(2).toString("hex")}-`;
  readonly host = `host-${this.prefix}a`;
  readonly networks = new TestNetworks();
  readonly stateDir: string;
  readonly nats: TestNats;
  readonly server: FakeServer;
  readonly #children: ChildProcess[] = [];
  readonly #guests: (() => Promise<unknown>)[] = [];

  constructor(stateDir: string, nats: TestNats, server: FakeServer) {
    this.stateDir = stateDir;
    this.nats = nats;
    this.server = server;
  }

  file(network: NetworkId, name: string): Promise<string> {
    return readFile(join(this.stateDir, "dhcp", network, name), "utf8");
  }

  async dnsmasq(network: NetworkId): Promise<ProcessIdentity> {
    const pid = parsePid(await this.file(network, "pid")) ?? 0;
    return { pid, startTime: readStartTime(pid) ?? 0 };
  }

  start(): AgentProcess {
    const flags = [
      "--state-dir",
      this.stateDir,
      "--host",
      this.host,
      "--nats-url",
      this.nats.url,
      `--namespace-prefix=${this.prefix}`,
    ];
    const seed = this.nats.credentials.get(`dhcp-${this.host}`)?.seedFile ?? "";
    const args = ["dhcp-agent", ...flags, "--nats-nkey-seed-file", seed];
    const child = fork(launcher, args, { stdio: ["ignore", "ignore", "pipe", "ipc"], execArgv: [] });
    this.#children.push(child);
    let text = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
    });
    return { child, stderr: () => text };
  }

  async startReady(): Promise<AgentProcess> {
    const agent = this.start();
    await untilReady(agent.child, agent.stderr);
    return agent;
  }

  /** Ended before the bridge that it is in goes: with somebody's device in it, it would stay. */
  addGuest(remove: () => Promise<unknown>): void {
    this.#guests.unshift(remove);
  }

  /** Ends every agent, also that of a test that failed, and does what it would do, were it still there. */
  async removeAll(): Promise<void> {
    for (const remove of this.#guests) await remove();
    for (const child of this.#children) await endOf(child, "SIGKILL");
    const runner = processRunner();
    const { stateDir, host, prefix } = this;
    const driver = new DnsmasqDriver({ runner, stateDir, log: silentLogger });
    const devices = new DeviceManager({ runner, stateDir, host, namespacePrefix: prefix });
    for (const id of await driver.list()) await driver.remove(id);
    for (const id of await devices.list()) await devices.destroy(id);
    await devices.settle();
    await endBusProcess(stateDir);
  }
}

async function prepare(t: TestContext): Promise<Bench> {
  const stateDir = await mkdtemp(join(tmpdir(), "netloom-agent-"));
  await chmod(stateDir, 0o755);
  const host = `host-t${randomBytes(3).toString("hex")}`;
  const nats = await startTestNats([{ role: "dhcp", host }]);
  const server = new FakeServer({ bus: await nats.connectServer(), host });
  const bench = Object.assign(new Bench(stateDir, nats, server), { host });
  server.start();
  t.after(async () => {
    await bench.removeAll();
    await nats.close();
    await rm(stateDir, { recursive: true, force: true });
  });
  return bench;
}

/** A device in the network's bridge that plays any MAC address. */
async function startProbe(bench: Bench, network: NetworkId): Promise<DhcpProbe> {
  const prefix = randomPrefix();
  const namespace = await createNamespace(`${prefix}i`);
  bench.addGuest(() => deleteNamespace(namespace));
  await sh("ip", "link", "add", `${prefix}t`, "type", "veth", "peer", "name", "eth0", "netns", namespace);
  // The kernel takes its time with a namespace.
  bench.addGuest(() => sh("ip", "link", "del", `${prefix}t`));
  await sh("ip", "link", "set", `${prefix}t`, "master", bridgeName(network), "up");
  await sh("ip", "-n", namespace, "link", "set", "eth0", "up");
  await sh("ip", "-n", namespace, "route", "add", "255.255.255.255", "dev", "eth0");
  const probe = await DhcpProbe.start(namespace);
  bench.addGuest(() => probe.close());
  return probe;
}

const end = ({ child }: AgentProcess, signal: NodeJS.Signals): Promise<number | null> => endOf(child, signal);

test(
  "DA-027: an agent that was killed is followed by one that adopts its dnsmasq, brings it up to date and removes what is gone",
  options,
  async (t) => {
    const bench = await prepare(t);
    const { networks, server } = bench;
    const [kept, gone] = [networks.network(1), networks.network(2)];
    server.commit([...networks.items(1), ...networks.items(2), networks.port(1, 5)]);
    const first = await bench.startReady();
    await waitFor(async () => (await bench.file(kept, "host")).includes("10.1.0.5"), {
      limitMs: 10_000,
      what: "the first port",
    });
    const before = await bench.dnsmasq(kept);
    const doomed = await bench.dnsmasq(gone);
    await end(first, "SIGKILL");
    // How much of it the first one could still report is chance.
    server.readyPorts.clear();

    server.commit([networks.port(1, 6), ...networks.items(2).slice(0, 1).map(deleteItem)]);
    assert.ok(isAlive(before) && isAlive(doomed), "the data plane outlives the agent");
    const second = await bench.startReady();

    const isReported = (): boolean => server.readyPorts.has(networks.port(1, 6).id) && server.readyPorts.size >= 3;
    await waitFor(isReported, { limitMs: 10_000, what: "both ports and our own to be reported" });
    assert.deepEqual(await bench.dnsmasq(kept), before, "not restarted");
    const isRemoved = (): boolean =>
      !isAlive(doomed) &&
      !isNamespace(dhcpNamespaceName(bench.prefix, gone)) &&
      !existsSync(join(bench.stateDir, "dhcp", gone));
    await waitFor(isRemoved, { limitMs: 10_000, what: "the network that is gone to be removed" });
    assert.equal(await end(second, "SIGTERM"), 0);
    assert.ok(isAlive(before));
  },
);

test("DA-112: soon after a dnsmasq was killed a client has an answer from the next one", options, async (t) => {
  const bench = await prepare(t);
  const id = bench.networks.network(3);
  const port = bench.networks.port(3, 5);
  bench.server.commit([...bench.networks.items(3), port]);
  const agent = await bench.startReady();
  const before = await bench.dnsmasq(id);
  const probe = await startProbe(bench, id);
  // Long before the agent looks at every network again, which is once a minute.
  const discover = { want: "offer", timeoutMs: 10_000, everyMs: 50 } as const;
  const macAddress = port.op === "upsert" && port.kind === "port" ? port.body.macAddress : "";
  assert.equal((await probe.ask(macAddress, discover)).address, "10.3.0.5");

  kill(before.pid, "SIGKILL");
  await waitFor(() => !isAlive(before), { limitMs: 10_000, what: "the end of dnsmasq" });
  const killedAtMs = performance.now();
  const { answer, address } = await probe.ask(macAddress, discover);
  const silentMs = performance.now() - killedAtMs;

  t.diagnostic(`silent for ${silentMs.toFixed(0)} ms`);
  assert.deepEqual([answer, address], ["offer", "10.3.0.5"]);
  await end(agent, "SIGTERM");
});

test("with ten networks the agent needs at most 110 MB, and it ends within five seconds", options, async (t) => {
  const bench = await prepare(t);
  const numbers = Array.from({ length: 10 }, (_, n) => n + 10);
  bench.server.commit(numbers.flatMap((n) => [...bench.networks.items(n), bench.networks.port(n, 5)]));
  const agent = await bench.startReady();
  await waitFor(() => bench.server.readyPorts.size >= 20, { limitMs: 15_000, what: "all ports to be reported" });

  const status = await readFile(`/proc/${agent.child.pid}/status`, "utf8");
  const residentMb = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
  t.diagnostic(`resident ${residentMb.toFixed(0)} MB`);
  const startedAt = performance.now();
  assert.equal(await end(agent, "SIGTERM"), 0);

  assert.ok(performance.now() - startedAt < 5000);
  assert.ok(residentMb <= 110, `${residentMb.toFixed(0)} MB`);
});

test("DA-114: an agent that is told to end leaves its dnsmasq, which the next one adopts as it is", options, async (t) => {
  const bench = await prepare(t);
  const id = bench.networks.network(4);
  bench.server.commit([...bench.networks.items(4), bench.networks.port(4, 5)]);
  const first = await bench.startReady();
  const before = await bench.dnsmasq(id);
  const note = await bench.file(id, "state.json");

  assert.equal(await end(first, "SIGTERM"), 0);
  assert.ok(isAlive(before), "it ended with its agent");
  const second = await bench.startReady();

  assert.deepEqual(await bench.dnsmasq(id), before);
  assert.equal(await bench.file(id, "state.json"), note, "nothing was written anew");
  assert.equal(await end(second, "SIGTERM"), 0);
});

test("a second agent in the same state directory says who holds it and leaves the first alone", options, async (t) => {
  const bench = await prepare(t);
  const first = await bench.startReady();

  const second = bench.start();
  // Not its exit: what it said may still be on the way then.
  const [code] = (await once(second.child, "close")) as [number | null];

  assert.notEqual(code, 0);
  assert.match(second.stderr(), new RegExp(`another DHCP agent \\(pid ${first.child.pid}\\) uses state directory`));
  assert.equal(second.stderr().trim().split("\n").length, 1);
  assert.equal(await end(first, "SIGTERM"), 0);
});
