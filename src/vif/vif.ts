// An instance's interface on this host: joined to the network's bridge on one side, in the instance on the other.
import { NetloomError } from "../base/errors.ts";
import { createBridgeLines, deleteBridgeIfEmpty, noAddressLines, retryWhilePassing, withBridgeLock } from "../linux/bridge.ts";
import { type CommandRunner, runChecked } from "../linux/command-runner.ts";
import { type DeviceState, ipLine, parseDevices, readDeviceNames, runIpBatch } from "../linux/ip.ts";
import { isNamespace } from "../linux/netns.ts";
import { bridgeName, tapName } from "../model/device-names.ts";
import type { NetworkId, PortId } from "../model/ids.ts";
import {
  listVifRecords,
  readVifRecord,
  removeVifRecord,
  type VifRecord,
  type VifTarget,
  writeVifRecord,
} from "./vif-record.ts";

export interface VifPort {
  readonly id: PortId;
  readonly networkId: NetworkId;
  readonly macAddress: string;
  /** 0: the kernel's default. */
  readonly mtuBytes: number;
}

export interface PlugOptions {
  readonly runner: CommandRunner;
  readonly stateDir: string;
  readonly port: VifPort;
  /** `deviceName`: eth0 when not given. */
  readonly target: { readonly netns: string; readonly deviceName?: string | undefined } | { readonly tap: true };
}

export interface PluggedVif {
  readonly portId: PortId;
  readonly networkId: NetworkId;
  /** Host side: the member of the bridge, and for `tap: true` what the hypervisor opens. */
  readonly tap: string;
  readonly bridge: string;
  readonly target: VifTarget;
}

/** Idempotent. CONFLICT when the instance has another device of that name, or the port is plugged elsewhere on this host. */
export async function plugPort(options: PlugOptions): Promise<PluggedVif> {
  const record = buildRecord(options);
  const present = await readVifRecord(options.stateDir, record.portId);
  const isPlugged = present !== undefined && readDeviceNames().has(present.tap);
  if (isPlugged && targetKey(present.target) !== targetKey(record.target)) {
    throw new NetloomError("CONFLICT", `port ${record.portId} is plugged ${describe(present.target)}: unplug it first`);
  }
  if (record.target.kind === "netns" && !isNamespace(record.target.netns)) {
    throw new NetloomError("NOT_FOUND", `there is no network namespace ${record.target.netns}`);
  }
  await writeVifRecord(options.stateDir, record);
  try {
    await retryWhilePassing(async () => withBridgeLock(record.bridge, async () => ensureVif(options.runner, record)));
  } catch (error) {
    // What was plugged before stays; a first plug that failed leaves nothing.
    if (present === undefined) await unplugPort({ ...options, portId: record.portId });
    throw error;
  }
  return record;
}

export interface UnplugOptions {
  readonly runner: CommandRunner;
  readonly stateDir: string;
  readonly portId: PortId;
}

/** Absent is success: `undefined` when nothing was plugged. Removes the bridge too when nothing is left in it. */
export async function unplugPort({ runner, stateDir, portId }: UnplugOptions): Promise<PluggedVif | undefined> {
  const record = await readVifRecord(stateDir, portId);
  if (record === undefined) return undefined;
  await withBridgeLock(record.bridge, async () => {
    if (readDeviceNames().has(record.tap)) {
      await runIpBatch(runner, [ipLine("link", "del", record.tap)], { isLenient: true });
      if (readDeviceNames().has(record.tap)) {
        throw new NetloomError("COMMAND_FAILED", `device ${record.tap} of port ${portId} cannot be removed`);
      }
    }
    await deleteBridgeIfEmpty(runner, record.bridge);
  });
  await removeVifRecord(stateDir, portId);
  return record;
}

export async function listPlugged(stateDir: string): Promise<readonly PluggedVif[]> {
  return listVifRecords(stateDir);
}

function buildRecord({ port, target }: PlugOptions): VifRecord {
  return {
    portId: port.id,
    networkId: port.networkId,
    macAddress: port.macAddress,
    mtuBytes: port.mtuBytes,
    bridge: bridgeName(port.networkId),
    tap: tapName(port.id),
    target:
      "tap" in target
        ? { kind: "tap" }
        : { kind: "netns", netns: target.netns, deviceName: checkDeviceName(target.deviceName ?? "eth0") },
  };
}

function checkDeviceName(name: string): string {
  if (/^[A-Za-z0-9_.-]{1,15}$/.test(name) && name !== "." && name !== "..") return name;
  throw new NetloomError("INVALID", `not a name for a device: ${JSON.stringify(name.slice(0, 32))}`);
}

const targetKey = (target: VifTarget): string => (target.kind === "tap" ? "tap" : `${target.netns}/${target.deviceName}`);

const describe = (target: VifTarget): string =>
  target.kind === "tap" ? "as a tap" : `as ${target.deviceName} in namespace ${target.netns}`;

async function ensureVif(runner: CommandRunner, record: VifRecord): Promise<void> {
  const names = readDeviceNames();
  const mtu = record.mtuBytes === 0 ? [] : ["mtu", record.mtuBytes];
  const lines = names.has(record.bridge) ? [ipLine("link", "set", record.bridge, "up")] : [...createBridgeLines(record.bridge)];
  const isWhole = names.has(record.tap) && (await isComplete(runner, record));
  if (!isWhole) {
    await refuseTakenName(runner, record, names.has(record.tap));
    if (names.has(record.tap)) lines.push(ipLine("link", "del", record.tap));
    lines.push(...createLines(record, mtu), ...noAddressLines(record.tap));
  }
  lines.push(ipLine("link", "set", record.tap, ...mtu, "master", record.bridge, "up"));
  await runIpBatch(runner, lines);
  if (record.target.kind === "netns") {
    const { netns, deviceName } = record.target;
    await runIpBatch(runner, [ipLine("link", "set", deviceName, ...mtu, "up")], { namespace: netns });
  }
}

/** The instance's end is born where it belongs, with its MAC. A tap has a MAC of its own: the guest's is the hypervisor's matter. */
function createLines(record: VifRecord, mtu: readonly (string | number)[]): readonly string[] {
  const { tap, target, macAddress } = record;
  if (target.kind === "tap") return [ipLine("tuntap", "add", "dev", tap, "mode", "tap")];
  const peer = ["peer", "name", target.deviceName, "netns", target.netns, ...mtu, "address", macAddress];
  return [ipLine("link", "add", tap, ...mtu, "type", "veth", ...peer)];
}

async function devicesIn(runner: CommandRunner, netns: string): Promise<readonly DeviceState[]> {
  return parseDevices((await runChecked(runner, ["ip", "-j", "-n", netns, "addr", "show"])).trim());
}

/** A tap is whole by itself; a pair only with its other end in the right place. */
async function isComplete(runner: CommandRunner, { target, macAddress }: VifRecord): Promise<boolean> {
  if (target.kind === "tap") return true;
  const device = (await devicesIn(runner, target.netns)).find((one) => one.name === target.deviceName);
  return device?.macAddress === macAddress;
}

async function refuseTakenName(runner: CommandRunner, { target, macAddress }: VifRecord, hasTap: boolean): Promise<void> {
  if (target.kind === "tap") return;
  const device = (await devicesIn(runner, target.netns)).find((one) => one.name === target.deviceName);
  if (device === undefined || (hasTap && device.macAddress === macAddress)) return;
  throw new NetloomError(
    "CONFLICT",
    `namespace ${target.netns} already has a device ${target.deviceName} (${device.macAddress}): choose another name`,
  );
}
