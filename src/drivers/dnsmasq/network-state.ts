// The note `state.json` of one network: how far its other files can be believed, and which process has read them.
import { overwriteLinesSync } from "../../linux/atomic-file.ts";
import type { ProcessIdentity } from "../../linux/process-table.ts";

/**
 * `running`: the base files have the hash given, and this server has read them and everything in the small directories.
 * `changing`: somebody was between two steps; nothing is certain but that a server may run, and whether that must not be
 * told to reload (see `HostMemory.isTagged`).
 */
export type NetworkState =
  | { readonly phase: "running"; readonly baseHash: string; readonly server: ProcessIdentity }
  | { readonly phase: "changing"; readonly isTagged: boolean };

const unknown: NetworkState = { phase: "changing", isTagged: true };

/** A text that makes no sense says no more than that somebody was here. */
export function parseNetworkState(text: string): NetworkState {
  try {
    const state: unknown = JSON.parse(text);
    if (!isRecord(state)) return unknown;
    if (state["phase"] === "changing") return { phase: "changing", isTagged: state["isTagged"] !== false };
    if (!isRecord(state["server"])) return unknown;
    const { phase, baseHash, server } = state;
    const { pid, startTime } = server;
    if (phase !== "running" || typeof baseHash !== "string") return unknown;
    if (typeof pid !== "number" || typeof startTime !== "number") return unknown;
    return { phase, baseHash, server: { pid, startTime } };
  } catch {
    return unknown;
  }
}

/**
 * Not forced to the disk: after a power cut no process is left that the note could be about, and the process that it names by
 * pid and start time is looked up each time. In place, since it is read by this process and its successors alone, and is so
 * short that a kill does not divide the write.
 */
export function writeNetworkState(path: string, state: NetworkState): void {
  overwriteLinesSync(path, `${JSON.stringify(state)}\n`);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
