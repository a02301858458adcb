// The state directory of `netloom up`: its layout, the marker that says it is ours, and its lock.
import { randomUUID } from "node:crypto";
import { access, constants, link, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorText, NetloomError } from "../base/errors.ts";
import { type Marker, markerFile, readMarker } from "../config/state-marker.ts";
import { isErrno } from "../linux/atomic-file.ts";
import { describeProcess, isRunning, type PidFileContent, parsePidFile } from "./pid-file.ts";

export const layout = (stateDir: string) => ({
  marker: markerFile(stateDir),
  lock: join(stateDir, "up.lock"),
  runDir: join(stateDir, "run"),
  logDir: join(stateDir, "log"),
  pidFile: (program: string) => join(stateDir, "run", `${program}.pid`),
  logFile: (program: string) => join(stateDir, "log", `${program}.log`),
});

/** Whether `up` may use the directory: absent, empty, or ours with the same names. Changes nothing. */
export async function checkStateDirectory(stateDir: string, marker: Marker): Promise<void> {
  const present = await stat(stateDir).catch(() => undefined);
  if (present === undefined) return checkParent(stateDir);
  if (!present.isDirectory()) throw new NetloomError("CONFLICT", `state directory ${stateDir} is not a directory`);
  await requireWritable(stateDir, stateDir);
  const earlier = await readMarker(stateDir);
  if (earlier === undefined) {
    if ((await readdir(stateDir)).length === 0) return;
    throw new NetloomError("CONFLICT", `state directory ${stateDir} has files of somebody else: choose an empty one`);
  }
  if (earlier.namespacePrefix === marker.namespacePrefix && earlier.host === marker.host) return;
  throw new NetloomError(
    "CONFLICT",
    `state directory ${stateDir} belongs to host ${earlier.host} with namespace prefix "${earlier.namespacePrefix}": run netloom down first`,
  );
}

async function checkParent(stateDir: string): Promise<void> {
  let ancestor = dirname(stateDir);
  while ((await stat(ancestor).catch(() => undefined)) === undefined) ancestor = dirname(ancestor);
  await requireWritable(ancestor, stateDir);
}

async function requireWritable(directory: string, stateDir: string): Promise<void> {
  try {
    await access(directory, constants.W_OK | constants.X_OK);
    if (!(await stat(directory)).isDirectory()) throw new Error(`${directory} is not a directory`);
  } catch (thrown) {
    throw new NetloomError("CONFLICT", `state directory ${stateDir} is not writable: ${errorText(thrown)}`, {}, thrown);
  }
}

export interface StateLock {
  /** Removes the lock, and the directory too when this lock made it and nothing was kept in it. */
  release(options?: { readonly undo: boolean }): Promise<void>;
}

interface LockContent extends PidFileContent {
  readonly since: string;
}

/** The living process that holds the directory, and since when. */
export async function readHolder(stateDir: string): Promise<LockContent | undefined> {
  const content = await readLock(layout(stateDir).lock);
  return content !== undefined && isRunning(content) ? content : undefined;
}

/** Creates directory and marker and takes the lock. A lock whose process is gone is taken over. */
export async function lockStateDirectory(stateDir: string, marker: Marker): Promise<StateLock> {
  const paths = layout(stateDir);
  const made = await makeDirectories(stateDir);
  await takeLock(stateDir, paths.lock);
  const isNew = (await readMarker(stateDir)) === undefined;
  if (isNew) await writeFile(paths.marker, `${JSON.stringify(marker)}\n`);
  return {
    release: async (options = { undo: false }) => {
      if (options.undo && isNew) {
        for (const path of [paths.marker, paths.runDir, paths.logDir]) await rm(path, { recursive: true, force: true });
      }
      await rm(paths.lock, { force: true });
      if (options.undo && made !== undefined) await rm(made, { recursive: true, force: true });
    },
  };
}

/** @returns the highest directory that did not exist before */
async function makeDirectories(stateDir: string): Promise<string | undefined> {
  const made: string[] = [];
  try {
    for (const path of [stateDir, layout(stateDir).runDir, layout(stateDir).logDir]) await makeDirectory(path, made);
    return made.find((path) => !path.startsWith(`${stateDir}/`));
  } catch (thrown) {
    for (const path of made.toReversed()) await rm(path, { recursive: true, force: true });
    throw new NetloomError("CONFLICT", `state directory ${stateDir} is not writable: ${errorText(thrown)}`, {}, thrown);
  }
}

/** Not `recursive: true`: below /proc, where a directory is there and takes no children, Node 24 tries for ever. */
async function makeDirectory(path: string, made: string[]): Promise<void> {
  if ((await stat(path).catch(() => undefined))?.isDirectory() === true) return;
  if (dirname(path) !== path) await makeDirectory(dirname(path), made);
  await mkdir(path, { mode: 0o755 }).catch((thrown: unknown) => {
    if (!isErrno(thrown, "EEXIST")) throw thrown;
  });
  made.push(path);
}

async function takeLock(stateDir: string, lock: string): Promise<void> {
  const own = describeProcess(process.pid);
  if (own === undefined) throw new NetloomError("UNAVAILABLE", "cannot read /proc");
  const content: LockContent = { ...own, since: new Date().toISOString() };
  const draft = `${lock}.${randomUUID()}`;
  await writeFile(draft, `${JSON.stringify(content)}\n`);
  try {
    // link() fails when the name exists and never shows a half-written file.
    for (let attempt = 0; attempt < 3; attempt += 1) {
      if (await tryLink(draft, lock)) return;
      const holder = await readLock(lock);
      if (holder !== undefined && isRunning(holder)) throw heldBy(stateDir, holder);
      await removeStale(stateDir, lock, holder);
    }
    throw new NetloomError("CONFLICT", `state directory ${stateDir} is being taken by another netloom`);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Two starters may see the same stale lock; whoever moved away the other's fresh one by mistake puts it back. */
async function removeStale(stateDir: string, lock: string, stale: LockContent | undefined): Promise<void> {
  const aside = `${lock}.stale.${randomUUID()}`;
  try {
    await rename(lock, aside);
  } catch {
    return;
  }
  const moved = await readLock(aside);
  if (moved !== undefined && (moved.pid !== stale?.pid || moved.startTime !== stale.startTime)) {
    await tryLink(aside, lock);
    await rm(aside, { force: true });
    throw heldBy(stateDir, moved);
  }
  await rm(aside, { force: true });
}

function heldBy(stateDir: string, holder: LockContent): NetloomError {
  return new NetloomError(
    "CONFLICT",
    `state directory ${stateDir} is held by netloom with pid ${holder.pid} since ${holder.since}`,
  );
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (thrown) {
    if (isErrno(thrown, "EEXIST")) return false;
    throw thrown;
  }
}

async function readLock(file: string): Promise<LockContent | undefined> {
  try {
    const text = await readFile(file, "utf8");
    const holder = parsePidFile(text);
    return holder && { ...holder, since: (JSON.parse(text) as { since?: string }).since ?? "an unknown time" };
  } catch {
    return undefined;
  }
}
