// `<state>/vif/<port id>.json`: written before an instance's interface is made and removed after it is gone, so that an
// unplug, or `netloom down`, finds all that may be there.
import { join } from "node:path";
import {
  ensureDirectory,
  readDirectoryIfPresent,
  readFileIfPresent,
  removeFile,
  writeFileAtomic,
} from "../linux/atomic-file.ts";
import { isUuid, networkId, type NetworkId, portId, type PortId } from "../model/ids.ts";

/** `netns`: a device inside a namespace, as containers have; `tap`: a device for a hypervisor to open. */
export type VifTarget =
  | { readonly kind: "netns"; readonly netns: string; readonly deviceName: string }
  | { readonly kind: "tap" };

export interface VifRecord {
  readonly portId: PortId;
  readonly networkId: NetworkId;
  readonly macAddress: string;
  readonly mtuBytes: number;
  readonly bridge: string;
  readonly tap: string;
  readonly target: VifTarget;
}

const directoryOf = (stateDir: string): string => join(stateDir, "vif");
const fileOf = (stateDir: string, id: PortId): string => join(directoryOf(stateDir), `${id}.json`);

function isName(value: unknown): value is string {
  return typeof value === "string" && /^[A-Za-z0-9_.-]{1,200}$/.test(value);
}

function parseTarget(value: {
  readonly kind?: unknown;
  readonly netns?: unknown;
  readonly deviceName?: unknown;
}): VifTarget | undefined {
  if (value.kind === "tap") return { kind: "tap" };
  const { netns, deviceName } = value;
  return value.kind === "netns" && isName(netns) && isName(deviceName) ? { kind: "netns", netns, deviceName } : undefined;
}

function parseRecord(id: PortId, text: string): VifRecord | undefined {
  try {
    const value = JSON.parse(text);
    const target = parseTarget(value.target);
    if (target !== undefined && isName(value.bridge) && isName(value.tap)) {
      const { bridge, tap, macAddress, mtuBytes } = value;
      return { portId: id, networkId: networkId(value.networkId), macAddress, mtuBytes, bridge, tap, target };
    }
  } catch {
    // A crash of the machine can leave a file empty.
  }
  return undefined;
}

/** `undefined` where there is none, and where there is one that cannot be read: then the tap is known by the port's id alone. */
export async function readVifRecord(stateDir: string, id: PortId): Promise<VifRecord | undefined> {
  const text = await readFileIfPresent(fileOf(stateDir, id));
  return text === undefined ? undefined : parseRecord(id, text);
}

export async function writeVifRecord(stateDir: string, record: VifRecord): Promise<void> {
  await ensureDirectory(directoryOf(stateDir));
  await writeFileAtomic(fileOf(stateDir, record.portId), `${JSON.stringify(record)}\n`);
}

export async function removeVifRecord(stateDir: string, id: PortId): Promise<void> {
  await removeFile(fileOf(stateDir, id));
}

/** Ports that have a record, readable or not. */
export async function listVifPorts(stateDir: string): Promise<readonly PortId[]> {
  const names = await readDirectoryIfPresent(directoryOf(stateDir));
  const ids = names.filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -5));
  return ids.filter(isUuid).map(portId);
}
