// Which process a file means. A pid alone is reused after a while and start times repeat after a boot; all three together do not.
import { readFileSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { writeFileAtomic } from "../linux/atomic-file.ts";
import { isAlive, type ProcessIdentity, readProcess, readStartTime, terminate } from "../linux/process-table.ts";

export interface PidFileContent extends ProcessIdentity {
  readonly bootId: string;
}

export function describeProcess(pid: number): PidFileContent | undefined {
  const startTime = readStartTime(pid);
  return startTime === undefined ? undefined : { pid, startTime, bootId: readBootId() };
}

export function isRunning(content: PidFileContent): boolean {
  return content.bootId === readBootId() && isAlive(content);
}

export function parsePidFile(text: string): PidFileContent | undefined {
  try {
    const value = JSON.parse(text) as Partial<Record<keyof PidFileContent, unknown>> | null;
    const { pid, startTime, bootId } = value ?? {};
    if (!Number.isSafeInteger(pid) || typeof startTime !== "number" || typeof bootId !== "string") return undefined;
    return { pid: Number(pid), startTime, bootId };
  } catch {
    return undefined;
  }
}

export async function writePidFile(file: string, pid: number): Promise<void> {
  const content = describeProcess(pid);
  if (content !== undefined) await writeFileAtomic(file, `${JSON.stringify(content)}\n`);
}

export interface LeftOver {
  readonly file: string;
  /** Arguments that the process's command line must have: nothing else is ever ended. */
  readonly words: readonly string[];
}

/** Ends a process that an earlier `up` left behind. @returns its pid when there was one */
export async function endLeftOver({ file, words }: LeftOver): Promise<number | undefined> {
  const content = parsePidFile(await readFile(file, "utf8").catch(() => ""));
  let ended: number | undefined;
  const argv = content !== undefined && isRunning(content) ? (readProcess(content.pid)?.argv ?? []) : [];
  if (content !== undefined && words.every((word) => argv.includes(word))) {
    await terminate(content);
    ended = content.pid;
  }
  await rm(file, { force: true });
  return ended;
}

let bootId: string | undefined;

function readBootId(): string {
  bootId ??= readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  return bootId;
}
