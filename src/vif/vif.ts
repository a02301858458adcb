// An instance's interface on this host: joined to the network's bridge on one side, in the instance on the other.
import { NetloomError } from "../base/errors.ts";
import { createBridgeLines, deleteBridgeIfEmpty, noAddressLines, retryWhilePassing, withBridgeLock } from "../linux/bridge.ts";
import { type CommandRunner, runChecked } from "../linux/command-runner.ts";
import { type DeviceState, ipLine, parseDevices, readDeviceNames, runIpBatch } from "../linux/ip.ts";
import { isNamespace } from "../linux/netns.ts";
import { bridgeName, tapName } from "../model/device-names.ts";
import type { NetworkId, PortId } from "../model/ids.ts";
import { listVifPorts, readVifRecord, removeVifRecord, type VifRecord, type VifTarget, writeVifRecord } from "./vif-record.ts";

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
    await retryWhilePassing(async () =>
      withBridgeLock(record.bridge, async () => {
        const others = await findLonely(options.stateDir, record);
        await ensureVif(options.runner, record, present);
        const lines = others.map((tap) => ipLine("link", "set", tap, "master", record.bridge));
        await runIpBatch(options.runner, lines, { isLenient: true });
      }),
    );
  } catch (error) {
    // What was plugged before stays; a first plug that failed leaves nothing.
    if (present === undefined) await unplugPort({ ...options, portId: record.portId });
    throw error;
  }
  return record;
}

/** Taps of the network's other instances on this host, when there is no bridge: somebody has removed it under them. */
async function findLonely(stateDir: string, { bridge, portId, networkId }: VifRecord): Promise<readonly string[]> {
  const names = readDeviceNames();
  if (names.has(bridge)) return [];
  const records = await Promise.all((await listVifPorts(stateDir)).map((id) => readVifRecord(stateDir, id)));
  const others = records.filter((one) => one !== undefined && one.networkId === networkId && one.portId !== portId);
  return others.flatMap((one) => (one !== undefined && names.has(one.tap) ? one.tap : []));
}

export interface UnplugOptions {
  readonly runner: CommandRunner;
  readonly stateDir: string;
  readonly portId: PortId;
}

/** Absent is success: `undefined` when nothing was plugged. Removes the bridge too when nothing is left in it. */
export async function unplugPort({ runner, stateDir, portId }: UnplugOptions): Promise<PluggedVif | undefined> {
  if (!(await listVifPorts(stateDir)).includes(portId)) return undefined;
  const record = await readVifRecord(stateDir, portId);
  // What an unreadable record would say is known by the port's id, and the bridge by its member.
  const tap = record?.tap ?? tapName(portId);
  const bridge = record?.bridge ?? (await readBridgeOf(runner, tap));
  await withBridgeLock(bridge ?? tap, async () => {
    await deleteTap(runner, tap, portId);
    if (bridge !== undefined) await deleteBridgeIfEmpty(runner, bridge);
  });
  await removeVifRecord(stateDir, portId);
  return record;
}

async function deleteTap(runner: CommandRunner, tap: string, id: PortId): Promise<void> {
  if (!readDeviceNames().has(tap)) return;
  await runIpBatch(runner, [ipLine("link", "del", tap)], { isLenient: true });
  if (readDeviceNames().has(tap)) throw new NetloomError("COMMAND_FAILED", `device ${tap} of port ${id} cannot be removed`);
}

async function readBridgeOf(runner: CommandRunner, device: string): Promise<string | undefined> {
  if (!readDeviceNames().has(device)) return undefined;
  const links: unknown = JSON.parse(await runChecked(runner, ["ip", "-j", "link", "show", device]));
  const master = Array.isArray(links) ? (links[0] as { readonly master?: unknown } | undefined)?.master : undefined;
  return typeof master === "string" ? master : undefined;
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

async function ensureVif(runner: CommandRunner, record: VifRecord, before: VifRecord | undefined): Promise<void> {
  const names = readDeviceNames();
  const mtu = record.mtuBytes === 0 ? [] : ["mtu", record.mtuBytes];
  const lines = names.has(record.bridge) ? [ipLine("link", "set", record.bridge, "up")] : [...createBridgeLines(record.bridge)];
  const isWhole = names.has(record.tap) && (await isComplete(runner, record));
  if (!isWhole) {
    await refuseTakenName(runner, record, names.has(record.tap) ? [record.macAddress, before?.macAddress] : []);
    if (names.has(record.tap)) lines.push(ipLine("link", "del", record.tap));
    lines.push(...createLines(record, mtu));
  }
  if (record.mtuBytes > 0) lines.push(ipLine("link", "set", record.tap, ...mtu));
  lines.push(...noAddressLines(record.tap, record.mtuBytes));
  // A device that is up gets a link-local address at the moment in which its MTU is raised far enough for IPv6.
  if (isWhole) lines.push(ipLine("addr", "flush", "dev", record.tap));
  lines.push(ipLine("link", "set", record.tap, "master", record.bridge, "up"));
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

/** @param ownMacs of the device that would be ours: the port's MAC now, and at the last plug */
async function refuseTakenName(
  runner: CommandRunner,
  { target }: VifRecord,
  ownMacs: readonly (string | undefined)[],
): Promise<void> {
  if (target.kind === "tap") return;
  const device = (await devicesIn(runner, target.netns)).find((one) => one.name === target.deviceName);
  if (device === undefined || ownMacs.includes(device.macAddress)) return;
  throw new NetloomError(
    "CONFLICT",
    `namespace ${target.netns} already has a device ${target.deviceName} (${device.macAddress}): choose another name`,
  );
}
