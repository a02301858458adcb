// A whole netloom in a state directory of its own, as a user would start it, for end-to-end tests and benchmarks.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, chmod } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "./free-port.ts";
import { RestClient } from "./rest-client.ts";
import { unlimited } from "./unlimited.ts";

const launcher = fileURLToPath(new URL("../../bin/netloom", import.meta.url));

export type Program = "server" | "dhcp-agent" | "l3-agent" | "floating-ip-agent" | "nats-server";

export interface CommandResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `netloom <args>` to its end. */
export async function netloom(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  options: { readonly asNobody?: true } = {},
): Promise<CommandResult> {
  const child = spawn(process.execPath, [launcher, ...args], {
    env: { ...process.env, ...env },
    ...(options.asNobody === true ? { uid: 65_534, gid: 65_534 } : {}),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    output.stdout += chunk.toString("utf8");
  });
  child.stderr.on("data", (chunk: Buffer) => {
    output.stderr += chunk.toString("utf8");
  });
  const exitCode = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { exitCode, ...output };
}

/** One state directory, one port, one host name and name-space prefix; `up` may be started and killed in it many times. */
export class NetloomUp {
  readonly stateDir: string;
  readonly url: string;
  readonly prefix: string;
  readonly host: string;
  readonly #listen: string;
  readonly #extra: readonly string[];
  #child: ChildProcess | undefined;
  #stderr = "";
  /** What the last start wrote to standard output so far. */
  stdout = "";
  /** Milliseconds from the start of the process to its ready line. */
  readyMs = 0;

  private constructor(stateDir: string, port: number, extra: readonly string[]) {
    this.stateDir = stateDir;
    this.#listen = `127.0.0.1:${port}`;
    this.url = `http://${this.#listen}`;
    this.prefix = `t${randomBytes(2).toString("hex")}-`;
    this.host = `host-${this.prefix}x`;
    this.#extra = extra;
  }

  static async create(extra: readonly string[] = []): Promise<NetloomUp> {
    const stateDir = await mkdtemp(path.join(tmpdir(), "netloom-e2e-"));
    await chmod(stateDir, 0o755);
    return new NetloomUp(stateDir, await freePort(), extra);
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error("netloom up does not run");
    return pid;
  }

  get arguments(): readonly string[] {
    const named = [
      "--state-dir",
      this.stateDir,
      "--listen",
      this.#listen,
      "--host",
      this.host,
      "--namespace-prefix",
      this.prefix,
    ];
    return ["up", ...named, ...unlimited, ...this.#extra];
  }

  /** Resolves at the ready line; rejects with what was printed when the process ends first. */
  async start(env: NodeJS.ProcessEnv = {}): Promise<void> {
    const startedAt = performance.now();
    const child = spawn(process.execPath, [launcher, ...this.arguments], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    this.#stderr = "";
    child.stderr.on("data", (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString("utf8")).slice(-20_000);
    });
    await new Promise<void>((resolve, reject) => {
      this.stdout = "";
      child.stdout.on("data", (chunk: Buffer) => {
        this.stdout += chunk.toString("utf8");
        if (this.stdout.includes("netloom is ready")) resolve();
      });
      child.once("exit", (code) => reject(new Error(`netloom up ended with ${code}: ${this.stdout}${this.#stderr}`)));
    });
    this.readyMs = performance.now() - startedAt;
  }

  client(connections?: number): RestClient {
    return new RestClient(this.url, connections);
  }

  /** The process of a program of this `up`, found among its children. */
  async findProgram(program: Program): Promise<number | undefined> {
    for (const entry of await readdir("/proc")) {
      if (!/^\d+$/.test(entry)) continue;
      const stat = await readFile(`/proc/${entry}/stat`, "utf8").catch(() => "");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      if (parent !== this.pid) continue;
      const argv = await readFile(`/proc/${entry}/cmdline`, "utf8").catch(() => "");
      if (argv.split("\0").some((word) => path.basename(word) === program || word === program)) return Number(entry);
    }
    return undefined;
  }

  async signal(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    child.kill(signal);
    return ended;
  }

  stop(): Promise<number | null> {
    return this.signal("SIGTERM");
  }

  async down(): Promise<CommandResult> {
    return netloom(["down", "--state-dir", this.stateDir]);
  }

  /** For `after`: everything of this state directory goes, whatever state the test left it in. */
  async destroy(): Promise<void> {
    await this.stop();
    await this.down();
    await rm(this.stateDir, { recursive: true, force: true });
  }
}
