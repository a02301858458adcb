// Files that another process reads are replaced whole: a reader sees the old text or the new, never a part. The exception says
// of itself who may read what it writes.
import { chmodSync, closeSync, fstatSync, openSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { chmod, open, readdir, readFile, rename, unlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { makeDirectories } from "../base/directories.ts";

export interface AtomicWriteOptions {
  readonly mode?: number;
  /** Wait for the disk: for what must survive a power cut, not only a killed process. */
  readonly isDurable?: boolean;
}

let counter = 0;

/** The temporary name starts with a dot: dnsmasq ignores such files in the directories that it watches. */
export async function writeFileAtomic(path: string, text: string, options: AtomicWriteOptions = {}): Promise<void> {
  counter += 1;
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}-${counter}`);
  try {
    const mode = options.mode ?? 0o644;
    await writeFile(temporary, text, { mode, flush: options.isDurable ?? false });
    // Our umask may have taken from it what the reader, who is another user, needs.
    await chmod(temporary, mode);
    await rename(temporary, path);
  } catch (error) {
    await removeFile(temporary);
    throw error;
  }
  if (options.isDurable === true) await syncDirectory(dirname(path));
}

/**
 * For a small file on a hot path, where the hand-over to a thread costs more than the write.
 *
 * @param nursery directory of the same file system in which the new file is made. ext4 looks for room near the directory, and
 * in one that is used all the time finds it at once; in a directory of its own for each network that takes up to 0.5 ms.
 */
export function writeFileAtomicSync(path: string, text: string, nursery: string = dirname(path)): void {
  counter += 1;
  const temporary = join(nursery, `.${basename(path)}.${process.pid}-${counter}`);
  try {
    writeFileSync(temporary, text, { mode: 0o644 });
    chmodSync(temporary, 0o644);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

const mostInPlaceBytes = 16 * 1024;

/**
 * Replaces what a small file of lines says without another file. What the old text was longer by is filled with empty lines. On
 * an ext4 without journal each file that is replaced makes every new one of the next half minute dearer.
 *
 * A reader may see a part of the old text and a part of the new: measured, up to one in two hundred reads beside a writer that
 * never pauses, also of a hundred bytes. So only for files whose reader either never reads while it is written, or reads again
 * when it is closed and then forgets what it read before. The kernel closes it, and tells those who watch, also when the writer
 * is killed; a text of more than a page may then be mixed for good, so whoever comes next compares it with what it should be.
 *
 * @throws for a disk that is full, after a part was written: the file is mixed until the next attempt
 */
export function overwriteLinesSync(path: string, text: string, nursery: string = dirname(path)): void {
  const bytes = Buffer.from(text);
  const file = openIfPresent(path);
  const size = file === undefined ? 0 : fstatSync(file).size;
  const length = Math.max(size, bytes.length);
  try {
    if (file === undefined || length > mostInPlaceBytes) return writeFileAtomicSync(path, text, nursery);
    const filled = Buffer.alloc(length, "\n");
    bytes.copy(filled);
    for (let at = 0; at < length; ) at += writeSync(file, filled, at, length - at, at);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function openIfPresent(path: string): number | undefined {
  try {
    return openSync(path, "r+");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** What a process that was killed left in a directory where files are made. */
export async function removeStaleTemporaries(directory: string): Promise<void> {
  for (const entry of await readDirectoryIfPresent(directory)) {
    const maker = /^\..+\.(\d+)-\d+$/.exec(entry)?.[1];
    if (maker !== undefined && Number(maker) !== process.pid) await removeFile(join(directory, entry));
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export function isErrno(thrown: unknown, ...codes: readonly string[]): boolean {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" && codes.includes(thrown.code);
}

/** For small files of which many are read one after the other: handing each to a thread would cost ten times as much. */
export function readFileIfPresentSync(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** `undefined` when there is no such file. */
export async function readFileIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** Names in a directory; none when there is no such directory. */
export async function readDirectoryIfPresent(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}

/** Absent is success. */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isErrno(error, "ENOENT", "ENOTDIR")) throw error;
  }
}

/** Also for parents. */
export async function ensureDirectory(path: string, mode = 0o755): Promise<void> {
  await makeDirectories(path, mode);
}
