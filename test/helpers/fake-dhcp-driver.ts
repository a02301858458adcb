// A DHCP driver and a device manager that only remember, and can be told to fail. They keep the promises of the interfaces:
// applying the same value again is `unchanged`, removing what is absent is success.
import type { DesiredDhcp, DhcpDevice, DhcpDeviceManager, DhcpDriver, DhcpOutcome } from "../../src/drivers/dhcp-driver.ts";
import { dhcpDeviceId, dhcpNamespaceName, namespaceDeviceName } from "../../src/model/device-names.ts";
import type { NetworkId, PortId } from "../../src/model/ids.ts";
import type { NetworkView, Port } from "../../src/model/network.ts";

/** What a host has; outlives the agent, as the kernel does. */
export class FakeHost {
  readonly running = new Map<NetworkId, DesiredDhcp>();
  readonly dead = new Set<NetworkId>();
  readonly devices = new Map<NetworkId, Port>();
}

type Call = { readonly verb: "apply" | "remove" | "setup" | "destroy"; readonly network: NetworkId };

export class FakeDhcpDriver implements DhcpDriver {
  readonly calls: Call[] = [];
  readonly #host: FakeHost;
  readonly #busy = new Set<NetworkId>();
  readonly #failures = new Map<number, Error>();
  #applies = 0;
  /** Networks on which every `apply` fails. */
  readonly broken = new Set<NetworkId>();
  /** Thrown by the next calls, in order. */
  readonly removeFailures: Error[] = [];
  readonly listFailures: Error[] = [];
  /** How often it was asked for servers that died. */
  searches = 0;
  /** Called at the start of each `apply`; what it returns is waited for. */
  onApply: (desired: DesiredDhcp) => Promise<void> | void = () => {};

  constructor(host: FakeHost) {
    this.#host = host;
  }

  /** The `n`-th `apply` from now on (1 = the next) throws. */
  failApply(n: number, error = new Error("told to fail")): void {
    this.#failures.set(this.#applies + n, error);
  }

  async apply(desired: DesiredDhcp): Promise<DhcpOutcome> {
    const { id } = desired.view.network;
    if (this.#busy.has(id)) throw new Error(`two calls for network ${id} overlap`);
    this.#busy.add(id);
    try {
      this.calls.push({ verb: "apply", network: id });
      this.#applies += 1;
      await this.onApply(desired);
      const failure = this.#failures.get(this.#applies) ?? (this.broken.has(id) ? new Error("broken network") : undefined);
      if (failure !== undefined) throw failure;
      return this.#take(id, desired);
    } finally {
      this.#busy.delete(id);
    }
  }

  async remove(id: NetworkId): Promise<void> {
    this.calls.push({ verb: "remove", network: id });
    const failure = this.removeFailures.shift();
    if (failure !== undefined) throw failure;
    this.#host.running.delete(id);
    this.#host.dead.delete(id);
  }

  async list(): Promise<readonly NetworkId[]> {
    const failure = this.listFailures.shift();
    if (failure !== undefined) throw failure;
    return [...this.#host.running.keys()];
  }

  async findDead(): Promise<readonly NetworkId[]> {
    this.searches += 1;
    return [...this.#host.dead];
  }

  #take(id: NetworkId, desired: DesiredDhcp): DhcpOutcome {
    const before = this.#host.running.get(id);
    this.#host.running.set(id, desired);
    if (this.#host.dead.delete(id)) return "restarted";
    if (before === undefined) return "started";
    return JSON.stringify(before) === JSON.stringify(desired) ? "unchanged" : "reloaded";
  }
}

export class FakeDeviceManager implements DhcpDeviceManager {
  readonly calls: (Call & { readonly verify?: boolean })[] = [];
  /** Thrown by the next set-ups, in order. */
  readonly setupFailures: Error[] = [];
  /** So many of the next removals fail after `destroy` has returned. */
  failingTeardowns = 0;
  /** What somebody took apart behind the agent's back; a `setup` with `verify` repairs it. */
  readonly damaged = new Set<NetworkId>();
  #hasUnremoved = false;
  readonly #host: FakeHost;
  readonly #hostName: string;

  constructor(host: FakeHost, hostName: string) {
    this.#host = host;
    this.#hostName = hostName;
  }

  async setup(view: NetworkView, dhcpPort: Port, options: { readonly verify: boolean }): Promise<DhcpDevice> {
    this.calls.push({ verb: "setup", network: view.network.id, verify: options.verify });
    const failure = this.setupFailures.shift();
    if (failure !== undefined) throw failure;
    if (options.verify) this.damaged.delete(view.network.id);
    this.#host.devices.set(view.network.id, dhcpPort);
    return { namespace: dhcpNamespaceName("", view.network.id), interfaceName: this.getInterfaceName(dhcpPort.id) };
  }

  async destroy(id: NetworkId): Promise<void> {
    this.calls.push({ verb: "destroy", network: id });
    this.#hasUnremoved = this.failingTeardowns > 0;
    if (this.#hasUnremoved) {
      this.failingTeardowns -= 1;
      return;
    }
    this.#host.devices.delete(id);
  }

  async list(): Promise<readonly NetworkId[]> {
    return [...this.#host.devices.keys()];
  }

  hasUnremoved(): boolean {
    return this.#hasUnremoved;
  }

  findDamaged(): readonly NetworkId[] {
    return [...this.damaged];
  }

  getInterfaceName(port: PortId): string {
    return namespaceDeviceName(port);
  }

  getDeviceId(network: NetworkId): string {
    return dhcpDeviceId(this.#hostName, network);
  }
}
