// Runs tools without forking this process: one small child, made when first needed, starts them. Forking Node takes 5 to 30 ms
// in which nothing else happens, and makes every page that is written afterwards dearer; forking the child takes half of one.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { errorText, NetloomError } from "../base/errors.ts";
import { type CommandResult, type CommandRunner, defaultTimeoutMs, notInstalled, type RunOptions } from "./command-runner.ts";

interface Pending {
  readonly argv: readonly string[];
  timer: NodeJS.Timeout;
  readonly resolve: (result: CommandResult) => void;
  readonly reject: (error: unknown) => void;
}

// Number of the system call `setns`, for which perl has no word; newer machines share one table.
const setnsNumber = ({ x64: 308, arm64: 268, riscv64: 268, loong64: 268 } as Readonly<Record<string, number>>)[process.arch];

const scriptPath = fileURLToPath(new URL("./netloom-fork-server", import.meta.url));
/** Without work for so long, it is ended: it is there for bursts. */
const idleMs = 30_000;

export class ForkServer implements CommandRunner {
  readonly #fallback: CommandRunner;
  readonly #searchPath: string;
  readonly #killLimitMs: number;
  readonly #pending = new Map<number, Pending>();
  #child: ChildProcessWithoutNullStreams | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #nextId = 1;
  #received = "";
  #commands = 0;
  #isUseless = setnsNumber === undefined;

  /**
   * @param fallback runs what the child cannot: everything on a host without perl
   * @param killLimitMs from the kill of a tool that took too long until its end must be heard of
   */
  constructor(
    fallback: CommandRunner,
    searchPath: string = process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin",
    { killLimitMs = 5_000 }: { readonly killLimitMs?: number } = {},
  ) {
    this.#fallback = fallback;
    this.#searchPath = searchPath;
    this.#killLimitMs = killLimitMs;
  }

  /** Commands run so far. */
  get commands(): number {
    return this.#commands;
  }

  async run(argv: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    this.#commands += 1;
    if (this.#isUseless || options.signal !== undefined) return this.#fallback.run(argv, options);
    return this.#request(argv, options).catch((thrown: unknown) => {
      // A command that was under way when the child was lost may have been carried out: whoever asked looks again.
      if (!this.#isUseless) throw thrown;
      return this.#fallback.run(argv, options);
    });
  }

  /** Ends the child; what is under way is reported as failed. A later command starts another. */
  close(): void {
    this.#lose(new NetloomError("UNAVAILABLE", "the fork server was closed"));
  }

  #request(argv: readonly string[], options: RunOptions): Promise<CommandResult> {
    const id = this.#nextId++;
    const child = this.#ensureChild();
    const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    return new Promise((resolve, reject) => {
      const pending = { argv, resolve, reject, timer: setTimeout(() => this.#kill(child, id), timeoutMs) };
      this.#pending.set(id, pending);
      this.#hold(child, true);
      child.stdin.write(formatRequest(id, argv, { PATH: this.#searchPath, LC_ALL: "C", ...options.env }, options.stdin));
    });
  }

  /** The tool's end is the answer. Where even that does not come, the child is of no more use. */
  #kill(child: ChildProcessWithoutNullStreams, id: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    child.stdin.write(`kill ${id}\n`);
    pending.timer = setTimeout(() => {
      const [tool = ""] = pending.argv;
      child.kill("SIGKILL");
      this.#lose(new NetloomError("TIMEOUT", `${tool} did not end, nor did the fork server say so`), child);
    }, this.#killLimitMs);
  }

  #ensureChild(): ChildProcessWithoutNullStreams {
    if (this.#child !== undefined) return this.#child;
    const env = { PATH: this.#searchPath, LC_ALL: "C" };
    const child = spawn("perl", [scriptPath, String(setnsNumber)], { env, stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    this.#received = "";
    let words = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (words = (words + chunk).slice(-2000)));
    child.stdout.setEncoding("latin1").on("data", (chunk: string) => this.#receive(child, chunk));
    child.stdin.on("error", () => {});
    child.once("error", (error) => {
      this.#isUseless = true;
      this.#lose(new NetloomError("UNAVAILABLE", errorText(error), {}, error), child);
    });
    child.once("close", () => this.#lose(new NetloomError("UNAVAILABLE", `the fork server ended: ${words.trim()}`), child));
    return child;
  }

  #receive(child: ChildProcessWithoutNullStreams, chunk: string): void {
    if (child !== this.#child) return;
    const lines = (this.#received + chunk).split("\n");
    this.#received = lines.pop() ?? "";
    for (const line of lines) this.#settle(line);
    if (this.#pending.size === 0) this.#hold(child, false);
  }

  #settle(line: string): void {
    const [id = "", exitCode = "", signal = "", stdout = "-", stderr = "-"] = line.split(" ");
    const pending = this.#pending.get(Number(id));
    if (pending === undefined) return;
    this.#pending.delete(Number(id));
    clearTimeout(pending.timer);
    const result = { exitCode: Number(exitCode), stdout: fromHex(stdout), stderr: fromHex(stderr) };
    const [tool = ""] = pending.argv;
    const missing = /failed to execute ([\w./-]+): No such file/.exec(result.stderr)?.[1];
    if (signal !== "0") {
      const detail = { argv: pending.argv, stderr: result.stderr };
      pending.reject(new NetloomError("TIMEOUT", `${tool} was ended by signal ${signal}`, detail));
    } else if (result.exitCode === 127 && missing !== undefined) pending.reject(notInstalled(missing));
    else pending.resolve(result);
  }

  #lose(error: NetloomError, lost = this.#child): void {
    if (lost === undefined || lost !== this.#child) return;
    this.#hold(lost, false);
    clearTimeout(this.#idleTimer);
    this.#child = undefined;
    lost.stdin.end();
    for (const { timer, reject } of this.#pending.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#pending.clear();
  }

  /** While nothing is under way it does not keep this process alive. */
  #hold(child: ChildProcessWithoutNullStreams, isHeld: boolean): void {
    clearTimeout(this.#idleTimer);
    // The casts: pipes to a child are sockets, which the types do not say.
    const handles = [child, child.stdin, child.stdout, child.stderr] as unknown as readonly { ref(): void; unref(): void }[];
    for (const handle of handles) {
      if (isHeld) handle.ref();
      else handle.unref();
    }
    if (!isHeld) this.#idleTimer = setTimeout(() => this.close(), idleMs).unref();
  }
}

const toHex = (text: string): string => Buffer.from(text).toString("hex");
const fromHex = (hex: string): string => (hex === "-" ? "" : Buffer.from(hex, "hex").toString("utf8"));

/** `nsenter --net=<file>` in front is done by the child itself, which saves an exec. */
function formatRequest(
  id: number,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  stdin: string | undefined,
): string {
  const file = argv[0] === "nsenter" ? /^--net=(\/.+)$/.exec(argv[1] ?? "")?.[1] : undefined;
  const command = file === undefined ? argv : argv.slice(2);
  const variables = Object.entries(env).map(([name, value]) => toHex(`${name}=${value}`));
  const input = stdin === undefined ? "-" : toHex(stdin);
  const words = [
    "run",
    id,
    file === undefined ? "-" : toHex(file),
    input,
    variables.length,
    ...variables,
    ...command.map(toHex),
  ];
  return `${words.join(" ")}\n`;
}
