// The quick way: this very thread steps into the namespace, makes the socket and steps back, all between two turns of the
// event loop, so that nothing else ever runs over there. A wrong signature in here crashes the process; keep it small.
import { closeSync, openSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { constants } from "node:os";
import { NetloomError } from "../base/errors.ts";
import { isErrno } from "../linux/atomic-file.ts";
import { isNamespace, namespacePath } from "../linux/netns.ts";
import { descriptorOf, type ListenPlace, type NamespaceSockets } from "./namespace-sockets.ts";
import { peerLength, parsePeer, socketAddress } from "./socket-address.ts";

const newNetwork = 0x4000_0000;
const backlog = 128;
const inet = { 4: 2, 6: 10 } as const;
const stream = { type: 1, nonBlock: 0o4000, closeOnExec: 0o2000000 } as const;
const solSocket = { level: 1, reuseAddress: 2 } as const;
const ipv6 = { level: 41, only: 26 } as const;

interface Libc {
  readonly setns: (fd: number, kind: number) => number;
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly setsockopt: (fd: number, level: number, name: number, value: Buffer, length: number) => number;
  readonly bind: (fd: number, address: Buffer, length: number) => number;
  readonly listen: (fd: number, backlog: number) => number;
  readonly getpeername: (fd: number, address: Buffer, length: Buffer) => number;
  readonly ifNameToIndex: (name: string) => number;
  /** Of this thread's last call. */
  readonly errno: () => number;
}

async function loadLibc(): Promise<Libc> {
  const { default: koffi } = await import("koffi");
  const library = koffi.load("libc.so.6");
  return {
    setns: library.func("int setns(int fd, int kind)"),
    socket: library.func("int socket(int family, int type, int protocol)"),
    setsockopt: library.func("int setsockopt(int fd, int level, int name, const void *value, uint32_t length)"),
    bind: library.func("int bind(int fd, const void *address, uint32_t length)"),
    listen: library.func("int listen(int fd, int backlog)"),
    getpeername: library.func("int getpeername(int fd, void *address, void *length)"),
    ifNameToIndex: library.func("unsigned int if_nametoindex(const char *name)"),
    errno: () => koffi.errno(),
  };
}

const errnoNames = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));

export class SetnsSockets implements NamespaceSockets {
  readonly kind = "setns";
  readonly #libc: Libc;
  /** The namespace of this process. */
  readonly #home: number;

  /** Throws UNAVAILABLE where koffi does not load or this process may not change its namespace. */
  static async create(): Promise<SetnsSockets> {
    const libc = await loadLibc().catch((thrown: unknown) => {
      throw new NetloomError("UNAVAILABLE", "koffi cannot be loaded", {}, thrown);
    });
    const home = openSync("/proc/thread-self/ns/net", "r");
    // Stepping to where we are already changes nothing, and needs the same right as stepping anywhere else.
    if (libc.setns(home, newNetwork) !== 0) {
      const errno = errnoNames.get(libc.errno());
      closeSync(home);
      throw new NetloomError("UNAVAILABLE", `this process may not enter network namespaces: ${errno}`, { errno });
    }
    return new SetnsSockets(libc, home);
  }

  private constructor(libc: Libc, home: number) {
    this.#libc = libc;
    this.#home = home;
  }

  async listen(place: ListenPlace): Promise<Server> {
    const fd = this.#within(place.namespace, () => this.#listeningSocket(place));
    const server = createServer();
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ fd }, resolve);
      });
    } catch (thrown) {
      closeSync(fd);
      throw thrown;
    }
    server.removeAllListeners("error");
    return server;
  }

  /** Synchronous from the first step to the last: that is what keeps the rest of the process at home. */
  #within<T>(namespace: string, work: () => T): T {
    const target = openNamespace(namespace);
    try {
      this.#check(this.#libc.setns(target, newNetwork), `enter ${namespace}`);
      try {
        return work();
      } finally {
        // Lost in a tenant's namespace, every later socket would be made there.
        if (this.#libc.setns(this.#home, newNetwork) !== 0) process.abort();
      }
    } finally {
      closeSync(target);
    }
  }

  #listeningSocket({ address, device, port }: ListenPlace): number {
    const libc = this.#libc;
    const family = address.includes(":") ? 6 : 4;
    const fd = this.#check(libc.socket(inet[family], stream.type | stream.nonBlock | stream.closeOnExec, 0), "make a socket");
    try {
      const on = Buffer.from(Uint32Array.of(1).buffer);
      this.#check(libc.setsockopt(fd, solSocket.level, solSocket.reuseAddress, on, 4), "reuse the address");
      if (family === 6) this.#check(libc.setsockopt(fd, ipv6.level, ipv6.only, on, 4), "keep to ipv6");
      const at = socketAddress(address, port, family === 6 ? libc.ifNameToIndex(device) : 0);
      this.#check(libc.bind(fd, at, at.length), `bind ${address}`);
      this.#check(libc.listen(fd, backlog), `listen on ${address}`);
      return fd;
    } catch (thrown) {
      closeSync(fd);
      throw thrown;
    }
  }

  #check(result: number, what: string): number {
    if (result >= 0) return result;
    const errno = errnoNames.get(this.#libc.errno()) ?? "unknown error";
    throw new NetloomError("UNAVAILABLE", `cannot ${what}: ${errno}`, { errno });
  }

  async peerAddress(socket: Socket): Promise<string | undefined> {
    const fd = descriptorOf(socket);
    if (fd === undefined) return undefined;
    const address = Buffer.alloc(peerLength);
    const length = Buffer.from(Uint32Array.of(peerLength).buffer);
    return this.#libc.getpeername(fd, address, length) === 0 ? parsePeer(address) : undefined;
  }

  async close(): Promise<void> {
    closeSync(this.#home);
  }
}

function openNamespace(name: string): number {
  if (!isNamespace(name)) throw new NetloomError("UNAVAILABLE", `there is no namespace ${name}`, { errno: "ENOENT" });
  try {
    return openSync(namespacePath(name), "r");
  } catch (thrown) {
    if (!isErrno(thrown, "ENOENT")) throw thrown;
    throw new NetloomError("UNAVAILABLE", `there is no namespace ${name}`, { errno: "ENOENT" }, thrown);
  }
}
