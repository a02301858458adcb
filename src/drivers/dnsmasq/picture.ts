// What this process knows of a network's running server, and what one `apply` works with.
import type { ProcessIdentity } from "../../linux/process-table.ts";
import type { DesiredDhcp } from "../dhcp-driver.ts";
import type { DesiredFiles } from "./desired-files.ts";
import type { NetworkFiles } from "./network-files.ts";
import type { LoadedFiles } from "./plan.ts";

export interface Picture {
  readonly server: ProcessIdentity;
  readonly argvText: string;
  readonly namespace: string;
  /** Of the namespace that the server was started in: another one may have its name since. */
  readonly namespaceInode: number | undefined;
  readonly loaded: LoadedFiles;
  readonly changedAtMs: number;
  /** Addresses whose leases are still to be released; undefined: whatever the lease file has too many. */
  readonly pending: readonly string[] | undefined;
}

export interface Work {
  readonly desired: DesiredDhcp;
  readonly files: NetworkFiles;
  readonly argv: readonly string[];
  readonly target: DesiredFiles;
  readonly loaded: LoadedFiles | undefined;
  readonly server: ProcessIdentity | undefined;
  /** The server must not be told to reload, see `HostMemory.isTagged`. */
  readonly isTagged: boolean;
}

/** Both lists, or "not known" when one of them is not. */
export function mergeFreed(
  one: readonly string[] | undefined,
  other: readonly string[] | undefined,
): readonly string[] | undefined {
  return one === undefined || other === undefined ? undefined : [...one, ...other];
}
