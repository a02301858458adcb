// The agent's DHCP port as a device inside `qdhcp-<network>`, joined to the network's Linux bridge.
import type { DhcpDevice, DhcpDeviceManager, SetupOptions } from "../drivers/dhcp-driver.ts";
import type { CommandRunner } from "../linux/command-runner.ts";
import { readDeviceNames } from "../linux/ip.ts";
import { namespaceInode } from "../linux/netns.ts";
import { dhcpDeviceId, namespaceDeviceName } from "../model/device-names.ts";
import type { NetworkId, PortId } from "../model/ids.ts";
import type { NetworkView, Port } from "../model/network.ts";
import { ensureDevice, removeDevice } from "./bridge-interface.ts";
import { type DeviceMark, listMarks, readMark, removeMark, writeMark } from "./device-mark.ts";
import { buildDeviceSpec, type DeviceSpec, specFingerprint } from "./device-spec.ts";

export interface DeviceManagerOptions {
  readonly runner: CommandRunner;
  readonly stateDir: string;
  /** Name of this machine, as in `binding:host_id`. */
  readonly host: string;
  readonly namespacePrefix?: string | undefined;
}

export class DeviceManager implements DhcpDeviceManager {
  readonly #options: DeviceManagerOptions;
  readonly #prefix: string;
  /** What this process made or found complete. */
  readonly #known = new Map<NetworkId, NonNullable<DeviceMark["ready"]>>();

  constructor(options: DeviceManagerOptions) {
    this.#options = options;
    this.#prefix = options.namespacePrefix ?? "";
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
    const spec = buildDeviceSpec(this.#prefix, view, dhcpPort);
    const device = { namespace: spec.namespace, interfaceName: spec.device };
    if (!options.verify && (await this.#isReady(spec))) return device;
    await this.#make(spec);
    return device;
  }

  /** No child: by what this process or an earlier one noted, and by a look whether namespace and tap are still there. */
  async #isReady(spec: DeviceSpec): Promise<boolean> {
    const inode = namespaceInode(spec.namespace);
    const fingerprint = specFingerprint(spec);
    const known = this.#known.get(spec.networkId);
    if (known !== undefined) return known.fingerprint === fingerprint && known.namespaceInode === inode;

    const { ready } = (await readMark(this.#options.stateDir, this.#prefix, spec.networkId)) ?? {};
    if (ready === undefined || ready.fingerprint !== fingerprint || ready.namespaceInode !== inode) return false;
    const names = readDeviceNames();
    if (!names.has(spec.tap) || !names.has(spec.bridge)) return false;
    this.#known.set(spec.networkId, ready);
    return true;
  }

  async #make(spec: DeviceSpec): Promise<void> {
    const { runner, stateDir } = this.#options;
    this.#known.delete(spec.networkId);
    const before = await readMark(stateDir, this.#prefix, spec.networkId);
    const mark: DeviceMark = {
      networkId: spec.networkId,
      namespace: spec.namespace,
      bridge: spec.bridge,
      taps: [...new Set([...(before?.taps ?? []), spec.tap])],
    };
    await writeMark(stateDir, mark);
    try {
      await ensureDevice(runner, spec, mark);
    } catch (error) {
      // Nothing half-made stays behind on a network that had nothing: else every retry would leave one more tap.
      if (before === undefined) await this.#rollBack(mark);
      throw error;
    }
    const ready = { fingerprint: specFingerprint(spec), namespaceInode: namespaceInode(spec.namespace) ?? 0 };
    await writeMark(stateDir, { ...mark, taps: [spec.tap], ready });
    this.#known.set(spec.networkId, ready);
  }

  /** Best effort: what cannot be removed now stays named by the mark, and the reason of the plug's failure matters more. */
  async #rollBack(mark: DeviceMark): Promise<void> {
    try {
      await removeDevice(this.#options.runner, mark);
      await removeMark(this.#options.stateDir, mark.networkId);
    } catch {
      this.#known.delete(mark.networkId);
    }
  }

  async destroy(network: NetworkId): Promise<void> {
    const { runner, stateDir } = this.#options;
    this.#known.delete(network);
    const mark = await readMark(stateDir, this.#prefix, network);
    // Without our mark a namespace of that name is somebody else's.
    if (mark === undefined) return;
    await removeDevice(runner, mark);
    await removeMark(stateDir, network);
  }
}
