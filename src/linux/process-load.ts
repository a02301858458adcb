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

/**
 * UDP packets that found no room in a socket's buffer, in the network namespace that the process lives in; 0 when it is gone.
 * The namespace is looked into through the process, so nobody has to enter it.
 */
export function readDroppedPackets(pid: number): number {
  try {
    const [names = "", values = ""] = readFileSync(`/proc/${pid}/net/snmp`, "utf8")
      .split("\n")
      .filter((line) => line.startsWith("Udp:"));
    const index = names.split(" ").indexOf("RcvbufErrors");
    return index < 0 ? 0 : Number(values.split(" ")[index] ?? 0);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ESRCH", "EINVAL")) return 0;
    throw error;
  }
}
