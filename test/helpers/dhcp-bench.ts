// One network served by the real driver and device manager, with instances that have real DHCP clients.
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { silentLogger, type Logger } from "../../src/base/logger.ts";
import { DeviceManager } from "../../src/device-manager/device-manager.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { DhcpOutcome } from "../../src/drivers/dhcp-driver.ts";
import { DnsmasqDriver } from "../../src/drivers/dnsmasq/dnsmasq-driver.ts";
import type { LeaseControl } from "../../src/drivers/lease-control.ts";
import type { DnsmasqOptions } from "../../src/drivers/dnsmasq/dnsmasq-options.ts";
import type { DnsmasqFeatures } from "../../src/drivers/dnsmasq/dnsmasq-version.ts";
import { endBusProcess } from "../../src/lease-bus/bus-process.ts";
import { LeaseBus } from "../../src/lease-bus/lease-bus.ts";
import { leaseScriptPath, leaseSocketPath } from "../../src/lease-relay/lease-relay.ts";
import { type CommandRunner, processRunner } from "../../src/linux/command-runner.ts";
import { parsePid } from "../../src/linux/process-table.ts";
import { bridgeName } from "../../src/model/device-names.ts";
import type { Network, Port, Subnet } from "../../src/model/network.ts";
import { systemTimers } from "../../src/runtime/timers.ts";
import { DhcpProbe } from "./dhcp-probe/probe.ts";
import { makeDhcpPort, makeNetwork, makeSubnet, makeView } from "./dhcp-network.ts";
import {
  createNamespace,
  createTestDirectory,
  deleteNamespace,
  randomMac,
  randomPrefix,
  sh,
  waitForLink,
} from "./namespaces.ts";
import { noMetadata } from "../../src/model/metadata-plan.ts";
import { waitFor } from "./wait-for.ts";

/** How leases are taken away: by packets and the lease file alone, or over a message bus as where one is installed. */
export const leaseModes = ["packets", "bus"] as const;
export type LeaseMode = (typeof leaseModes)[number];

export interface DhcpBenchOptions {
  readonly options?: Partial<DnsmasqOptions>;
  readonly log?: Logger;
  readonly network?: Network;
  readonly subnets?: readonly Subnet[];
  readonly dhcpAddresses?: readonly string[];
  readonly clock?: Clock;
  readonly features?: DnsmasqFeatures;
  /** Stands between the code and the children that it starts. */
  readonly runner?: CommandRunner;
  /** dnsmasq tells leases to the socket in the state directory. */
  readonly hasLeaseRelay?: boolean;
  /** `bus`: with a real bus, which goes with the bench. */
  readonly leaseMode?: LeaseMode;
  /** The way to leases over a bus, made for the state directory. */
  readonly leaseControl?: (stateDir: string) => LeaseControl;
}

/** Counts the children that the code under test starts. */
export function countingRunner(inner: CommandRunner = processRunner()): {
  readonly runner: CommandRunner;
  readonly argvs: (readonly string[])[];
} {
  const argvs: (readonly string[])[] = [];
  return {
    argvs,
    runner: {
      run: async (argv, options) => {
        argvs.push(argv);
        return inner.run(argv, options);
      },
    },
  };
}

export class DhcpBench {
  readonly prefix = randomPrefix();
  readonly network: Network;
  readonly subnets: readonly Subnet[];
  readonly dhcpPort: Port;
  readonly children: (readonly string[])[];
  readonly stateDir: string;
  readonly #runner: CommandRunner;
  readonly #options: DhcpBenchOptions;
  readonly #removeDirectory: () => Promise<void>;
  readonly #instances: string[] = [];
  readonly #probes: DhcpProbe[] = [];
  readonly #leases: LeaseControl | undefined;
  /** Only in lease mode `bus`. */
  readonly bus: LeaseBus | undefined;
  driver: DnsmasqDriver;
  devices: DeviceManager;

  static async create(options: DhcpBenchOptions = {}): Promise<DhcpBench> {
    const directory = await createTestDirectory();
    await sh("chmod", "755", directory.path);
    const bench = new DhcpBench(directory.path, async () => directory.remove(), options);
    await bench.bus?.start();
    return bench;
  }

  private constructor(stateDir: string, removeDirectory: () => Promise<void>, options: DhcpBenchOptions) {
    const counting = countingRunner(options.runner);
    this.stateDir = stateDir;
    this.children = counting.argvs;
    this.#runner = counting.runner;
    this.#options = options;
    const parts = { runner: processRunner(), timers: systemTimers, log: silentLogger };
    this.bus = options.leaseMode === "bus" ? new LeaseBus({ ...parts, stateDir }) : undefined;
    this.#leases = this.bus ?? options.leaseControl?.(stateDir);
    this.#removeDirectory = removeDirectory;
    this.network = options.network ?? makeNetwork();
    this.subnets = options.subnets ?? [makeSubnet(this.network)];
    this.dhcpPort = makeDhcpPort(this.subnets, options.dhcpAddresses ?? ["10.20.0.2"]);
    this.driver = this.newDriver();
    this.devices = this.newDevices();
  }

  /** As a restarted agent would have: knows nothing. */
  newDriver(leases: LeaseControl | undefined = this.#leases): DnsmasqDriver {
    const { log = silentLogger, hasLeaseRelay, clock, features } = this.#options;
    const relay = hasLeaseRelay === true ? { leaseScript: leaseScriptPath, leaseSocket: leaseSocketPath(this.stateDir) } : {};
    const options = { ...this.#options.options, ...relay };
    const { stateDir } = this;
    return new DnsmasqDriver({ runner: this.#runner, stateDir, log, options, leases, clock, features });
  }

  newDevices(): DeviceManager {
    return new DeviceManager({ runner: this.#runner, stateDir: this.stateDir, host: "h1", namespacePrefix: this.prefix });
  }

  /** The whole way of a reconcile. */
  async apply(ports: readonly Port[], network: Network = this.network): Promise<DhcpOutcome> {
    return this.applyWith(this.dhcpPort, ports, network);
  }

  /** The same for an agent whose own port has changed. */
  async applyWith(dhcpPort: Port, ports: readonly Port[], network: Network = this.network): Promise<DhcpOutcome> {
    const view = makeView(network, this.subnets, [dhcpPort, ...ports]);
    const device = await this.devices.setup(view, dhcpPort, { verify: false, metadata: noMetadata });
    const outcome = await this.driver.apply({ view, dhcpPort, device, metadata: noMetadata });
    // dnsmasq is on the bus from its start; the news of it are under way.
    const isHeard = (): boolean => this.bus?.reachable.has(this.network.id) !== false;
    await waitFor(isHeard, { limitMs: 10_000, what: "dnsmasq on the bus" });
    return outcome;
  }

  file(name: string): string {
    return join(this.stateDir, "dhcp", this.network.id, name);
  }

  async pid(): Promise<number> {
    const pid = parsePid(await readFile(this.file("pid"), "utf8"));
    if (pid === undefined) throw new Error(`no pid in ${this.file("pid")}`);
    return pid;
  }

  get namespace(): string {
    return `${this.prefix}qdhcp-${this.network.id}`;
  }

  /** An instance with the MAC, its device `eth0` on the network's bridge; returns its namespace. */
  async plug(mac: string): Promise<string> {
    const index = this.#instances.length;
    const namespace = await createNamespace(`${this.prefix}i${index}`);
    this.#instances.push(namespace);
    const tap = `${this.prefix}i${index}`;
    await sh("ip", "link", "add", tap, "type", "veth", "peer", "name", "eth0", "netns", namespace, "address", mac);
    await sh("ip", "link", "set", tap, "master", bridgeName(this.network.id), "up");
    await sh("ip", "-n", namespace, "link", "set", "eth0", "up");
    await waitForLink(tap, namespace);
    return namespace;
  }

  /** Plays any MAC address through one device: asks the server what it would offer. */
  async startProbe(): Promise<DhcpProbe> {
    const namespace = await this.plug(randomMac());
    await sh("ip", "-n", namespace, "route", "add", "255.255.255.255", "dev", "eth0");
    return this.startProbeIn(namespace);
  }

  /** In a namespace that `plug` made and the caller has prepared. */
  async startProbeIn(namespace: string): Promise<DhcpProbe> {
    const probe = await DhcpProbe.start(namespace);
    this.#probes.push(probe);
    return probe;
  }

  async close(): Promise<void> {
    for (const probe of this.#probes) await probe.close();
    await this.newDriver().remove(this.network.id);
    this.bus?.close();
    if (this.bus !== undefined) await endBusProcess(this.stateDir);
    for (const namespace of this.#instances) {
      await sh("ip", "link", "del", namespace).catch(() => "");
      await deleteNamespace(namespace);
    }
    const devices = this.newDevices();
    await devices.destroy(this.network.id);
    await devices.settle();
    await rm(join(this.stateDir, "dhcp"), { recursive: true, force: true });
    await this.#removeDirectory();
  }
}
