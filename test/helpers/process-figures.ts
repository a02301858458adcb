// What processes cost, by /proc: for benchmarks.
import { readdirSync, readFileSync } from "node:fs";

const msPerTick = 10;

const read = (file: string): string => {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
};

/** The fields of /proc/<pid>/stat behind the name, counted as in proc(5): field 3 is [0]. */
function statFields(pid: number): readonly number[] {
  const text = read(`/proc/${pid}/stat`);
  return text
    .slice(text.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
}

const at = (fields: readonly number[], field: number): number => fields[field - 3] ?? 0;

/** CPU of the process and of the children that it has waited for, ms. */
export function cpuMs(pid: number): { readonly own: number; readonly children: number } {
  const fields = statFields(pid);
  return {
    own: (at(fields, 14) + at(fields, 15)) * msPerTick,
    children: (at(fields, 16) + at(fields, 17)) * msPerTick,
  };
}

/** Exact, but of the process' first thread alone: right for dnsmasq. */
export const exactCpuMs = (pid: number): number => Number(read(`/proc/${pid}/schedstat`).split(" ")[0]) / 1e6;

/** Page faults of the children that the process has waited for: 0 proves that there was none. */
export const childFaults = (pid: number): number => at(statFields(pid), 11) + at(statFields(pid), 13);

export function liveChildren(pid: number): readonly number[] {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const text = tasks.map((task) => read(`/proc/${pid}/task/${task}/children`)).join(" ");
  return text
    .split(/\s+/)
    .filter((word) => word !== "")
    .map(Number);
}

/** CPU of the process, of the children it waited for and of those that still run, ms. */
export function treeCpuMs(pid: number): number {
  const { own, children } = cpuMs(pid);
  return liveChildren(pid).reduce((sum, child) => sum + treeCpuMs(child), own + children);
}

export const residentMb = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(read(`/proc/${pid}/status`))?.[1]) / 1024;
/** Proportional: what is shared counts in part. */
export const proportionalMb = (pid: number): number =>
  Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1]) / 1024;
