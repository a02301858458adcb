// How busy a process is, by what the scheduler notes of it.
import { readFileSync } from "node:fs";
import { isErrno } from "./atomic-file.ts";

export interface ProcessLoad {
  /** Time on a processor since its start, in milliseconds. */
  readonly cpuMs: number;
  /** It waits for something: all that it was told before has been done. */
  readonly isSleeping: boolean;
}

/** `undefined` when there is no such process. Two small reads of /proc, some 20 µs. */
export function readProcessLoad(pid: number): ProcessLoad | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { cpuMs: readScheduledMs(pid) ?? ticksOf(fields), isSleeping: fields[0] === "S" || fields[0] === "I" };
  } catch (error) {
    if (isErrno(error, "ENOENT", "ESRCH")) return undefined;
    throw error;
  }
}

/** In nanoseconds there; `undefined` on a kernel built without it. */
function readScheduledMs(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  } catch (error) {
    if (isErrno(error, "ENOENT", "EOPNOTSUPP")) return undefined;
    throw error;
  }
}

/** User and system time; the kernel shows them in ticks of 10 ms whatever its own are. */
const ticksOf = (fields: readonly string[]): number => (Number(fields[11]) + Number(fields[12])) * 10;

/** What a process has got done, and where it waits. */
export interface ProcessProgress {
  readonly cpuMs: number;
  /** How often it has gone to sleep of its own will, to wait for something. */
  readonly waits: number;
  /** The kernel's function in which it sleeps; "" where that is not told, or it runs. */
  readonly waitsIn: string;
}

/** `undefined` when there is no such process. */
export function readProcessProgress(pid: number): ProcessProgress | undefined {
  const cpuMs = readProcessLoad(pid)?.cpuMs;
  const waits = /^voluntary_ctxt_switches:\s*(\d+)$/m.exec(readProcFile(pid, "status") ?? "")?.[1];
  if (cpuMs === undefined || waits === undefined) return undefined;
  const waitsIn = readWaitPlace(pid);
  return { cpuMs, waits: Number(waits), waitsIn };
}

/** The kernel's function in which a process sleeps; "" where that is not told, or it runs. A few microseconds. */
export function readWaitPlace(pid: number): string {
  const text = readProcFile(pid, "wchan") ?? "";
  return text === "0" ? "" : text;
}

function readProcFile(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT", "ESRCH", "EINVAL", "EPERM", "EACCES")) return undefined;
    throw error;
  }
}

/**
 * UDP packets that found no room in a socket's buffer, in the network namespace that the process lives in; 0 when it is gone.
 * The namespace is looked into through the process, so nobody has to enter it.
 */
export const readDroppedPackets = (pid: number): number => readUdpCounter(pid, "RcvbufErrors");

/** UDP packets that were taken out of sockets, of both IP versions, in the namespace that the process lives in. */
export function readReceivedPackets(pid: number): number {
  const six = /^Udp6InDatagrams\s+(\d+)$/m.exec(readProcFile(pid, "net/snmp6") ?? "")?.[1] ?? 0;
  return readUdpCounter(pid, "InDatagrams") + Number(six);
}

function readUdpCounter(pid: number, name: string): number {
  const [names = "", values = ""] = (readProcFile(pid, "net/snmp") ?? "").split("\n").filter((line) => line.startsWith("Udp:"));
  const index = names.split(" ").indexOf(name);
  return index < 0 ? 0 : Number(values.split(" ")[index] ?? 0);
}
