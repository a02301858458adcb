// `<state>/l3/routers/<router id>.json`: written before anything is made, removed after everything is gone. So a kill at any line
// leaves it naming at least all that exists, and any later agent, or `netloom down`, can remove that.
import { join } from "node:path";
import {
  ensureDirectory,
  readDirectoryIfPresent,
  readFileIfPresent,
  removeFile,
  removeStaleTemporaries,
  writeFileAtomic,
} from "../../linux/atomic-file.ts";
import { isUuid, type RouterId, routerId } from "../../model/ids.ts";

export interface MarkedTap {
  readonly tap: string;
  readonly bridge: string;
  readonly isForeignBridge: boolean;
}

export interface RouterMark {
  readonly routerId: RouterId;
  readonly namespace: string;
  /** Every tap that the router may have. */
  readonly taps: readonly MarkedTap[];
  /** Set once all was made: what it is, where, and since when. */
  readonly ready?:
    | {
        readonly fingerprint: string;
        readonly namespaceInode: number;
        readonly epoch: string;
        /** Of the rules as nft lists them; null: not looked at yet. */
        readonly rulesHash: string | null;
      }
    | undefined;
}

const directoryOf = (stateDir: string): string => join(stateDir, "l3", "routers");
const fileOf = (stateDir: string, id: RouterId): string => join(directoryOf(stateDir), `${id}.json`);

const isName = (value: unknown): value is string => typeof value === "string" && /^[A-Za-z0-9_.-]{1,200}$/.test(value);

/** Checked, because its names go into commands; `undefined` when it is not one of ours. */
function parseMark(id: RouterId, text: string): RouterMark | undefined {
  try {
    const { namespace, taps, ready } = JSON.parse(text);
    if (!isName(namespace) || !Array.isArray(taps)) return undefined;
    if (!taps.every((one) => isName(one?.tap) && isName(one?.bridge))) return undefined;
    const isReady =
      typeof ready?.fingerprint === "string" && typeof ready?.namespaceInode === "number" && typeof ready?.epoch === "string";
    return {
      routerId: id,
      namespace,
      taps: taps.map(({ tap, bridge, isForeignBridge }) => ({ tap, bridge, isForeignBridge: isForeignBridge === true })),
      ready: isReady ? { ...ready, rulesHash: typeof ready.rulesHash === "string" ? ready.rulesHash : null } : undefined,
    };
  } catch {
    return undefined;
  }
}

/** `undefined` when there is none. An unreadable one (power cut) still tells that the router's names may exist. */
export async function readRouterMark(stateDir: string, id: RouterId, namespace: string): Promise<RouterMark | undefined> {
  const text = await readFileIfPresent(fileOf(stateDir, id));
  return text === undefined ? undefined : (parseMark(id, text) ?? { routerId: id, namespace, taps: [] });
}

export async function writeRouterMark(stateDir: string, mark: RouterMark): Promise<void> {
  await ensureDirectory(directoryOf(stateDir));
  await writeFileAtomic(fileOf(stateDir, mark.routerId), `${JSON.stringify(mark)}\n`);
}

export async function removeRouterMark(stateDir: string, id: RouterId): Promise<void> {
  await removeFile(fileOf(stateDir, id));
}

/** On the way files go that a killed process was about to put in place. */
export async function listRouterMarks(stateDir: string): Promise<readonly RouterId[]> {
  for (const folder of ["routers", "ready", "radvd", "spare"]) await removeStaleTemporaries(join(stateDir, "l3", folder));
  const names = (await readDirectoryIfPresent(directoryOf(stateDir))) ?? [];
  return names.filter((name) => name.endsWith(".json") && isUuid(name.slice(0, -5))).map((name) => routerId(name.slice(0, -5)));
}
