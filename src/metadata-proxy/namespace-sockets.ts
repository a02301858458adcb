// TCP listeners inside another network namespace, served by this process's own event loop: a socket stays in the namespace in
// which it was made. Two ways to make one, behind one interface; who uses it cannot tell which it got, except by its price.
import type { Server, Socket } from "node:net";

export interface ListenPlace {
  /** Name below /run/netns. */
  readonly namespace: string;
  /** Scope of a link-local IPv6 address. */
  readonly device: string;
  readonly address: string;
  readonly port: number;
}

export interface NamespaceSockets {
  readonly kind: "setns" | "child";
  /**
   * A server that listens at `place` and has no connection handler yet; closing it frees the socket.
   * Throws UNAVAILABLE with `detail.errno` (EADDRNOTAVAIL, EADDRINUSE, ENOENT …) when the place cannot be had now.
   */
  listen(place: ListenPlace): Promise<Server>;
  /** Who is at the other end of a connection to such a server, without zone; `undefined` when it has gone. */
  peerAddress(socket: Socket, place: ListenPlace): Promise<string | undefined>;
  close(): Promise<void>;
}

/** Node asks this process's own namespace for the name of a link-local address's device, and fails when it finds none. */
export function plainPeerAddress(socket: Socket): string | undefined {
  try {
    return socket.remoteAddress?.split("%")[0];
  } catch {
    return undefined;
  }
}

/** Node keeps the descriptor on the handle and shows it nowhere else. */
export function descriptorOf(socket: Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, "_handle");
  const fd: unknown = typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : undefined;
  return typeof fd === "number" && fd >= 0 ? fd : undefined;
}
