// One child program of `netloom up`: started, announced ready, started again after a crash, ended.
import { type ChildProcess, fork, type StdioOptions } from "node:child_process";
import { closeSync, existsSync, openSync, renameSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { ProgramName } from "./agent-programs.ts";
import { nodeFlagsOf } from "./node-flags.ts";
import { writePidFile } from "./pid-file.ts";
import { programEnvironment } from "./program-arguments.ts";
import { RestartPause } from "./restart-pause.ts";

const launcher = fileURLToPath(new URL("../../bin/netloom", import.meta.url));
const rotateAboveBytes = 64 * 1024 * 1024;

export interface ProgramOptions {
  readonly name: ProgramName;
  readonly args: readonly string[];
  readonly pidFile: string;
  /** Absent: logs go to standard error. */
  readonly logFile: string | undefined;
  readonly log: Logger;
}

/** What a child tells: `ready` once it serves (the agent: has synced), `failed` just before it gives up. */
export interface ReadyMessage {
  readonly type: "ready";
  readonly url?: string;
}

export class ProgramProcess {
  readonly #options: ProgramOptions;
  readonly #ready = Promise.withResolvers<ReadyMessage>();
  #args: readonly string[];
  #child: ChildProcess | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  readonly #pause = new RestartPause();
  #isReady = false;
  #isStopping = false;
  #failure = "";

  constructor(options: ProgramOptions) {
    this.#options = options;
    this.#args = options.args;
    // Whoever waits gets the rejection; nobody waiting is not a crash of the supervisor.
    this.#ready.promise.catch(() => {});
  }

  /** Rejects when the program ends before it was ready for the first time: such a fault does not heal by trying again. */
  get ready(): Promise<ReadyMessage> {
    return this.#ready.promise;
  }

  /** Ends the running one; the next starts at once, with other arguments. */
  restartWith(args: readonly string[]): void {
    this.#args = args;
    this.#pause.skipNext();
    this.#child?.kill("SIGTERM");
  }

  /** Resolves when no process of this program is running. */
  async ended(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => child.once("exit", () => resolve()));
  }

  start(): void {
    const { name, logFile } = this.#options;
    const startedAt = performance.now();
    const logTarget = logFile === undefined ? "inherit" : openLog(logFile);
    // A process group of its own: Ctrl-C in a terminal is for `up`, which ends its programs in the right order.
    const stdio: StdioOptions = ["ignore", logTarget, logTarget, "ipc"];
    const env = programEnvironment(process.env);
    const child = fork(launcher, [name, ...this.#args], { stdio, env, execArgv: [...nodeFlagsOf(name)], detached: true });
    if (typeof logTarget === "number") closeSync(logTarget);
    this.#child = child;
    child.on("message", (message) => this.#onMessage(message));
    child.once("error", (error) => {
      this.#failure = error.message;
      if (child.pid === undefined) this.#onEnd(null, null, startedAt);
    });
    child.once("exit", (code, signal) => this.#onEnd(code, signal, startedAt));
    if (child.pid !== undefined) this.#announce(child.pid);
  }

  /** Resolves when the program has ended; SIGKILL after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#restartTimer);
    const child = this.#child;
    const ended = this.ended();
    child?.kill("SIGTERM");
    const killTimer = setTimeout(() => child?.kill("SIGKILL"), graceMs);
    await ended;
    clearTimeout(killTimer);
  }

  #onMessage(message: unknown): void {
    if (typeof message !== "object" || message === null || !("type" in message)) return;
    if (message.type === "ready") {
      if (this.#isReady) this.#options.log.info({ outcome: "ready" }, `${this.#options.name} is ready again`);
      this.#isReady = true;
      const url = "url" in message && typeof message.url === "string" ? { url: message.url } : {};
      this.#ready.resolve({ type: "ready", ...url });
    }
    if (message.type === "failed" && "message" in message) this.#failure = String(message.message);
  }

  #onEnd(exitCode: number | null, signal: NodeJS.Signals | null, startedAt: number): void {
    const { name, log, pidFile, logFile } = this.#options;
    void rm(pidFile, { force: true }).catch(() => {});
    if (this.#isStopping) return;
    if (!this.#isReady) {
      const reason = this.#failure === "" ? `it ended with ${signal ?? `exit code ${exitCode}`}` : this.#failure;
      this.#ready.reject(new NetloomError("UNAVAILABLE", `${name} did not start: ${reason}`, { logFile }));
      return;
    }
    const ms = Math.round(performance.now() - startedAt);
    log.warn({ exitCode, outcome: signal ?? "exited", ms }, `${name} ended and is started again`);
    this.#failure = "";
    this.#restartTimer = setTimeout(() => this.start(), this.#pause.afterEnd(ms));
  }

  #announce(pid: number): void {
    writePidFile(this.#options.pidFile, pid).catch((err: unknown) => this.#options.log.warn({ err }, "pid file not written"));
  }
}

/** Appending, so that two starts and a rotation by copying never overwrite each other. */
function openLog(file: string): number {
  if (existsSync(file) && statSync(file).size > rotateAboveBytes) renameSync(file, `${file}.1`);
  return openSync(file, "a", 0o640);
}
