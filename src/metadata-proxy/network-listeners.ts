// The listeners of one network, or of one router: opened where they are missing, closed where they are not wanted, left alone where they fit.
import type { Server, Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { DhcpDevice } from "../drivers/dhcp-driver.ts";
import { type CommandRunner, runChecked } from "../linux/command-runner.ts";
import { namespaceInode } from "../linux/netns.ts";
import type { NetworkId, RouterId } from "../model/ids.ts";
import { metadataIpv4, metadataIpv6 } from "../model/metadata-plan.ts";
import type { ListenPlace, NamespaceSockets } from "./namespace-sockets.ts";

export interface ListenerParts {
  readonly sockets: NamespaceSockets;
  readonly runner: CommandRunner;
  readonly log: Logger;
  /** Whose they are, for the log. */
  readonly subject: { readonly networkId: NetworkId } | { readonly routerId: RouterId };
  /** The metadata addresses and their port unless told otherwise. */
  readonly at?: ListenAt | undefined;
  readonly onConnection: (socket: Socket, place: ListenPlace) => void;
  /** A listener was opened. */
  readonly onListening: () => void;
}

export interface ListenAt {
  readonly v4: string;
  readonly v6: string;
  readonly port: number;
}

/** What is asked for: IPv4 or IPv6 or both, at a device. */
export interface WantedListeners {
  readonly device: DhcpDevice;
  readonly v4: boolean;
  readonly v6: boolean;
}

interface OpenListener {
  readonly server: Server;
  readonly sockets: Set<Socket>;
  /** Namespace by inode, and device: another one of the same name is another place. */
  readonly key: string;
}

type Family = "v4" | "v6";

const metadataPlace: ListenAt = { v4: metadataIpv4, v6: metadataIpv6, port: 80 };

/** One guest network may not take all descriptors of this process. */
const mostConnections = 256;
/** And one guest not all of its network's. */
const mostConnectionsOfOne = 32;
const tentativeLimitMs = 4000;

export class NetworkListeners {
  readonly #parts: ListenerParts;
  readonly #open = new Map<Family, OpenListener>();
  /** The place at which another host was found to have the IPv6 address, and when. */
  #lost: { readonly key: string; readonly atMs: number } | undefined;

  constructor(parts: ListenerParts) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#open.size;
  }

  get connections(): number {
    return [...this.#open.values()].reduce((sum, { sockets }) => sum + sockets.size, 0);
  }

  /** True when `ensure` would change nothing. */
  fits(wanted: WantedListeners): boolean {
    const key = placeKey(wanted.device);
    return (["v4", "v6"] as const).every((family) => {
      const present = this.#open.get(family);
      if (!wanted[family]) return present === undefined;
      return present === undefined ? family === "v6" && this.#isLost(key) : key !== undefined && present.key === key;
    });
  }

  /** Throws UNAVAILABLE when a listener cannot be had now; the other one is there all the same. */
  async ensure(wanted: WantedListeners): Promise<void> {
    const key = placeKey(wanted.device);
    for (const [family, present] of [...this.#open]) {
      if (!wanted[family] || present.key !== key) await this.#close(family);
    }
    const { namespace } = wanted.device;
    if (key === undefined) throw new NetloomError("UNAVAILABLE", `there is no namespace ${namespace}`, { errno: "ENOENT" });
    const failures: unknown[] = [];
    for (const family of ["v4", "v6"] as const) {
      const isDue = wanted[family] && !this.#open.has(family) && !(family === "v6" && this.#isLost(key));
      if (isDue) await this.#openOne(family, wanted.device, key).catch((thrown: unknown) => failures.push(thrown));
    }
    if (failures.length > 0) throw failures[0];
  }

  async #openOne(family: Family, device: DhcpDevice, key: string): Promise<void> {
    const at = this.#parts.at ?? metadataPlace;
    const place = { namespace: device.namespace, device: device.interfaceName, address: at[family], port: at.port };
    const server = family === "v4" ? await this.#parts.sockets.listen(place) : await this.#listenAfterDetection(place, key);
    if (server === undefined) return;
    const sockets = new Set<Socket>();
    server.on("connection", (socket: Socket) => {
      // Not maxConnections: for a link-local address Node would look for its device in our own namespace, and throw.
      if (sockets.size >= mostConnections || countFrom(sockets, socket) >= mostConnectionsOfOne) return void socket.destroy();
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      this.#parts.onConnection(socket, place);
    });
    server.on("error", (err) => this.#parts.log.warn({ ...this.#parts.subject, err }, "metadata listener failed"));
    server.once("close", () => {
      if (this.#open.get(family)?.server === server) this.#open.delete(family);
    });
    this.#open.set(family, { server, sockets, key });
    this.#parts.onListening();
  }

  /**
   * A new IPv6 address cannot be bound before the kernel has asked the link whether somebody has it. When somebody has — the
   * agent of another host serves the same network — ours is removed and IPv4 stays.
   */
  async #listenAfterDetection(place: ListenPlace, key: string): Promise<Server | undefined> {
    const endsAt = performance.now() + tentativeLimitMs;
    for (;;) {
      try {
        return await this.#parts.sockets.listen(place);
      } catch (thrown) {
        if (!(thrown instanceof NetloomError) || thrown.detail["errno"] !== "EADDRNOTAVAIL") throw thrown;
        const state = await this.#readDetection(place);
        if (state === "failed") {
          await this.#giveUpAddress(place, key);
          return undefined;
        }
        if (state === "absent" || performance.now() > endsAt) throw thrown;
      }
      await delay(100);
    }
  }

  async #readDetection({ namespace, device }: ListenPlace): Promise<"absent" | "failed" | "waiting"> {
    const argv = ["ip", "-n", namespace, "-6", "-o", "addr", "show", "dev", device, "to", metadataIpv6];
    const line = await runChecked(this.#parts.runner, argv);
    if (!line.includes(metadataIpv6)) return "absent";
    return line.includes("dadfailed") ? "failed" : "waiting";
  }

  async #giveUpAddress({ namespace, device }: ListenPlace, key: string): Promise<void> {
    const { runner, log, subject } = this.#parts;
    await runner.run(["ip", "-n", namespace, "addr", "del", `${metadataIpv6}/64`, "dev", device]);
    this.#lost = { key, atMs: performance.now() };
    log.warn({ ...subject, outcome: "ipv4 only" }, "another host serves metadata over ipv6 on this network");
  }

  /** For a minute; then the other host may have gone. */
  #isLost(key: string | undefined): boolean {
    return this.#lost !== undefined && this.#lost.key === key && performance.now() - this.#lost.atMs < 60_000;
  }

  async #close(family: Family): Promise<void> {
    const present = this.#open.get(family);
    if (present === undefined) return;
    this.#open.delete(family);
    for (const socket of present.sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      present.server.close(() => resolve());
    });
  }

  /** Breaks off what is being answered. Works also when the namespace has gone. */
  async close(): Promise<void> {
    for (const family of [...this.#open.keys()]) await this.#close(family);
  }
}

function placeKey({ namespace, interfaceName }: DhcpDevice): string | undefined {
  const inode = namespaceInode(namespace);
  return inode === undefined ? undefined : `${namespace} ${inode} ${interfaceName}`;
}

function countFrom(sockets: ReadonlySet<Socket>, { remoteAddress }: Socket): number {
  let count = 0;
  for (const socket of sockets) if (socket.remoteAddress === remoteAddress) count += 1;
  return count;
}
