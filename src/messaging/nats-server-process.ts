// One nats-server of our own as a child: started, waited for, found again and ended when a killed parent left it behind.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";

export interface NatsServerOptions {
  /** Holds `nats-server.pid` and `nats-server.port`. */
  readonly directory: string;
  /** Absolute: it is also the mark by which an orphan is known. */
  readonly configFile: string;
  readonly log: Logger;
}

export interface NatsServerProcess {
  /** The same as last time whenever that port is still free, so that clients find a restarted server again. */
  readonly url: string;
  readonly pid: number;
  readonly child: ChildProcess;
  /** SIGTERM, and SIGKILL after 2 s; resolves when it has gone. */
  stop(): Promise<void>;
}

const readyLimitMs = 10_000;
const stopLimitMs = 2000;
const pidFileSchema = z.object({ pid: z.int().positive(), startTime: z.string() });

/** Ends a left-over of the same directory first. Rejects with one clear line when it cannot start. */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServerProcess> {
  await endOrphanedNatsServer(options);
  const portFile = join(options.directory, "nats-server.port");
  const lastPort = Number(await readFile(portFile, "utf8").catch(() => ""));
  const started = await launch(options, lastPort > 0 ? lastPort : undefined).catch((thrown: unknown) => {
    // Somebody else has the old port: any other will do, the configuration says which.
    if (lastPort > 0 && thrown instanceof NetloomError && thrown.code === "CONFLICT") return launch(options, undefined);
    throw thrown;
  });
  await writeFile(portFile, `${new URL(started.url).port}\n`);
  return started;
}

/** For starting anew and for `netloom down`. Touches nothing that is not provably our own child of the past. */
export async function endOrphanedNatsServer(options: Omit<NatsServerOptions, "log">): Promise<void> {
  const pidFile = join(options.directory, "nats-server.pid");
  const text = await readFile(pidFile, "utf8").catch(() => undefined);
  if (text === undefined) return;
  const known = pidFileSchema.safeParse(parseJson(text));
  if (known.success && (await isOurs(known.data, options.configFile))) {
    await endProcess(known.data.pid, () => isOurs(known.data, options.configFile));
  }
  await rm(pidFile, { force: true });
}

async function launch(options: NatsServerOptions, port: number | undefined): Promise<NatsServerProcess> {
  const { directory, configFile, log } = options;
  const portArguments = port === undefined ? [] : ["-p", String(port)];
  // A parent that is killed cannot end it; the kernel can, and setpriv (util-linux) asks it to.
  const child = spawn("setpriv", ["--pdeathsig", "TERM", "nats-server", "-c", configFile, ...portArguments], {
    stdio: ["ignore", "ignore", "pipe"],
    // Debian puts it where the PATH of ordinary users does not look.
    env: { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/sbin` },
  });
  const ready = waitUntilReady(child, log);
  // A spawn that failed has no pid; `ready` tells why.
  if (child.pid === undefined) throw await ready.then(unreachable, (thrown: unknown) => thrown);
  const pidFile = join(directory, "nats-server.pid");
  await writeFile(pidFile, JSON.stringify({ pid: child.pid, startTime: (await readStartTime(child.pid)) ?? "" }));
  try {
    const url = await ready;
    return { url, pid: child.pid, child, stop: () => stopChild(child, pidFile) };
  } catch (thrown) {
    await stopChild(child, pidFile);
    throw thrown;
  }
}

const unreachable = (): never => {
  throw new Error("a process without a pid became ready");
};

function waitUntilReady(child: ChildProcess, log: Logger): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = (code: "CONFLICT" | "UNAVAILABLE", text: string): void => reject(new NetloomError(code, text));
  const timer = setTimeout(() => fail("UNAVAILABLE", `nats-server was not ready after ${readyLimitMs} ms`), readyLimitMs);
  let url: string | undefined;
  let lastComplaint = "";
  child.once("error", (error: NodeJS.ErrnoException) =>
    fail(
      "UNAVAILABLE",
      error.code === "ENOENT"
        ? "nats-server is not installed: apt-get install nats-server"
        : `nats-server cannot be started: ${error.message}`,
    ),
  );
  child.once("close", (exitCode) =>
    fail(
      /address already in use/.test(lastComplaint) ? "CONFLICT" : "UNAVAILABLE",
      `nats-server ended with ${exitCode}${lastComplaint === "" ? "" : `: ${lastComplaint}`}`,
    ),
  );
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on("line", (line) => {
      url ??= /Listening for client connections on (\S+)/.exec(line)?.[1];
      if (line.includes("Server is ready") && url !== undefined) resolve(`nats://${url}`);
      if (!/\[(ERR|FTL|WRN)\]|^nats-server:/.test(line)) return;
      lastComplaint = line.replace(/^\[\d+\] \S+ \S+ /, "");
      log.warn({ line: lastComplaint }, "nats-server complained");
    });
  }
  const ended = promise.finally(() => clearTimeout(timer));
  // It may end before the caller, who writes the pid down first, waits for it.
  ended.catch(() => {});
  return ended;
}

async function stopChild(child: ChildProcess, pidFile: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const gone = once(child, "exit");
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), stopLimitMs);
    await gone;
    clearTimeout(timer);
  }
  await rm(pidFile, { force: true });
}

async function isOurs(known: { readonly pid: number; readonly startTime: string }, configFile: string): Promise<boolean> {
  const commandLine = await readFile(`/proc/${known.pid}/cmdline`, "utf8").catch(() => "");
  return commandLine.split("\0").includes(configFile) && (await readStartTime(known.pid)) === known.startTime;
}

/** Clock ticks since boot at which the process began: with the pid it names one process for ever. */
async function readStartTime(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  // The second field is the command in parentheses and may hold spaces; the start time is the 22nd.
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

async function endProcess(pid: number, isThere: () => Promise<boolean>): Promise<void> {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const endsAt = performance.now() + stopLimitMs;
    process.kill(pid, signal);
    while (performance.now() < endsAt) {
      if (!(await isThere())) return;
      await delay(20);
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
