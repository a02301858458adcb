// One keepalived for each router of high availability, in the router's namespace: a daemon that outlives the agent, found again
// by its pid file and command line, told of a new configuration by a signal.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { NetloomError } from "../../base/errors.ts";
import {
  ensureDirectory,
  readDirectoryIfPresent,
  readFileIfPresent,
  removeFile,
  writeFileAtomic,
} from "../../linux/atomic-file.ts";
import { commandFailed, type CommandRunner, runChecked } from "../../linux/command-runner.ts";
import { namespaceInode, namespacePath } from "../../linux/netns.ts";
import {
  isAlive,
  parsePid,
  type ProcessIdentity,
  readNetworkNamespaceInode,
  readProcess,
  sendSignal,
  terminate,
} from "../../linux/process-table.ts";
import type { RouterId } from "../../model/ids.ts";
import { type HaState, haStateDirectory, haStateFile } from "../l3-layout.ts";
import type { HaPlan, RouterHaDriver } from "../router-ha.ts";
import { formatHookFile, formatKeepalivedConfig } from "./keepalived-config.ts";

const hookScript = fileURLToPath(new URL("./netloom-ha-notify", import.meta.url));

export interface KeepalivedOptions {
  readonly stateDir: string;
  readonly runner: CommandRunner;
  /** Between two advertisements. */
  readonly advertMs: number;
}

export class KeepalivedDriver implements RouterHaDriver {
  readonly #options: KeepalivedOptions;

  constructor(options: KeepalivedOptions) {
    this.#options = options;
  }

  async ensure(plan: HaPlan, { isRemade }: { readonly isRemade: boolean }): Promise<boolean> {
    const { stateDir, advertMs } = this.#options;
    const { routerId: id, namespace } = plan;
    const files = { hookScript, hookFile: this.#file(id, "hook"), stateFile: haStateFile(stateDir, id) };
    const configuration = formatKeepalivedConfig(plan, files, advertMs);
    await ensureDirectory(this.#directory(id));
    await ensureDirectory(haStateDirectory(stateDir));
    const isOther = await this.#write(this.#file(id, "conf"), configuration);
    const hasOtherHook = await this.#write(this.#file(id, "hook"), formatHookFile(plan));
    const running = await this.#find(id, namespace);
    const isKept = running !== undefined && (!isOther || sendSignal(running, "SIGHUP"));
    if (isKept && !isRemade && !hasOtherHook) return isOther;
    // Before it runs, too: after a boot the file may say what was true before.
    await this.#settle(id, namespace);
    if (isKept) return true;
    await this.#stop(id);
    await this.#start(id, namespace);
    return true;
  }

  async isRunning(id: RouterId, namespace: string): Promise<boolean> {
    return (await this.#find(id, namespace)) !== undefined;
  }

  async has(id: RouterId): Promise<boolean> {
    return (await readDirectoryIfPresent(this.#directory(id))).length > 0;
  }

  async remove(id: RouterId): Promise<void> {
    await this.#stop(id);
    await rm(this.#directory(id), { recursive: true, force: true });
    await removeFile(haStateFile(this.#options.stateDir, id));
  }

  async stateOf(id: RouterId): Promise<HaState> {
    const word = (await readFileIfPresent(haStateFile(this.#options.stateDir, id)))?.trim();
    return word === "primary" || word === "backup" ? word : "unknown";
  }

  /** The one of this router, in the namespace that has its name now. */
  async #find(id: RouterId, namespace: string): Promise<ProcessIdentity | undefined> {
    const running = await this.#findAny(id);
    if (running === undefined) return undefined;
    return readNetworkNamespaceInode(running.pid) === namespaceInode(namespace) ? running : undefined;
  }

  async #findAny(id: RouterId): Promise<ProcessIdentity | undefined> {
    const pid = parsePid(await readFileIfPresent(this.#file(id, "pid")));
    const process = pid === undefined ? undefined : readProcess(pid);
    return process?.argv.includes(this.#file(id, "conf")) === true ? process : undefined;
  }

  async #stop(id: RouterId): Promise<void> {
    const [parent, worker] = [await this.#findAny(id), await this.#findWorker(id)];
    if (parent !== undefined) await terminate(parent);
    // It ends with its parent, but not at once when that was killed.
    if (worker !== undefined && isAlive(worker)) await terminate(worker);
    for (const kind of ["pid", "vrrp.pid"] as const) await removeFile(this.#file(id, kind));
  }

  async #findWorker(id: RouterId): Promise<ProcessIdentity | undefined> {
    const pid = parsePid(await readFileIfPresent(this.#file(id, "vrrp.pid")));
    const process = pid === undefined ? undefined : readProcess(pid);
    return process?.argv.includes(this.#file(id, "conf")) === true ? process : undefined;
  }

  async #start(id: RouterId, namespace: string): Promise<void> {
    const files = ["-f", this.#file(id, "conf"), "-p", this.#file(id, "pid"), "-r", this.#file(id, "vrrp.pid")];
    const argv = ["nsenter", `--net=${namespacePath(namespace)}`, "keepalived", "--vrrp", ...files];
    const result = await this.#options.runner.run(argv);
    if (result.exitCode === 0) return;
    const failed = commandFailed(argv, result);
    throw new NetloomError(failed.code, `no high availability: ${failed.message}`, failed.detail, failed);
  }

  async #settle(id: RouterId, namespace: string): Promise<void> {
    const enter = ["nsenter", `--net=${namespacePath(namespace)}`];
    const files = [this.#file(id, "hook"), haStateFile(this.#options.stateDir, id)];
    await runChecked(this.#options.runner, [...enter, "perl", hookScript, ...files]);
  }

  async #write(path: string, text: string): Promise<boolean> {
    if ((await readFileIfPresent(path)) === text) return false;
    await writeFileAtomic(path, text);
    return true;
  }

  #directory(id: RouterId): string {
    return join(this.#options.stateDir, "l3", "ha", id);
  }

  #file(id: RouterId, kind: "conf" | "hook" | "pid" | "vrrp.pid"): string {
    return join(this.#directory(id), kind);
  }
}
