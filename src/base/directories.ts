// Node 24's recursive mkdir tries for ever below /proc, where a directory is there and takes no children; a mistyped state
// directory must not hang a program.
import { mkdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";

/**
 * One text for one directory, whether it is there already or not: programs are found again by the paths in their arguments,
 * so a symbolic link must not give a directory two names.
 */
export function canonicalPath(path: string): string {
  const plain = normalize(path).replace(/(?<=.)\/+$/, "");
  try {
    return realpathSync(plain);
  } catch {
    const parent = dirname(plain);
    return parent === plain ? plain : join(canonicalPath(parent), basename(plain));
  }
}

/**
 * Makes a directory and those above it that are missing; one that is there keeps its mode. At once: to hand it to a thread costs
 * more than it takes.
 *
 * @param mode of each directory that is made, less the umask
 * @returns the highest directory that did not exist before; `undefined` when all were there
 */
export async function makeDirectories(path: string, mode = 0o755): Promise<string | undefined> {
  return makeMissing(path, mode);
}

function makeMissing(path: string, mode: number): string | undefined {
  if (isDirectory(path)) return undefined;
  const parent = dirname(path);
  const highest = parent === path ? undefined : makeMissing(parent, mode);
  try {
    mkdirSync(path, { mode });
  } catch (thrown) {
    // Somebody else was faster.
    if (isDirectory(path)) return highest;
    throw thrown;
  }
  return highest ?? path;
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch {
    return false;
  }
}
