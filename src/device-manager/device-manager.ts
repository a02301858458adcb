// The agent's DHCP port as a device inside `qdhcp-<network>`, joined to the network by an interface driver.
import { type Logger, silentLogger } from "../base/logger.ts";
import type { DhcpDevice, DhcpDeviceManager, SetupOptions } from "../drivers/dhcp-driver.ts";
import { retryWhilePassing } from "../linux/bridge.ts";
import type { CommandRunner } from "../linux/command-runner.ts";
import { IpBatcher } from "../linux/ip-batcher.ts";
import { hasDevice } from "../linux/ip.ts";
import { type NamespaceRunner, NamespaceWorker, netlink } from "../linux/namespace-worker.ts";
import { deleteLink } from "../linux/netlink.ts";
import { isNamespace, namespaceInode, removeStaleNamespaceFile } from "../linux/netns.ts";
import { hasIpv6 } from "../linux/sysctl.ts";
import { dhcpDeviceId, namespaceDeviceName, tapName } from "../model/device-names.ts";
import type { NetworkId, PortId } from "../model/ids.ts";
import type { NetworkView, Port } from "../model/network.ts";
import { appendMark, type DeviceMark, listMarks, readMark, removeMark, writeMark } from "./device-mark.ts";
import { nothingInside, planInside } from "./device-plan.ts";
import { buildDeviceSpec, type DeviceSpec, specFingerprint } from "./device-spec.ts";
import type { HostTools } from "./host-tools.ts";
import type { InterfaceDriver, InterfaceDriverSettings } from "./interface-driver.ts";
import { createInterfaceDriver } from "./interface-drivers.ts";
import { LeftBridges } from "./left-bridges.ts";
import { readInside } from "./namespace-side.ts";
import { Teardowns } from "./teardowns.ts";

export interface DeviceManagerOptions {
  readonly runner: CommandRunner;
  readonly stateDir: string;
  /** Name of this machine, as in `binding:host_id`. */
  readonly host: string;
  readonly namespacePrefix?: string | undefined;
  /** Linux bridges when not given. What was made by another driver is removed by that one. */
  readonly interfaceDriver?: InterfaceDriverSettings | undefined;
  /** Taps of instances are not members of their network's bridge: left alone when a bridge is made anew. */
  readonly areInstancesRouted?: boolean | undefined;
  readonly worker?: NamespaceRunner | undefined;
  /** Whether this kernel has IPv6; looked up when not given. */
  readonly hasIpv6?: boolean | undefined;
  readonly log?: Logger | undefined;
}

interface KnownDevice extends NonNullable<DeviceMark["ready"]> {
  readonly namespace: string;
  readonly bridge: string;
  readonly tap: string;
}

export class DeviceManager implements DhcpDeviceManager {
  readonly #options: DeviceManagerOptions;
  readonly #prefix: string;
  readonly #hasIpv6: boolean;
  readonly #tools: HostTools;
  readonly #driver: InterfaceDriver;
  readonly #teardowns: Teardowns;
  readonly #leftBridges: LeftBridges;
  /** What this process made or found complete. */
  readonly #known = new Map<NetworkId, KnownDevice>();

  /** @throws NetloomError INVALID for an unknown interface driver */
  constructor(options: DeviceManagerOptions) {
    const { runner, worker = new NamespaceWorker() } = options;
    this.#options = options;
    this.#prefix = options.namespacePrefix ?? "";
    this.#hasIpv6 = options.hasIpv6 ?? hasIpv6();
    this.#tools = { runner, worker, removals: new IpBatcher(runner) };
    this.#driver = createInterfaceDriver(this.#tools, options.interfaceDriver ?? { kind: "bridge" });
    this.#teardowns = new Teardowns(options.log ?? silentLogger);
    this.#leftBridges = new LeftBridges(options.stateDir);
  }

  getInterfaceName(port: PortId): string {
    return namespaceDeviceName(port);
  }

  getDeviceId(network: NetworkId): string {
    return dhcpDeviceId(this.#options.host, network);
  }

  async list(): Promise<readonly NetworkId[]> {
    return listMarks(this.#options.stateDir);
  }

  async setup(view: NetworkView, dhcpPort: Port, options: SetupOptions): Promise<DhcpDevice> {
    const spec = buildDeviceSpec({
      ...{ namespacePrefix: this.#prefix, bridge: this.#driver.bridgeOf(view.network.id), hasIpv6: this.#hasIpv6 },
      ...{ view, dhcpPort, metadata: options.metadata },
    });
    const device = { namespace: spec.namespace, interfaceName: spec.device };
    if (!options.verify && (await this.#isReady(spec))) return device;
    await this.#make(spec, this.#otherTaps(view, spec));
    return device;
  }

  #otherTaps({ ports }: NetworkView, { portId }: DeviceSpec): readonly string[] {
    if (this.#options.areInstancesRouted === true) return [];
    return ports.flatMap(({ id }) => (id === portId ? [] : tapName(id)));
  }

  /** No child: by what this process or an earlier one noted, and by a look whether namespace and tap are still there. */
  async #isReady(spec: DeviceSpec): Promise<boolean> {
    const inode = namespaceInode(spec.namespace);
    const fingerprint = specFingerprint(spec);
    const known = this.#known.get(spec.networkId);
    if (known !== undefined) {
      return known.fingerprint === fingerprint && known.namespaceInode === inode && this.#driver.isPlugged(spec);
    }

    const { ready } = (await readMark(this.#options.stateDir, this.#prefix, spec.networkId)) ?? {};
    if (ready === undefined || ready.fingerprint !== fingerprint || ready.namespaceInode !== inode) return false;
    if (!hasDevice(spec.tap) || !this.#driver.isPlugged(spec)) return false;
    this.#remember(spec, ready);
    return true;
  }

  #remember({ networkId, namespace, bridge, tap }: DeviceSpec, ready: NonNullable<DeviceMark["ready"]>): void {
    this.#known.set(networkId, { ...ready, namespace, bridge, tap });
  }

  /** See DhcpDeviceManager. One that is being set up or destroyed is not known, so nobody takes that for damage. */
  findDamaged(): readonly NetworkId[] {
    const isDamaged = (known: KnownDevice): boolean =>
      namespaceInode(known.namespace) !== known.namespaceInode || !this.#driver.isPlugged(known);
    const damaged = [...this.#known].filter(([, known]) => isDamaged(known)).map(([id]) => id);
    for (const id of damaged) this.#known.delete(id);
    return damaged;
  }

  async #make(spec: DeviceSpec, otherTaps: readonly string[]): Promise<void> {
    const { stateDir } = this.#options;
    const { networkId, namespace, bridge, tap } = spec;
    this.#known.delete(networkId);
    await this.#teardowns.settled(networkId);
    this.#teardowns.forget(networkId);
    const before = await this.#takeOver(await readMark(stateDir, this.#prefix, networkId));
    const taps = [...new Set([...(before?.taps ?? []), tap])];
    const mark: DeviceMark = { networkId, namespace, bridge, taps, driver: this.#driver.settings };
    await writeMark(stateDir, mark);
    try {
      const staleTaps = taps.filter((one) => one !== tap);
      if (staleTaps.length > 0) await this.#driver.unplug({ bridge, taps: staleTaps });
      await retryWhilePassing(() => this.#ensure({ ...spec, otherTaps }));
    } catch (error) {
      // Nothing half-made stays behind on a network that had nothing: else every retry would leave one more tap.
      if (before === undefined) await this.#rollBack(mark);
      throw error;
    }
    const ready = { fingerprint: specFingerprint(spec), namespaceInode: namespaceInode(namespace) ?? 0 };
    appendMark(stateDir, { ...mark, taps: [tap], ready });
    this.#remember(spec, ready);
  }

  /** Removes what another driver made; its mark is then of no use. */
  async #takeOver(before: DeviceMark | undefined): Promise<DeviceMark | undefined> {
    if (before === undefined || JSON.stringify(this.#driverOf(before).settings) === JSON.stringify(this.#driver.settings)) {
      return before;
    }
    await this.#driverOf(before).unplug(before);
    return { ...before, taps: [] };
  }

  #driverOf({ driver }: DeviceMark): InterfaceDriver {
    return createInterfaceDriver(this.#tools, driver ?? { kind: "bridge" });
  }

  /** Looks, plans and applies: the host's side first. */
  async #ensure(spec: DeviceSpec): Promise<void> {
    const { worker } = this.#tools;
    const { namespace, device } = spec;
    const host = await this.#driver.look(spec);
    const wanted = { device, hasIpv6: this.#hasIpv6 };
    let inside = isNamespace(namespace) ? await readInside(worker, namespace, wanted) : nothingInside;
    const hasInner = inside.devices.some((one) => one.name === device);
    if (host === "absent" || !hasInner) {
      // One whose other end is not on this host is in the way.
      if (hasInner && host === "absent") await worker.run(namespace, [netlink(deleteLink(device))]);
      await this.#driver.plug(spec);
      inside = { ...inside, devices: inside.devices.filter((one) => one.name !== device) };
    } else if (host === "differs") {
      await this.#driver.update(spec);
    }
    await worker.run(namespace, planInside(spec, inside, this.#hasIpv6));
  }

  /** Best effort: what cannot be removed now stays named by the mark, and the reason of the plug's failure matters more. */
  async #rollBack(mark: DeviceMark): Promise<void> {
    try {
      await this.#removeNamespace(mark.namespace);
      await this.#removeRest(mark);
    } catch {
      this.#known.delete(mark.networkId);
    }
  }

  /** Returns when the namespace is gone; tap and bridge follow by themselves, see `settle`. */
  async destroy(network: NetworkId): Promise<void> {
    this.#known.delete(network);
    await this.#teardowns.settled(network);
    const mark = await readMark(this.#options.stateDir, this.#prefix, network);
    // Without our mark a namespace of that name is somebody else's.
    if (mark === undefined) return;
    await this.#removeNamespace(mark.namespace);
    this.#teardowns.start(network, () => this.#removeRest(mark));
  }

  /** Resolves when everything that was destroyed is gone, or is left to whoever reads its mark. */
  async settle(): Promise<void> {
    await this.#teardowns.allSettled();
  }

  hasUnremoved(): boolean {
    return this.#teardowns.hasDue;
  }

  /** See DhcpDeviceManager. */
  async tidy(): Promise<void> {
    const driver = createInterfaceDriver(this.#tools, { kind: "bridge" });
    await this.#leftBridges.removeEmpty((bridge) => driver.unplug({ bridge, taps: [] }));
  }

  async #removeNamespace(namespace: string): Promise<void> {
    if (!isNamespace(namespace)) return removeStaleNamespaceFile(namespace);
    try {
      await this.#tools.worker.run(undefined, [{ kind: "removeNamespace", name: namespace }]);
    } catch (error) {
      if (isNamespace(namespace)) throw error;
    }
  }

  async #removeRest(mark: DeviceMark): Promise<void> {
    const { bridge, taps } = mark;
    const driver = this.#driverOf(mark);
    await driver.unplug({ bridge, taps, areVanishing: true });
    // Before the mark goes: somebody must know of it.
    if (driver.settings.kind === "bridge" && hasDevice(bridge)) await this.#leftBridges.add(bridge);
    await removeMark(this.#options.stateDir, mark.networkId);
  }
}
