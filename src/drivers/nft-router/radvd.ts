// One radvd for each router that has something to advertise: a daemon that outlives the agent, found again by its pid file and
// command line, told of a new configuration by a signal.
import { join } from "node:path";
import { NetloomError } from "../../base/errors.ts";
import { ensureDirectory, readFileIfPresent, removeFile, writeFileAtomic } from "../../linux/atomic-file.ts";
import { commandFailed, type CommandRunner } from "../../linux/command-runner.ts";
import { namespaceInode, namespacePath } from "../../linux/netns.ts";
import {
  parsePid,
  type ProcessIdentity,
  readNetworkNamespaceInode,
  readProcess,
  sendSignal,
  terminate,
} from "../../linux/process-table.ts";
import type { RouterId } from "../../model/ids.ts";

export class Radvd {
  readonly #directory: string;
  readonly #runner: CommandRunner;

  constructor(stateDir: string, runner: CommandRunner) {
    this.#directory = join(stateDir, "l3", "radvd");
    this.#runner = runner;
  }

  /** Runs with this configuration; @returns whether anything had to be done. Call it when the devices are there. */
  async ensure(id: RouterId, namespace: string, configuration: string): Promise<boolean> {
    await ensureDirectory(this.#directory);
    const present = await readFileIfPresent(this.#file(id, "conf"));
    const force = await readFileIfPresent(this.#file(id, "force"));
    const running = await this.find(id, namespace);
    if (running !== undefined && present === configuration && force === configuration) return false;
    // Until it has been told, whoever comes next tells it.
    await removeFile(this.#file(id, "force"));
    if (present !== configuration) await writeFileAtomic(this.#file(id, "conf"), configuration);
    if (running === undefined || !sendSignal(running, "SIGHUP")) {
      await this.stop(id);
      await this.#start(id, namespace);
    }
    await writeFileAtomic(this.#file(id, "force"), configuration);
    return true;
  }

  /** The one of this router, in the namespace that has its name now. */
  async find(id: RouterId, namespace: string): Promise<ProcessIdentity | undefined> {
    const running = await this.#findAny(id);
    if (running === undefined) return undefined;
    return readNetworkNamespaceInode(running.pid) === namespaceInode(namespace) ? running : undefined;
  }

  /** Absent is success. */
  async stop(id: RouterId): Promise<boolean> {
    const running = await this.#findAny(id);
    if (running !== undefined) await terminate(running);
    await removeFile(this.#file(id, "pid"));
    return running !== undefined;
  }

  async remove(id: RouterId): Promise<boolean> {
    const wasRunning = await this.stop(id);
    for (const kind of ["force", "conf"] as const) await removeFile(this.#file(id, kind));
    return wasRunning;
  }

  async #findAny(id: RouterId): Promise<ProcessIdentity | undefined> {
    const pid = parsePid(await readFileIfPresent(this.#file(id, "pid")));
    const process = pid === undefined ? undefined : readProcess(pid);
    return process?.argv.includes(this.#file(id, "conf")) === true ? process : undefined;
  }

  async #start(id: RouterId, namespace: string): Promise<void> {
    const files = ["-C", this.#file(id, "conf"), "-p", this.#file(id, "pid")];
    const argv = ["nsenter", `--net=${namespacePath(namespace)}`, "radvd", ...files, "-m", "logfile", "-l", "/dev/null"];
    const result = await this.#runner.run(argv);
    if (result.exitCode === 0) return;
    const failed = commandFailed(argv, result);
    throw new NetloomError(failed.code, `no router advertisements: ${failed.message}`, failed.detail, failed);
  }

  /** `force`: the configuration that it has been told of. */
  #file(id: RouterId, kind: "conf" | "force" | "pid"): string {
    return join(this.#directory, `${id}.${kind}`);
  }
}
