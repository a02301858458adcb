// `<state>/dhcp/<network id>/device.json`: written before anything is made, removed after everything is gone. So a kill at
// any line leaves it naming at least all that exists, and any later agent — or `netloom down` — can remove that.
import { appendFileSync, existsSync } from "node:fs";
import { rmdir } from "node:fs/promises";
import { join } from "node:path";
import {
  ensureDirectory,
  isErrno,
  readDirectoryIfPresent,
  readFileIfPresentSync,
  removeFile,
  writeFileAtomicSync,
} from "../linux/atomic-file.ts";
import { bridgeName, dhcpNamespaceName } from "../model/device-names.ts";
import { isUuid, type NetworkId, networkId } from "../model/ids.ts";
import type { InterfaceDriverSettings } from "./interface-driver.ts";

export interface DeviceMark {
  readonly networkId: NetworkId;
  readonly namespace: string;
  readonly bridge: string;
  /** Every tap that this network's DHCP port may have: more than one after the port was replaced. */
  readonly taps: readonly string[];
  /** Which driver made it; absent in marks that are older than drivers: a Linux bridge. */
  readonly driver?: InterfaceDriverSettings | undefined;
  /** Set once the device was made: what it is, and the namespace that it is in. */
  readonly ready?: { readonly fingerprint: string; readonly namespaceInode: number } | undefined;
}

const fileName = "device.json";

export function networkDirectory(stateDir: string, id: NetworkId): string {
  return join(stateDir, "dhcp", id);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && /^[A-Za-z0-9_.-]{1,200}$/.test(value);
}

/** Checked, because its names go into commands; `undefined` when it is not one of ours. */
function parseMark(id: NetworkId, text: string): DeviceMark | undefined {
  try {
    const { namespace, bridge, taps, ready, driver } = JSON.parse(text);
    if (!isText(namespace) || !isText(bridge) || !Array.isArray(taps) || !taps.every(isText)) return undefined;
    const isReady = typeof ready?.fingerprint === "string" && typeof ready?.namespaceInode === "number";
    return { networkId: id, namespace, bridge, taps, driver: parseDriver(driver), ready: isReady ? ready : undefined };
  } catch {
    return undefined;
  }
}

function parseDriver(value: unknown): InterfaceDriverSettings {
  const { kind, bridge, database } = Object(value);
  if (kind !== "openvswitch" || !isText(bridge) || typeof database !== "string") return { kind: "bridge" };
  return { kind, bridge, database };
}

/** `undefined` when there is no mark. An unreadable one (power cut) still tells the network, and that the names. */
export async function readMark(stateDir: string, prefix: string, id: NetworkId): Promise<DeviceMark | undefined> {
  const text = readFileIfPresentSync(join(networkDirectory(stateDir, id), fileName));
  if (text === undefined) return undefined;
  // A line that was not written to its end is none; the one before it names all that there is, too.
  for (const line of text.trimEnd().split("\n").reverse()) {
    const mark = parseMark(id, line);
    if (mark !== undefined) return mark;
  }
  return { networkId: id, namespace: dhcpNamespaceName(prefix, id), bridge: bridgeName(id), taps: [] };
}

/** Small and on the way of every new network: at once, where handing it to a thread would cost more than the write. */
export async function writeMark(stateDir: string, mark: DeviceMark): Promise<void> {
  const directory = networkDirectory(stateDir, mark.networkId);
  const write = (): void => writeFileAtomicSync(join(directory, fileName), `${JSON.stringify(mark)}\n`);
  try {
    write();
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
    await ensureDirectory(directory);
    write();
  }
}

/** One more line, the last of which counts: to make another file is what takes a file system its time. */
export function appendMark(stateDir: string, mark: DeviceMark): void {
  appendFileSync(join(networkDirectory(stateDir, mark.networkId), fileName), `${JSON.stringify(mark)}\n`);
}

/** The directory stays while somebody else, such as the DHCP driver, has files in it. */
export async function removeMark(stateDir: string, id: NetworkId): Promise<void> {
  const directory = networkDirectory(stateDir, id);
  await removeFile(join(directory, fileName));
  try {
    await rmdir(directory);
  } catch (error) {
    if (!isErrno(error, "ENOENT", "ENOTEMPTY", "EEXIST")) throw error;
  }
}

export async function listMarks(stateDir: string): Promise<readonly NetworkId[]> {
  const entries = await readDirectoryIfPresent(join(stateDir, "dhcp"));
  const ids = entries.filter(isUuid).map(networkId);
  return ids.filter((id) => existsSync(join(networkDirectory(stateDir, id), fileName)));
}
