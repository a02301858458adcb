// The dnsmasq process of one network: find and start.
import { readlinkSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { NetloomError } from "../../base/errors.ts";
import { type CommandRunner, commandFailed } from "../../linux/command-runner.ts";
import { namespaceInode, namespacePath } from "../../linux/netns.ts";
import {
  findProcesses,
  isAlive,
  parsePid,
  type ProcessState,
  readNetworkNamespaceInode,
  readProcess,
} from "../../linux/process-table.ts";
import { pidFileArgument } from "./args.ts";
import type { NetworkFiles } from "./network-files.ts";
import type { NetworkState } from "./network-state.ts";
import type { ServerState } from "./plan.ts";

/** The process that the pid file names, if it is this network's dnsmasq and not a later holder of the number. */
export function findServer(files: NetworkFiles, state: NetworkState | undefined = files.readState()): ProcessState | undefined {
  const pid = parsePid(files.read("pid"));
  const process = pid === undefined ? undefined : readProcess(pid);
  if (process === undefined || !isServerOf(files, process)) return undefined;
  const isLaterHolder =
    state?.phase === "running" && state.server.pid === process.pid && state.server.startTime !== process.startTime;
  return isLaterHolder ? undefined : process;
}

/** Everything that runs dnsmasq's program on this host. Looks at all processes. */
export function findDnsmasqs(): readonly ProcessState[] {
  // The name first: it is nearly free, and a look at the program of each process is not.
  return findProcesses((argv) => argv.some((word) => word.startsWith("--pid-file="))).filter(
    (process) => programOf(process.pid) === "dnsmasq",
  );
}

/** Those of `dnsmasqs` that serve this network. */
export function serversOf(files: NetworkFiles, dnsmasqs: readonly ProcessState[]): readonly ProcessState[] {
  const argument = pidFileArgument(files.directory);
  return dnsmasqs.filter(({ argv }) => argv.includes(argument));
}

/** An editor or a grep may have the same words in its arguments; only dnsmasq runs dnsmasq's program. */
function isServerOf(files: NetworkFiles, process: ProcessState): boolean {
  return process.argv.includes(pidFileArgument(files.directory)) && programOf(process.pid) === "dnsmasq";
}

function programOf(pid: number): string | undefined {
  try {
    // An upgrade replaces the file under a running server.
    return basename(readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ""));
  } catch {
    return undefined;
  }
}

/** The vector itself is the fingerprint: the kernel keeps it for as long as the process lives. */
export function compareServer(server: ProcessState | undefined, argv: readonly string[], namespace: string): ServerState {
  if (server === undefined) return "none";
  const isSameArgv = server.argv.length === argv.length && argv.every((word, index) => word === server.argv[index]);
  const isSameNamespace = readNetworkNamespaceInode(server.pid) === namespaceInode(namespace);
  return isSameArgv && isSameNamespace ? "fits" : "differs";
}

export interface StartContext {
  readonly runner: CommandRunner;
  readonly files: NetworkFiles;
  readonly argv: readonly string[];
  readonly namespace: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Returns when dnsmasq has gone to the background, which it does after it has bound its sockets and read its files. */
export async function startServer(context: StartContext): Promise<ProcessState> {
  const { runner, files, argv, namespace, env } = context;
  const command = ["nsenter", `--net=${namespacePath(namespace)}`, ...argv];
  for (let attempt = 1; ; attempt += 1) {
    const result = await runner.run(command, { env });
    if (result.exitCode === 0) break;
    // Children of a predecessor may hold its sockets a little longer than it lived.
    if (attempt >= 5 || !/in use/i.test(result.stderr)) throw commandFailed(argv, result);
    await delay(40 * attempt);
  }
  const server = findServer(files);
  if (server === undefined || !isAlive(server)) {
    throw new NetloomError("UNAVAILABLE", `dnsmasq of ${files.directory} ended right after its start`, { argv });
  }
  return server;
}

/**
 * After its start dnsmasq gives up root and reads its files again as somebody else at each reload. Where a parent
 * directory is closed to others it would read nothing and go on without an error, so there it has to stay root.
 * `undefined`: the user that dnsmasq was built with.
 */
export function chooseUser(stateDir: string): "root" | undefined {
  for (let path = stateDir; ; path = dirname(path)) {
    if ((statSync(path).mode & 0o001) === 0) return "root";
    if (path === dirname(path)) return undefined;
  }
}
