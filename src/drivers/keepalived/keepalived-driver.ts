// One keepalived for each router of high availability, in the router's namespace: a daemon that outlives the agent, found again
// by its pid file and command line, told of a new configuration by a signal.
import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { NetloomError } from "../../base/errors.ts";
import {
  ensureDirectory,
  readDirectoryIfPresent,
  readFileIfPresent,
  removeFile,
  removeStaleTemporaries,
  writeFileAtomic,
} from "../../linux/atomic-file.ts";
import { commandFailed, type CommandRunner, runChecked } from "../../linux/command-runner.ts";
import { namespaceInode, namespacePath } from "../../linux/netns.ts";
import {
  findProcesses,
  parsePid,
  type ProcessIdentity,
  readNetworkNamespaceInode,
  readProcess,
  sendSignal,
  terminate,
} from "../../linux/process-table.ts";
import type { RouterId } from "../../model/ids.ts";
import { type HaState, haStateDirectory, haStateFile } from "../l3-layout.ts";
import type { HaPlan, RevivedHa, RouterHaDriver } from "../router-ha.ts";
import { formatHookFile, formatKeepalivedConfig } from "./keepalived-config.ts";

const hookScript = fileURLToPath(new URL("./netloom-ha-notify", import.meta.url));

export interface KeepalivedOptions {
  readonly stateDir: string;
  readonly runner: CommandRunner;
  /** Between two advertisements. */
  readonly advertMs: number;
}

/** In which a keepalived that lost its worker for the first time has started another one. */
const respawnMs = 300;

/** On a busy machine; usually some milliseconds. */
const pidMs = 5000;

interface Texts {
  readonly conf: string;
  readonly hook: string;
  /** Hashes of both; written when keepalived and the kernel have them. */
  readonly force: string;
}

type Present = { readonly [Kind in keyof Texts]: string | undefined };

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 32);

const forceOf = (conf: string, hook: string): string => `${hashOf(conf)} ${hashOf(hook)}\n`;

const areSame = (one: Present, other: Texts): boolean =>
  one.conf === other.conf && one.hook === other.hook && one.force === other.force;

export class KeepalivedDriver implements RouterHaDriver {
  readonly #options: KeepalivedOptions;

  constructor(options: KeepalivedOptions) {
    this.#options = options;
  }

  async ensure(plan: HaPlan, { isRemade }: { readonly isRemade: boolean }): Promise<boolean> {
    const { stateDir } = this.#options;
    const { routerId: id, namespace } = plan;
    await ensureDirectory(this.#directory(id));
    await ensureDirectory(haStateDirectory(stateDir));
    await removeStaleTemporaries(this.#directory(id));
    const wanted = this.#textsOf(plan);
    const present = await this.#readPresent(id);
    const running = await this.#find(id, namespace);
    if (running !== undefined && !isRemade && areSame(present, wanted)) return this.#check(id, namespace);
    // Until all of it is done, whoever comes next does it again.
    await removeFile(this.#file(id, "force"));
    await writeFileAtomic(this.#file(id, "conf"), wanted.conf);
    await writeFileAtomic(this.#file(id, "hook"), wanted.hook);
    const knowsOther = present.conf !== wanted.conf || present.force?.startsWith(hashOf(wanted.conf)) !== true;
    const isKept = running !== undefined && (!knowsOther || sendSignal(running, "SIGHUP"));
    // Before it runs, too: after a boot the file may say what was true before.
    await this.#settle(id, namespace);
    if (!isKept) {
      // A look at every process, which a router that is new here can do without.
      if (present.conf !== undefined || (await this.#findAny(id)) !== undefined) await this.#stopBroken(id, namespace);
      await this.#start(id, namespace);
    }
    await writeFileAtomic(this.#file(id, "force"), wanted.force);
    return true;
  }

  /** Leaves what was written of the plan as it is: killed at any line, the next one does the same again. */
  async revive(id: RouterId, namespace: string): Promise<RevivedHa> {
    if ((await this.#find(id, namespace)) !== undefined) return "running";
    const { conf, hook, force } = await this.#readPresent(id);
    if (conf === undefined || hook === undefined) return "absent";
    await this.#settle(id, namespace);
    await this.#stopBroken(id, namespace);
    try {
      await this.#start(id, namespace);
    } catch (thrown) {
      // Half of another plan, or what others wrote: it is written anew. So is what does not start, with the next look.
      if (force !== forceOf(conf, hook)) return "absent";
      await removeFile(this.#file(id, "force"));
      throw thrown;
    }
    return "started";
  }

  async isRunning(id: RouterId, namespace: string): Promise<boolean> {
    return (await this.#find(id, namespace)) !== undefined;
  }

  async has(id: RouterId): Promise<boolean> {
    return (await readDirectoryIfPresent(this.#directory(id))).length > 0;
  }

  async remove(id: RouterId): Promise<void> {
    const { stateDir, runner } = this.#options;
    if (await this.has(id)) {
      await this.#stop(id);
      // A hook that still runs would say again what it is: it is waited for, and those that come later find nothing to do.
      const files = [this.#file(id, "hook"), haStateFile(stateDir, id)];
      await runChecked(runner, ["perl", hookScript, ...files, "REMOVE"]);
    }
    await rm(this.#directory(id), { recursive: true, force: true });
    for (const name of [id, `.${id}.new`]) await removeFile(join(haStateDirectory(stateDir), name));
  }

  async stateOf(id: RouterId): Promise<HaState> {
    const word = (await readFileIfPresent(haStateFile(this.#options.stateDir, id)))?.trim();
    return word === "primary" || word === "backup" ? word : "unknown";
  }

  #textsOf(plan: HaPlan): Texts {
    const { stateDir, advertMs } = this.#options;
    const { routerId: id } = plan;
    const files = { hookScript, hookFile: this.#file(id, "hook"), stateFile: haStateFile(stateDir, id) };
    const [conf, hook] = [formatKeepalivedConfig(plan, files, advertMs), formatHookFile(plan, advertMs)];
    return { conf, hook, force: forceOf(conf, hook) };
  }

  async #readPresent(id: RouterId): Promise<Present> {
    const [conf, hook, force] = await Promise.all(
      (["conf", "hook", "force"] as const).map((kind) => readFileIfPresent(this.#file(id, kind))),
    );
    return { conf, hook, force };
  }

  /** Settings of the kernel that others changed, which nothing else shows. */
  async #check(id: RouterId, namespace: string): Promise<boolean> {
    return Number(await this.#settle(id, namespace, "CHECK")) > 0;
  }

  /** The one of this router, in the namespace that has its name now. */
  async #find(id: RouterId, namespace: string): Promise<ProcessIdentity | undefined> {
    const running = await this.#findAny(id);
    if (running === undefined || (await this.#hasLostWorker(id))) return undefined;
    return readNetworkNamespaceInode(running.pid) === namespaceInode(namespace) ? running : undefined;
  }

  async #findAny(id: RouterId): Promise<ProcessIdentity | undefined> {
    const pid = parsePid(await readFileIfPresent(this.#file(id, "pid")));
    const process = pid === undefined ? undefined : readProcess(pid);
    return process?.argv.includes(this.#file(id, "conf")) === true ? process : undefined;
  }

  /** In good order it would give up, and the addresses with it. */
  async #stopBroken(id: RouterId, namespace: string): Promise<void> {
    const parent = await this.#findAny(id);
    const isHere = parent !== undefined && readNetworkNamespaceInode(parent.pid) === namespaceInode(namespace);
    if (isHere) sendSignal(parent, "SIGKILL");
    await this.#stop(id);
  }

  async #stop(id: RouterId): Promise<void> {
    const parent = await this.#findAny(id);
    if (parent !== undefined) await terminate(parent);
    // The worker ends with its parent, but not at once when that was killed. And one whose pid was not written yet, or was removed
    // by one that ended late, nobody would find any more.
    for (const other of findProcesses((argv) => argv.includes(this.#file(id, "conf")))) await terminate(other);
    for (const kind of ["pid", "vrrp.pid"] as const) await removeFile(this.#file(id, kind));
  }

  /** It died, and its parent has not started it again; the second time within a minute that takes seconds, and ever longer. */
  async #hasLostWorker(id: RouterId): Promise<boolean> {
    const isLost = async (): Promise<boolean> => {
      const pid = parsePid(await readFileIfPresent(this.#file(id, "vrrp.pid")));
      return pid !== undefined && readProcess(pid) === undefined;
    };
    if (!(await isLost())) return false;
    await delay(respawnMs);
    return isLost();
  }

  async #start(id: RouterId, namespace: string): Promise<void> {
    const files = ["-f", this.#file(id, "conf"), "-p", this.#file(id, "pid"), "-r", this.#file(id, "vrrp.pid")];
    const argv = ["nsenter", `--net=${namespacePath(namespace)}`, "keepalived", "--vrrp", ...files];
    const result = await this.#options.runner.run(argv);
    if (result.exitCode === 0) return this.#waitForPid(id);
    const failed = commandFailed(argv, result);
    throw new NetloomError(failed.code, `no high availability: ${failed.message}`, failed.detail, failed);
  }

  /** Written a moment after it has gone to the background; before that nobody would find it. */
  async #waitForPid(id: RouterId): Promise<void> {
    const endsAt = performance.now() + pidMs;
    while ((await this.#findAny(id)) === undefined) {
      if (performance.now() > endsAt) throw new NetloomError("TIMEOUT", "no high availability: keepalived says no pid");
      await delay(5);
    }
  }

  async #settle(id: RouterId, namespace: string, ...words: readonly string[]): Promise<string> {
    const enter = ["nsenter", `--net=${namespacePath(namespace)}`];
    const files = [this.#file(id, "hook"), haStateFile(this.#options.stateDir, id)];
    return runChecked(this.#options.runner, [...enter, "perl", hookScript, ...files, ...words]);
  }

  #directory(id: RouterId): string {
    return join(this.#options.stateDir, "l3", "ha", id);
  }

  #file(id: RouterId, kind: "conf" | "hook" | "force" | "pid" | "vrrp.pid"): string {
    return join(this.#directory(id), kind);
  }
}
