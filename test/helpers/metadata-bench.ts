// One network with an agent's device as the device manager would make it, and instances that ask for their metadata.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type Logger, silentLogger } from "../../src/base/logger.ts";
import type { DhcpDevice } from "../../src/drivers/dhcp-driver.ts";
import { processRunner } from "../../src/linux/command-runner.ts";
import { isNamespace } from "../../src/linux/netns.ts";
import { openMetadataProxy, type MetadataSettings } from "../../src/metadata-proxy/open-proxy.ts";
import type { MetadataProxy } from "../../src/metadata-proxy/metadata-proxy.ts";
import { bridgeName, dhcpDeviceId, dhcpNamespaceName, namespaceDeviceName, tapName } from "../../src/model/device-names.ts";
import {
  type MetadataOptions,
  type MetadataPlan,
  metadataIpv4,
  metadataIpv6,
  planMetadata,
} from "../../src/model/metadata-plan.ts";
import type { Network, NetworkView, Port, Subnet } from "../../src/model/network.ts";
import { makeDhcpPort, makeNetwork, makeSubnet, makeView } from "./dhcp-network.ts";
import { createNamespace, deleteNamespace, randomPrefix, sh, waitForLink } from "./namespaces.ts";

const execute = promisify(execFile);
export const runner = processRunner();

export const metadataFacts = { dnsDomain: "example.org", availabilityZone: "zone-1" };

const defaults: MetadataSettings = {
  timeoutSeconds: 60,
  requestsPerSecond: 0,
  requestBurst: 200,
  sockets: "setns",
};

export async function openProxy(
  settings: Partial<MetadataSettings> = {},
  log: Logger = silentLogger,
  more: { readonly views?: () => Iterable<NetworkView> } = {},
): Promise<MetadataProxy> {
  return openMetadataProxy({ ...defaults, ...settings }, { runner, log, facts: metadataFacts, ...more });
}

export interface Reply {
  readonly status: number;
  readonly headers: string;
  readonly body: Buffer;
}

export interface MetadataBenchOptions {
  readonly network?: Network;
  readonly subnets?: readonly Subnet[];
  /** Of the agent's port, on the subnets in the same order. */
  readonly dhcpAddresses?: readonly string[];
}

export class MetadataBench {
  readonly prefix = randomPrefix();
  readonly network: Network;
  readonly subnets: readonly Subnet[];
  readonly dhcpPort: Port;
  readonly #instances: string[] = [];

  constructor(options: MetadataBenchOptions = {}) {
    this.network = options.network ?? makeNetwork();
    this.subnets = options.subnets ?? [makeSubnet(this.network)];
    const dhcpPort = makeDhcpPort(this.subnets, options.dhcpAddresses ?? ["10.20.0.2"]);
    this.dhcpPort = { ...dhcpPort, deviceId: dhcpDeviceId("h1", this.network.id) };
  }

  get namespace(): string {
    return dhcpNamespaceName(this.prefix, this.network.id);
  }

  view(ports: readonly Port[] = []): NetworkView {
    return makeView(this.network, this.subnets, [this.dhcpPort, ...ports]);
  }

  /** The device with its addresses, as a reconcile would have it before it comes to the proxy. */
  async setup(plan: MetadataPlan): Promise<DhcpDevice> {
    const device = { namespace: this.namespace, interfaceName: namespaceDeviceName(this.dhcpPort.id) };
    if (!isNamespace(this.namespace)) await this.#makeDevice(device);
    const at = ["dev", device.interfaceName];
    if (plan.v4) await sh("ip", "-n", this.namespace, "addr", "replace", `${metadataIpv4}/32`, ...at);
    if (plan.v6) await sh("ip", "-n", this.namespace, "addr", "replace", `${metadataIpv6}/64`, ...at);
    return device;
  }

  async #makeDevice({ namespace, interfaceName }: DhcpDevice): Promise<void> {
    const [bridge, tap] = [bridgeName(this.network.id), tapName(this.dhcpPort.id)];
    await createNamespace(namespace);
    await sh("ip", "link", "show", bridge).catch(async () => sh("ip", "link", "add", bridge, "type", "bridge"));
    await sh("ip", "link", "set", bridge, "up");
    const peer = ["peer", "name", interfaceName, "netns", namespace, "address", this.dhcpPort.macAddress];
    await sh("ip", "link", "add", tap, "type", "veth", ...peer);
    await sh("ip", "link", "set", tap, "master", bridge, "up");
    await sh("ip", "-n", namespace, "link", "set", "lo", "up");
    await sh("ip", "-n", namespace, "link", "set", interfaceName, "up");
    for (const { ipAddress, subnetId } of this.dhcpPort.fixedIps) {
      const prefix = this.subnets.find(({ id }) => id === subnetId)?.cidr.split("/")[1];
      const flags = ipAddress.includes(":") ? ["nodad"] : [];
      await sh("ip", "-n", namespace, "addr", "add", `${ipAddress}/${prefix}`, "dev", interfaceName, ...flags);
    }
  }

  /** The device too: an open listener would keep it and its namespace alive. */
  async removeDevice(): Promise<void> {
    await sh("ip", "link", "del", tapName(this.dhcpPort.id)).catch(() => "");
    await deleteNamespace(this.namespace);
  }

  /** The whole way: plan, device, listeners. */
  async apply(proxy: MetadataProxy, ports: readonly Port[], options: Partial<MetadataOptions> = {}): Promise<MetadataPlan> {
    const view = this.view(ports);
    const plan = planMetadata(view, this.dhcpPort, { isolated: true, force: false, metadataNetwork: false, ...options });
    const device = await this.setup(plan);
    await proxy.apply({ view, dhcpPort: this.dhcpPort, device, plan });
    return plan;
  }

  /** An instance that has the port's addresses on its `eth0`, and the way to the metadata address; returns its namespace. */
  async plug(port: Port): Promise<string> {
    const namespace = await createNamespace(`${this.prefix}i${this.#instances.length}`);
    this.#instances.push(namespace);
    const peer = ["peer", "name", "eth0", "netns", namespace, "address", port.macAddress];
    await sh("ip", "link", "add", namespace, "type", "veth", ...peer);
    await sh("ip", "link", "set", namespace, "master", bridgeName(this.network.id), "up");
    await sh("ip", "-n", namespace, "link", "set", "lo", "up");
    for (const { ipAddress } of port.fixedIps) {
      const prefix = ipAddress.includes(":") ? ["64", "nodad"] : ["24"];
      await sh("ip", "-n", namespace, "addr", "add", `${ipAddress}/${prefix[0]}`, "dev", "eth0", ...prefix.slice(1));
    }
    await sh("nsenter", `--net=/run/netns/${namespace}`, "sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0");
    await sh("ip", "-n", namespace, "link", "set", "eth0", "up");
    await waitForLink(namespace, namespace);
    const gateway = this.dhcpPort.fixedIps.find(({ ipAddress }) => !ipAddress.includes(":"))?.ipAddress;
    if (gateway !== undefined && port.fixedIps.some(({ ipAddress }) => !ipAddress.includes(":"))) {
      await sh("ip", "-n", namespace, "route", "replace", metadataIpv4, "via", gateway);
    }
    return namespace;
  }

  async close(): Promise<void> {
    for (const namespace of this.#instances) {
      await sh("ip", "link", "del", namespace).catch(() => "");
      await deleteNamespace(namespace);
    }
    await this.removeDevice();
    await sh("ip", "link", "del", bridgeName(this.network.id)).catch(() => "");
  }
}

/** What an instance hears at a path of the metadata address; throws when nobody answers. */
export async function ask(namespace: string, path: string, ...options: readonly string[]): Promise<Reply> {
  return askAt(namespace, `http://${metadataIpv4}${path}`, ...options);
}

export async function askAt(namespace: string, url: string, ...options: readonly string[]): Promise<Reply> {
  const argv = [`--net=/run/netns/${namespace}`, "curl", "-gsS", "-i", "--max-time", "10", ...options, url];
  const { stdout } = await execute("nsenter", argv, { encoding: "buffer", maxBuffer: 64 * 1024 * 1024 });
  // Interim answers (100 Continue) come before the one that counts.
  let rest = stdout;
  for (;;) {
    const end = rest.indexOf("\r\n\r\n");
    const headers = rest.toString("latin1", 0, end);
    rest = rest.subarray(end + 4);
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(headers)?.[1]);
    if (status >= 200) return { status, headers, body: rest };
  }
}
