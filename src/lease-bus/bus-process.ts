// The bus is a daemon that outlives the agent, as dnsmasq does: dnsmasq connects once in its life and never again.
import { readFileSync, readlinkSync } from "node:fs";
import { basename, dirname } from "node:path";
import { NetloomError } from "../base/errors.ts";
import { ensureDirectory, readFileIfPresent, removeFile, writeFileAtomic } from "../linux/atomic-file.ts";
import { type CommandRunner, runChecked } from "../linux/command-runner.ts";
import { findProcesses, type ProcessState, terminate } from "../linux/process-table.ts";
import { isAnswered } from "../linux/unix-socket.ts";
import { formatBusConfig } from "./bus-config.ts";
import { busConfigPath, busPidPath, busSocketPath } from "./bus-names.ts";

const program = "dbus-daemon";
// The kernel's limit of a socket's path, without its final zero.
const pathLimitBytes = 107;
/** Debian's dnsmasq becomes the first; other builds and packages have the second. */
const possibleServerUsers = ["nobody", "dnsmasq"];
const possibleBusUsers = ["messagebus"];

/**
 * Makes sure that a bus answers; one that runs is left as it is. Two callers at once would each start one: whoever calls
 * holds the agent's lock.
 *
 * @throws UNAVAILABLE when dbus-daemon is not installed, COMMAND_FAILED with its words when it does not start
 */
export async function ensureBusProcess(runner: CommandRunner, stateDir: string): Promise<"adopted" | "started"> {
  const socketPath = busSocketPath(stateDir);
  if (Buffer.byteLength(socketPath) > pathLimitBytes) {
    throw new NetloomError(
      "INVALID",
      `state directory is too long for a socket: ${socketPath} has more than ${pathLimitBytes} bytes`,
    );
  }
  if (await isAnswered(socketPath)) return "adopted";
  await ensureDirectory(dirname(socketPath));
  await writeConfig(stateDir, socketPath);
  // One that runs and does not answer has lost its socket to somebody's rm.
  await endBusProcess(stateDir);
  await removeFile(busPidPath(stateDir));
  // It goes to the background when it listens.
  await runChecked(runner, [program, configArgument(stateDir), "--fork", "--nosyslog"]);
  return "started";
}

/** @returns its pid when there was one */
export async function endBusProcess(stateDir: string): Promise<number | undefined> {
  const process = findBusProcess(stateDir);
  if (process !== undefined) await terminate(process);
  return process?.pid;
}

/** Looks at all processes. */
export function findBusProcess(stateDir: string): ProcessState | undefined {
  const argument = configArgument(stateDir);
  return findProcesses((argv) => argv.includes(argument)).find(({ pid }) => programOf(pid) === program);
}

const configArgument = (stateDir: string): string => `--config-file=${busConfigPath(stateDir)}`;

async function writeConfig(stateDir: string, socketPath: string): Promise<void> {
  const users = readUsers();
  const text = formatBusConfig({
    socketPath,
    pidPath: busPidPath(stateDir),
    serverUsers: possibleServerUsers.filter((user) => users.has(user)),
    runAs: possibleBusUsers.find((user) => users.has(user)),
  });
  const path = busConfigPath(stateDir);
  if ((await readFileIfPresent(path)) !== text) await writeFileAtomic(path, text);
}

/** Names in the host's own list; dbus-daemon refuses a configuration that names somebody who is not there. */
function readUsers(): ReadonlySet<string> {
  return new Set(
    readFileSync("/etc/passwd", "utf8")
      .split("\n")
      .map((line) => line.split(":", 1)[0] ?? ""),
  );
}

function programOf(pid: number): string | undefined {
  try {
    // An upgrade replaces the file under a running daemon.
    return basename(readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ""));
  } catch {
    return undefined;
  }
}
