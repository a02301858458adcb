// Processes that tests start: when they have said that they are there, a signal to one, and their end.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

/** Nothing that the product promises takes so long. */
const usualLimitMs = 20_000;

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;

/** To this one process: 0 would mean the whole group, and with it whoever runs the tests. */
export function kill(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined || !Number.isInteger(pid) || pid < 2) throw new RangeError(`no process to be sent ${signal}: ${pid}`);
  process.kill(pid, signal);
}

/**
 * Returns when it has gone, also when it had before. One that does not obey is killed, and that is thrown.
 * @param signal none: it ends by itself
 * @returns its exit code; `null` when a signal was its end
 */
export async function endOf(
  child: ChildProcess | undefined,
  signal?: NodeJS.Signals,
  limitMs = usualLimitMs,
): Promise<number | null> {
  if (child === undefined || child.pid === undefined) return null;
  if (hasEnded(child)) return child.exitCode;
  const gone = once(child, "exit");
  if (signal !== undefined) child.kill(signal);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, limitMs);
  await gone;
  clearTimeout(timer);
  if (isLate)
    throw new Error(`${nameOf(child)} did not end within ${limitMs} ms${signal === undefined ? "" : ` of ${signal}`}`);
  return child.exitCode;
}

/** All that it has written when the pattern is in it. Rejects with it when the child ends instead, or takes too long. */
export function firstOutput(child: ChildProcess, pattern: RegExp, limitMs = usualLimitMs): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = "";
  const fail = (how: string): void => reject(new Error(`${nameOf(child)} ${how} without ${pattern}: ${text}`));
  const read = (chunk: Buffer | string): void => {
    text += chunk.toString();
    if (pattern.test(text)) resolve(text);
  };
  const streams = [child.stdout, child.stderr];
  for (const stream of streams) stream?.on("data", read);
  child.once("error", (thrown) => fail(`was not started (${thrown.message})`));
  // Not "exit": its last words may still be on the way then.
  child.once("close", (code, signal) => fail(`ended with ${code ?? signal}`));
  const timer = setTimeout(() => fail(`ran for ${limitMs} ms`), limitMs);
  return promise.finally(() => {
    clearTimeout(timer);
    for (const stream of streams) stream?.off("data", read);
  });
}

const nameOf = ({ spawnfile, spawnargs }: ChildProcess): string =>
  [spawnfile, ...spawnargs.slice(1, 6)].join(" ").slice(0, 200);
