// Processes that outlive us: found again by pid file and command line, told apart from a later holder of the same pid by
// their start time.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { NetloomError } from "../base/errors.ts";
import { isErrno } from "./atomic-file.ts";

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot; with the pid, names one process for ever. */
  readonly startTime: number;
}

export interface ProcessState extends ProcessIdentity {
  readonly argv: readonly string[];
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch (error) {
    // ESRCH: it ended between open and read.
    if (isErrno(error, "ENOENT", "ESRCH")) return undefined;
    throw error;
  }
}

export interface ProcessLook {
  readonly startTime: number;
  /** One letter, see proc_pid_stat(5): R runs, S sleeps, D sleeps and hears no signal, T is stopped. */
  readonly state: string;
}

/** `undefined` for a pid that nobody holds. A zombie counts as gone: in a container nobody may ever reap it. */
export function lookAtProcess(pid: number): ProcessLook | undefined {
  const stat = readProc(pid, "stat");
  if (stat === undefined) return undefined;
  // The name in parentheses may hold spaces and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state = ""] = fields;
  return state === "Z" || state === "X" ? undefined : { startTime: Number(fields[19]), state };
}

/** See `lookAtProcess`. */
export function readStartTime(pid: number): number | undefined {
  return lookAtProcess(pid)?.startTime;
}

export function isAlive(process: ProcessIdentity): boolean {
  return readStartTime(process.pid) === process.startTime;
}

/**
 * Whether a process runs under this number, at a quarter of the price of `isAlive`; a later holder of the number is not told
 * from the first. Not a zombie: that has no directory any more. False also where we may not look.
 */
export function isPidHeld(pid: number): boolean {
  return existsSync(`/proc/${pid}/cwd`);
}

export function readProcess(pid: number): ProcessState | undefined {
  const startTime = readStartTime(pid);
  const commandLine = readProc(pid, "cmdline");
  if (startTime === undefined || commandLine === undefined || commandLine === "") return undefined;
  return { pid, startTime, argv: commandLine.replace(/\0$/, "").split("\0") };
}

/** The number in a pid file's text; `undefined` for anything else. */
export function parsePid(text: string | undefined): number | undefined {
  const pid = /^\s*([1-9]\d{0,9})\s*$/.exec(text ?? "")?.[1];
  return pid === undefined ? undefined : Number(pid);
}

/** Looks at every process: some 20 µs each, so not for a hot path. */
export function findProcesses(matches: (argv: readonly string[]) => boolean): readonly ProcessState[] {
  const found: ProcessState[] = [];
  for (const entry of readdirSync("/proc")) {
    const pid = parsePid(entry);
    const process = pid === undefined ? undefined : readProcess(pid);
    if (process !== undefined && matches(process.argv)) found.push(process);
  }
  return found;
}

/** Inode of the network namespace that the process lives in. */
export function readNetworkNamespaceInode(pid: number): number | undefined {
  try {
    return statSync(`/proc/${pid}/ns/net`).ino;
  } catch (error) {
    if (isErrno(error, "ENOENT", "ESRCH")) return undefined;
    throw error;
  }
}

/** @returns false when the process is gone */
export function sendSignal(target: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(target)) return false;
  try {
    return process.kill(target.pid, signal);
  } catch (error) {
    if (isErrno(error, "ESRCH")) return false;
    throw error;
  }
}

async function waitForExit(target: ProcessIdentity, limitMs: number): Promise<boolean> {
  const endsAt = performance.now() + limitMs;
  for (let pauseMs = 5; isAlive(target); pauseMs = Math.min(pauseMs * 2, 50)) {
    if (performance.now() >= endsAt) return false;
    await delay(pauseMs);
  }
  return true;
}

/**
 * SIGTERM first, and time to obey: a dnsmasq that is killed outright can leave children that hold its DNS sockets, and its
 * successor cannot bind.
 */
export async function terminate(target: ProcessIdentity, graceMs = 5000): Promise<void> {
  if (!sendSignal(target, "SIGTERM") || (await waitForExit(target, graceMs))) return;
  sendSignal(target, "SIGKILL");
  if (!(await waitForExit(target, 5000))) {
    throw new NetloomError("TIMEOUT", `process ${target.pid} did not end after SIGKILL`, { pid: target.pid });
  }
}
