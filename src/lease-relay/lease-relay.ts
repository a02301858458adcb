// Where dnsmasq's script client tells about leases: a Unix socket that only root can write to, and that believes nothing
// it is told before it is checked. No message, however wrong, does more than one line in the log.
import { chmodSync, lstatSync, unlinkSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Clock, systemClock } from "../base/clock.ts";
import { errorText, NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { ensureDirectory, isErrno } from "../linux/atomic-file.ts";
import { isAnswered } from "../linux/unix-socket.ts";
import type { LeaseReport } from "../types/agent-messages.ts";
import { messageLimitBytes, parseLeaseMessage } from "./lease-message.ts";

/** What dnsmasq is given as its `--dhcp-script`. */
export const leaseScriptPath = fileURLToPath(new URL("netloom-lease-relay", import.meta.url));

export const leaseSocketPath = (stateDir: string): string => join(stateDir, "dhcp", "lease_relay");

export interface LeaseRelayOptions {
  readonly stateDir: string;
  readonly log: Logger;
  readonly clock?: Clock;
}

const connectionLimit = 64;
const connectionMs = 1000;
// The kernel's limit of a socket's path, with its final zero.
const pathLimitBytes = 107;
/** Warnings per window; what is beyond is counted and told with the next. */
const warningLimit = 50;
const warningWindowMs = 10_000;

export class LeaseRelay {
  readonly #options: LeaseRelayOptions;
  readonly #clock: Clock;
  readonly #sockets = new Set<Socket>();
  readonly #listeners: ((report: LeaseReport) => void)[] = [];
  #server: Server | undefined;
  #dropped = 0;
  #warnings = { windowStartMs: 0, count: 0, suppressed: 0 };

  constructor(options: LeaseRelayOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  get socketPath(): string {
    return leaseSocketPath(this.#options.stateDir);
  }

  /** Connections that were turned away because too many were open. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Every message that makes sense, also one that repeats another. */
  onLease(listener: (report: LeaseReport) => void): void {
    this.#listeners.push(listener);
  }

  async start(): Promise<void> {
    const path = this.socketPath;
    if (Buffer.byteLength(path) > pathLimitBytes) {
      throw new NetloomError(
        "INVALID",
        `state directory is too long for a socket: ${path} has more than ${pathLimitBytes} bytes`,
      );
    }
    await ensureDirectory(dirname(path));
    await removeStaleSocket(path);
    const server = createServer((socket) => this.#accept(socket));
    server.maxConnections = connectionLimit;
    server.on("drop", () => this.#drop());
    await listen(server, path);
    this.#server = server;
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    let text = Buffer.alloc(0);
    let isDone = false;
    const finish = (reason?: string): void => {
      if (isDone) return;
      isDone = true;
      clearTimeout(timer);
      socket.destroy();
      if (reason === undefined) this.#receive(text);
      else this.#warn(text, reason);
    };
    const timer = setTimeout(() => finish("no end of message in time"), connectionMs);
    socket.on("data", (chunk) => {
      if (isDone) return;
      text = Buffer.concat([text, chunk.subarray(0, messageLimitBytes - text.length)]);
      if (text.includes(10) || text.length >= messageLimitBytes) finish();
    });
    socket.on("end", () => finish());
    socket.on("error", (error) => finish(error.message));
    socket.on("close", () => {
      this.#sockets.delete(socket);
      clearTimeout(timer);
    });
  }

  #receive(bytes: Buffer): void {
    const [line = ""] = bytes.toString("utf8").split("\n", 1);
    // Somebody looked whether anybody listens.
    if (line === "" && bytes.length === 0) return;
    let report: LeaseReport;
    try {
      report = parseLeaseMessage(line, this.#clock.nowMs());
    } catch (error) {
      this.#warn(bytes, errorText(error));
      return;
    }
    for (const listener of this.#listeners) this.#tell(listener, report);
  }

  #tell(listener: (report: LeaseReport) => void, report: LeaseReport): void {
    try {
      listener(report);
    } catch (error) {
      this.#options.log.error({ networkId: report.networkId, err: errorText(error) }, "lease listener failed");
    }
  }

  #drop(): void {
    this.#dropped += 1;
    this.#warn(Buffer.alloc(0), "too many connections");
  }

  #warn(bytes: Buffer, reason: string): void {
    const now = this.#clock.monotonicMs();
    if (now - this.#warnings.windowStartMs > warningWindowMs) {
      this.#warnings = { windowStartMs: now, count: 0, suppressed: this.#warnings.suppressed };
    }
    if (this.#warnings.count >= warningLimit) {
      this.#warnings.suppressed += 1;
      return;
    }
    this.#warnings.count += 1;
    const { suppressed } = this.#warnings;
    this.#warnings.suppressed = 0;
    const message = JSON.stringify(bytes.subarray(0, 120).toString("latin1"));
    this.#options.log.warn(
      { received: message, err: reason.slice(0, 300), suppressed, dropped: this.#dropped },
      "lease message refused",
    );
  }
}

/** The socket of an agent that was killed is removed; one that somebody answers on, and what is no socket, is not ours to take. */
async function removeStaleSocket(path: string): Promise<void> {
  try {
    if (!lstatSync(path).isSocket())
      throw new NetloomError("CONFLICT", `${path} is in the way of the lease relay: not a socket`);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return;
    throw error;
  }
  if (await isAnswered(path)) throw new NetloomError("CONFLICT", `another agent listens on ${path}`);
  try {
    unlinkSync(path);
  } catch (error) {
    throw new NetloomError("UNAVAILABLE", `stale socket ${path} cannot be removed: ${errorText(error)}`, {}, error);
  }
}

/** The mode is right from the first moment: listen() makes the file before it returns. */
async function listen(server: Server, path: string): Promise<void> {
  const listening = new Promise<void>((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", reject);
  });
  const umask = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(umask);
  }
  await listening;
  chmodSync(path, 0o600);
}
