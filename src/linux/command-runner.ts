// The one place that starts short-lived tools: argument arrays, never a shell line made of values.
import { spawn } from "node:child_process";
import { NetloomError } from "../base/errors.ts";

export interface RunOptions {
  readonly stdin?: string | undefined;
  readonly timeoutMs?: number | undefined;
  /** Added to the little that every tool gets: PATH and LC_ALL=C. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandRunner {
  /** Any exit code is an answer; throws only when the tool is missing, too slow, or was killed. */
  run(argv: readonly string[], options?: RunOptions): Promise<CommandResult>;
}

export const defaultTimeoutMs = 20_000;
const outputLimitBytes = 16 * 1024 * 1024;

const debianPackages: Readonly<Record<string, string>> = {
  dnsmasq: "dnsmasq-base",
  ip: "iproute2",
  nft: "nftables",
  nsenter: "util-linux",
  perl: "perl-base",
  "nats-server": "nats-server",
};

export function notInstalled(tool: string): NetloomError {
  const packageName = debianPackages[tool] ?? tool;
  return new NetloomError("UNAVAILABLE", `${tool} is not installed: apt-get install ${packageName}`, { argv: [tool] });
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream?.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= outputLimitBytes) chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString("utf8");
}

/** @param searchPath where tools are looked for; the PATH of this process unless told otherwise */
export function processRunner(searchPath: string = process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin"): CommandRunner {
  return { run: async (argv, options = {}) => runProcess(searchPath, argv, options) };
}

async function runProcess(searchPath: string, argv: readonly string[], options: RunOptions): Promise<CommandResult> {
  const [tool = "", ...rest] = argv;
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  const child = spawn(tool, rest, {
    env: { PATH: searchPath, LC_ALL: "C", ...options.env },
    stdio: [options.stdin === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    signal: options.signal,
  });
  // Not spawn's own timeout: its timer outlives a spawn that failed, and holds the process up for that long.
  const timer = setTimeout(() => {
    child.kill("SIGKILL");
    // Children of its own may have inherited them, and nobody waits for those.
    child.stdout?.destroy();
    child.stderr?.destroy();
  }, timeoutMs);
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  // A tool that ends without reading its input breaks the pipe; its exit code says what went wrong.
  child.stdin?.on("error", () => {});
  child.stdin?.end(options.stdin);
  return new Promise((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(error.code === "ENOENT" ? notInstalled(tool) : error);
    });
    child.once("close", (exitCode, signal) => {
      clearTimeout(timer);
      if (exitCode !== null) {
        const missing = /failed to execute ([\w.-]+): No such file/.exec(stderr())?.[1];
        if (exitCode === 127 && missing !== undefined) reject(notInstalled(missing));
        else resolve({ exitCode, stdout: stdout(), stderr: stderr() });
      } else {
        reject(
          new NetloomError("TIMEOUT", `${tool} was ended by ${signal} within ${timeoutMs} ms`, { argv, stderr: stderr() }),
        );
      }
    });
  });
}

/** Like `run`, but any exit code other than 0 throws COMMAND_FAILED with the tool's own words. Returns its output. */
export async function runChecked(runner: CommandRunner, argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await runner.run(argv, options);
  if (result.exitCode !== 0) throw commandFailed(argv, result);
  return result.stdout;
}

export function commandFailed(argv: readonly string[], result: CommandResult): NetloomError {
  const words = (result.stderr.trim() || result.stdout.trim()).slice(0, 2000);
  return new NetloomError("COMMAND_FAILED", `${argv[0] ?? ""} failed: ${words || `exit code ${result.exitCode}`}`, {
    argv,
    exitCode: result.exitCode,
    stderr: words,
  });
}
