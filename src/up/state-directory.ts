// The state directory of `netloom up`: its layout, the marker that says it is ours, and its lock.
import { access, constants, mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { errorText, NetloomError } from "../base/errors.ts";
import { type Marker, markerFile, readMarker } from "../config/state-marker.ts";
import { isErrno, writeFileAtomic } from "../linux/atomic-file.ts";
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
  /** Whether there was nothing in the directory before. */
  readonly isNew: boolean;
  /** `undo`: a directory that was absent or empty is so again. */
  release(options?: { readonly undo: boolean }): Promise<void>;
}

export interface Holder extends PidFileContent {
  readonly since: string;
}

/** The living process that holds the directory, and since when. */
export async function readHolder(stateDir: string): Promise<Holder | undefined> {
  const text = await readFile(layout(stateDir).pidFile("up"), "utf8").catch(() => "");
  const process = parsePidFile(text);
  if (process === undefined || !isRunning(process)) return undefined;
  return { ...process, since: (JSON.parse(text) as { since?: string }).since ?? "an unknown time" };
}

/** Creates directory and marker and takes the lock; CONFLICT with the holder's pid when somebody has it. */
export async function lockStateDirectory(stateDir: string, marker: Marker): Promise<StateLock> {
  const paths = layout(stateDir);
  const made = await makeDirectories(stateDir);
  const held = takeLock(paths.lock);
  if (held === undefined) throw await heldBySomebody(stateDir);
  const holder: Holder | undefined = withSince(describeProcess(process.pid));
  await writeFileAtomic(paths.pidFile("up"), `${JSON.stringify(holder)}\n`);
  const isNew = (await readMarker(stateDir)) === undefined;
  if (isNew) await writeFileAtomic(paths.marker, `${JSON.stringify(marker)}\n`);
  return {
    isNew,
    release: async (options = { undo: false }) => {
      await rm(paths.pidFile("up"), { force: true });
      // It was absent or empty, so all that is in it was made since.
      if (options.undo && isNew) {
        for (const name of await readdir(stateDir)) await rm(join(stateDir, name), { recursive: true, force: true });
      }
      if (options.undo && made !== undefined) await rm(made, { recursive: true, force: true });
      // The file stays otherwise: who has it open already must not lock a file that the next one does not see.
      held.close();
    },
  };
}

const withSince = (process: PidFileContent | undefined): Holder | undefined =>
  process && { ...process, since: new Date().toISOString() };

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

/**
 * SQLite's lock of an empty database: the kernel holds it for the process and takes it back however the process ends, so no
 * lock can be stale and two starters cannot both have it. Node has no other way to such a lock.
 */
function takeLock(file: string): DatabaseSync | undefined {
  const database = new DatabaseSync(file);
  try {
    database.exec("BEGIN EXCLUSIVE");
    return database;
  } catch (thrown) {
    database.close();
    if (errorText(thrown).includes("locked")) return undefined;
    throw thrown;
  }
}

async function heldBySomebody(stateDir: string): Promise<NetloomError> {
  const holder = await readHolder(stateDir);
  const who =
    holder === undefined ? "another netloom that is just starting" : `netloom with pid ${holder.pid} since ${holder.since}`;
  return new NetloomError("CONFLICT", `state directory ${stateDir} is held by ${who}`);
}
