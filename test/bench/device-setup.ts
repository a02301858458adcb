// Devices of 200 new networks, each with five ports, as an agent makes them after a cold start: namespace, bridge, veth,
// addresses, default route and settings. Against it, in the same run, the sequence of the ancestor: one child after the other
// for each step, four networks at a time. CPU is that of this process and of all that it started.
import { DeviceManager } from "../../src/device-manager/device-manager.ts";
import { type CommandRunner, processRunner } from "../../src/linux/command-runner.ts";
import { NamespaceWorker } from "../../src/linux/namespace-worker.ts";
import { bridgeName, namespaceDeviceName, tapName } from "../../src/model/device-names.ts";
import { noMetadata } from "../../src/model/metadata-plan.ts";
import type { NetworkView, Port } from "../../src/model/network.ts";
import { makeDhcpPort, makeNetwork, makePort, makeSubnet, makeView } from "../helpers/dhcp-network.ts";
import { createTestDirectory, randomPrefix } from "../helpers/namespaces.ts";
import { treeCpuMs } from "../helpers/process-figures.ts";
import { report, type Row } from "./report.ts";

const networks = 200;
/** As many as the ancestor did at once; ours takes them as the agent's queue gives them. */
const ancestorLanes = 4;
const ownLanes = 4;
const prefix = randomPrefix();

interface Wanted {
  readonly view: NetworkView;
  readonly port: Port;
}

interface Usage {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly forks: number;
}

function makeWanted(): Wanted {
  const network = makeNetwork();
  const subnet = makeSubnet(network);
  const port = makeDhcpPort([subnet], ["10.20.0.2"]);
  const others = [11, 12, 13, 14, 15].map((host) => makePort([subnet], [`10.20.0.${host}`]));
  return { view: makeView(network, [subnet], [port, ...others]), port };
}

let spawned = 0;
const inner = processRunner();
const runner: CommandRunner = {
  run: async (argv, options) => {
    spawned += 1;
    return inner.run(argv, options);
  },
};

async function measure(work: () => Promise<void>): Promise<Usage> {
  const cpu = treeCpuMs(process.pid);
  const forks = spawned + worker.starts;
  const startedAt = performance.now();
  await work();
  const wallMs = performance.now() - startedAt;
  return { wallMs, cpuMs: treeCpuMs(process.pid) - cpu, forks: spawned + worker.starts - forks };
}

async function inLanes(all: readonly Wanted[], lanes: number, work: (one: Wanted) => Promise<void>): Promise<void> {
  const waiting = [...all];
  const lane = async (): Promise<void> => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) await work(one);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** Fifteen children, as Neutron's agent starts them for the device of one network; its Python, RPC and polls are left out. */
async function replayAncestor({ view, port }: Wanted): Promise<void> {
  const namespace = `${prefix}a-${view.network.id}`;
  const bridge = bridgeName(view.network.id);
  const tap = tapName(port.id);
  const device = namespaceDeviceName(port.id);
  const inside = ["ip", "netns", "exec", namespace];
  const steps = [
    ["ip", "netns", "add", namespace],
    [...inside, "sysctl", "-q", "-w", "net.ipv4.conf.all.promote_secondaries=1"],
    [...inside, "ip", "link", "set", "lo", "up"],
    [...inside, "sysctl", "-q", "-w", "net.ipv6.conf.default.accept_ra=0"],
    ["ip", "link", "add", bridge, "type", "bridge"],
    ["ip", "link", "set", bridge, "up"],
    ["ip", "link", "add", tap, "type", "veth", "peer", "name", device, "netns", namespace],
    [...inside, "ip", "link", "set", device, "address", port.macAddress],
    ["ip", "link", "set", tap, "mtu", "1450"],
    [...inside, "ip", "link", "set", device, "mtu", "1450"],
    ["ip", "link", "set", tap, "master", bridge, "up"],
    [...inside, "ip", "link", "set", device, "up"],
    [...inside, "ip", "-o", "addr", "show", "dev", device],
    [...inside, "ip", "addr", "add", "10.20.0.2/24", "brd", "10.20.0.255", "dev", device],
    [...inside, "ip", "route", "replace", "default", "via", "10.20.0.1", "dev", device],
  ];
  for (const argv of steps) {
    const result = await runner.run(argv);
    if (result.exitCode !== 0) throw new Error(`${argv.join(" ")}: ${result.stderr}`);
  }
}

async function removeAncestor(all: readonly Wanted[]): Promise<void> {
  const lines = all.flatMap(({ view }) => [
    `netns del ${prefix}a-${view.network.id}`,
    `link del ${bridgeName(view.network.id)}`,
  ]);
  await inner.run(["ip", "-force", "-batch", "-"], { stdin: `${lines.join("\n")}\n`, timeoutMs: 120_000 });
}

const row = (name: string, usage: Usage): Row => ({
  path: name,
  networks,
  "wall ms / network": usage.wallMs / networks,
  "CPU ms / network": usage.cpuMs / networks,
  "forks / network": usage.forks / networks,
});

const directory = await createTestDirectory();
const worker = new NamespaceWorker();
const newManager = (): DeviceManager =>
  new DeviceManager({ runner, worker, stateDir: directory.path, host: "h1", namespacePrefix: prefix });
const manager = newManager();
const wanted = Array.from({ length: networks }, makeWanted);
const setup = async ({ view, port }: Wanted, by = manager, verify = false): Promise<void> => {
  await by.setup(view, port, { verify, metadata: noMetadata });
};
const rows: Row[] = [];
try {
  // Loads the code; not counted.
  const first = makeWanted();
  await setup(first);
  await manager.destroy(first.view.network.id);
  await manager.settle();

  rows.push(row("cold", await measure(() => inLanes(wanted, ownLanes, setup))));
  const next = newManager();
  rows.push(row("warm, next process", await measure(() => inLanes(wanted, ownLanes, (one) => setup(one, next)))));
  rows.push(row("warm, same process", await measure(() => inLanes(wanted, ownLanes, setup))));
  rows.push(row("verify", await measure(() => inLanes(wanted, ownLanes, (one) => setup(one, manager, true)))));
} finally {
  const destroy = (one: Wanted): Promise<void> => manager.destroy(one.view.network.id);
  rows.push(row("destroy, returned", await measure(() => inLanes(wanted, ownLanes, destroy))));
  rows.push(row("destroy, all gone", await measure(() => manager.settle())));
  await worker.close();
  await directory.remove();
}
const ancestor = Array.from({ length: networks }, makeWanted);
try {
  rows.push(row("ancestor's sequence", await measure(() => inLanes(ancestor, ancestorLanes, replayAncestor))));
} finally {
  await removeAncestor(ancestor);
}
report("device-setup", rows);
