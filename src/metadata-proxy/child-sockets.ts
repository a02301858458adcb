// The way without a native library: a short child, started inside the namespace by nsenter, makes the socket and passes it over
// Node's channel. Some 100 ms of CPU for each listener, so only a few at a time.
import { type ChildProcess, spawn } from "node:child_process";
import { fstatSync } from "node:fs";
import { Server, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import PQueue from "p-queue";
import { NetloomError } from "../base/errors.ts";
import { type CommandRunner, runChecked } from "../linux/command-runner.ts";
import { isNamespace, namespacePath } from "../linux/netns.ts";
import { descriptorOf, type ListenPlace, type NamespaceSockets, plainPeerAddress } from "./namespace-sockets.ts";
import { parseProcAddress } from "./socket-address.ts";

export interface ChildSocketsOptions {
  readonly runner: CommandRunner;
  /** After this a child that said nothing is killed. */
  readonly limitMs?: number | undefined;
  /** Instead of this Node with `listener-child.ts`: a command that gets the address and the port as further arguments. */
  readonly command?: readonly string[] | undefined;
}

const childProgram = [process.execPath, fileURLToPath(new URL("./listener-child.ts", import.meta.url))];

export class ChildSockets implements NamespaceSockets {
  readonly kind = "child";
  readonly #options: ChildSocketsOptions;
  readonly #queue = new PQueue({ concurrency: 2 });
  readonly #children = new Set<ChildProcess>();
  #isClosed = false;

  constructor(options: ChildSocketsOptions) {
    this.#options = options;
  }

  async listen(place: ListenPlace): Promise<Server> {
    const server = await this.#queue.add(async () => this.#start(place));
    if (server === undefined) throw new NetloomError("UNAVAILABLE", "closed while waiting for a listener");
    return server;
  }

  async #start({ namespace, address, device, port }: ListenPlace): Promise<Server> {
    if (this.#isClosed) throw new NetloomError("UNAVAILABLE", "no listeners are opened any more");
    if (!isNamespace(namespace))
      throw new NetloomError("UNAVAILABLE", `there is no namespace ${namespace}`, { errno: "ENOENT" });
    // "All addresses" are of no device.
    const host = address.includes(":") && address !== "::" ? `${address}%${device}` : address;
    const command = [`--net=${namespacePath(namespace)}`, "--", ...(this.#options.command ?? childProgram), host, String(port)];
    const child = spawn("nsenter", command, {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      env: { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", NODE_NO_WARNINGS: "1" },
    });
    this.#children.add(child);
    const timer = setTimeout(() => child.kill("SIGKILL"), this.#options.limitMs ?? 10_000);
    try {
      return await receiveServer(child, `${address} in ${namespace}`);
    } finally {
      clearTimeout(timer);
      this.#children.delete(child);
      if (child.connected) child.disconnect();
      child.stderr?.destroy();
    }
  }

  async peerAddress(socket: Socket, place: ListenPlace): Promise<string | undefined> {
    return plainPeerAddress(socket) ?? this.#lookUpPeer(socket, place);
  }

  /** The kernel's own list, found by the inode of the socket. A fork, but only for link-local clients. */
  async #lookUpPeer(socket: Socket, { namespace }: ListenPlace): Promise<string | undefined> {
    const fd = descriptorOf(socket);
    if (fd === undefined) return undefined;
    const inode = String(fstatSync(fd).ino);
    const argv = ["nsenter", `--net=${namespacePath(namespace)}`, "--", "cat", "/proc/thread-self/net/tcp6"];
    const table = await runChecked(this.#options.runner, argv);
    const row = table
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .find((fields) => fields[9] === inode);
    return parseProcAddress(row?.[2]?.split(":")[0] ?? "");
  }

  /** Ends children that are still at work; what they were to open fails. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const child of this.#children) child.kill("SIGKILL");
    await this.#queue.onIdle();
  }
}

async function receiveServer(child: ChildProcess, what: string): Promise<Server> {
  let words = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    words = `${words}${chunk.toString("utf8")}`.slice(0, 2000);
  });
  return new Promise((resolve, reject) => {
    const refuse = (reason: string, errno?: string): void =>
      reject(new NetloomError("UNAVAILABLE", `cannot listen on ${what}: ${reason}`, { errno, stderr: words.trim() }));
    child.once("error", (error: NodeJS.ErrnoException) => refuse(error.message, error.code));
    child.once("exit", (exitCode, signal) => {
      const tell = (): void => refuse(words.trim() || `child ended with ${signal ?? exitCode}`);
      // "close" comes with its last words, but never while somebody else holds the pipe.
      child.once("close", tell);
      setTimeout(tell, 200).unref();
    });
    child.once("message", (message: unknown, handle: unknown) => {
      if (handle instanceof Server) resolve(handle);
      else refuse(errnoOf(message), errnoOf(message));
    });
  });
}

function errnoOf(message: unknown): string {
  const errno: unknown = typeof message === "object" && message !== null ? Reflect.get(message, "errno") : undefined;
  return typeof errno === "string" ? errno : "no answer";
}
