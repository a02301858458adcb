// Named network namespaces, as `ip netns` keeps them: a file below /run/netns on which the namespace is mounted.
import { existsSync, readdirSync, statfsSync, statSync, unlinkSync } from "node:fs";
import { NetloomError } from "../base/errors.ts";
import { isErrno } from "./atomic-file.ts";
import { type CommandRunner, commandFailed } from "./command-runner.ts";

/** Where a named namespace is a file. */
export const namespaceDirectory = "/run/netns";
const nsfsMagic = 0x6e736673;

export function namespacePath(name: string): string {
  if (!/^[A-Za-z0-9_.-]{1,200}$/.test(name) || name.startsWith(".")) {
    throw new NetloomError("INVALID", `not a name for a network namespace: ${JSON.stringify(name.slice(0, 64))}`);
  }
  return `${namespaceDirectory}/${name}`;
}

/**
 * True when the file is there and really is a namespace. A plain file of that name is left by a killed `ip netns add`, and
 * by services with a mount namespace of their own; every device made "inside" it would land on the host.
 */
export function isNamespace(name: string): boolean {
  const path = namespacePath(name);
  // Mostly there is none when somebody is about to make it, and an error takes longer to make than this look.
  if (!existsSync(path)) return false;
  try {
    return statfsSync(path).type === nsfsMagic;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}

/** Identifies the namespace as long as it lives: the inode that `/proc/<pid>/ns/net` shows too. */
export function namespaceInode(name: string): number | undefined {
  return isNamespace(name) ? statSync(namespacePath(name)).ino : undefined;
}

/** Removes the plain file that blocks a namespace of this name, if there is one. */
export function removeStaleNamespaceFile(name: string): void {
  if (isNamespace(name)) return;
  try {
    unlinkSync(namespacePath(name));
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
}

/** Names that this process is making: half made they look like stale files. */
const making = new Map<string, Promise<boolean>>();

/** @returns whether it was made now */
export async function ensureNamespace(runner: CommandRunner, name: string): Promise<boolean> {
  const other = making.get(name);
  if (other !== undefined) return other.then(() => false);
  const made = makeNamespace(runner, name).finally(() => making.delete(name));
  making.set(name, made);
  return made;
}

async function makeNamespace(runner: CommandRunner, name: string): Promise<boolean> {
  if (isNamespace(name)) return false;
  removeStaleNamespaceFile(name);
  const argv = ["ip", "netns", "add", name];
  const result = await runner.run(argv);
  // Another program may have made it between the look and the command.
  if (result.exitCode !== 0 && !isNamespace(name)) throw commandFailed(argv, result);
  return result.exitCode === 0;
}

/** Absent is success. The kernel takes devices inside down later: their names may live on for some 100 ms. */
export async function deleteNamespace(runner: CommandRunner, name: string): Promise<void> {
  if (!isNamespace(name)) {
    removeStaleNamespaceFile(name);
    return;
  }
  const argv = ["ip", "netns", "del", name];
  const result = await runner.run(argv);
  if (result.exitCode !== 0 && isNamespace(name)) throw commandFailed(argv, result);
}

export function listNamespaces(): readonly string[] {
  try {
    return readdirSync(namespaceDirectory).filter(isNamespace);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}
