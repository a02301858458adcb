// Listeners of many networks or routers, and one HTTP server in this process for all of them: what proxies for networks and for
// routers have in common. Nothing of it outlives the process, so there is nothing to adopt or to clean up at the next start.
import type { Socket } from "node:net";
import { type Clock, systemClock } from "../base/clock.ts";
import { KeyedMutex } from "../base/keyed-mutex.ts";
import type { Logger } from "../base/logger.ts";
import type { RateLimit } from "../base/rate-limit.ts";
import type { CommandRunner } from "../linux/command-runner.ts";
import { hasIpv6 } from "../linux/sysctl.ts";
import type { HostFacts } from "./built-in/facts.ts";
import { MetadataFront } from "./metadata-front.ts";
import type { ListenPlace, NamespaceSockets } from "./namespace-sockets.ts";
import { type ListenerParts, NetworkListeners, type WantedListeners } from "./network-listeners.ts";
import { RequestHandler, type RequestOrigin } from "./request-handler.ts";
import { Upstream, type UpstreamAddress } from "./upstream.ts";

export interface ProxyOptions {
  readonly sockets: NamespaceSockets;
  readonly runner: CommandRunner;
  readonly log: Logger;
  readonly clock?: Clock | undefined;
  readonly facts: HostFacts;
  /** A Nova-compatible metadata service; without one the built-in answers are given. */
  readonly upstream?: UpstreamAddress | undefined;
  /** Shared with the upstream, to sign instance ids. */
  readonly secret?: Buffer | undefined;
  readonly rateLimit: RateLimit;
  /** For a whole request to arrive, and for silence in any exchange. */
  readonly timeoutMs: number;
}

export interface ListenerMetrics {
  readonly listeners: number;
  readonly connections: number;
  /** Requests by status. */
  readonly requests: ReadonlyMap<number, number>;
}

interface Listening {
  readonly listeners: NetworkListeners;
}

interface Opening extends Pick<ListenerParts, "subject" | "at"> {
  readonly onListening?: (() => void) | undefined;
  /** Asked at each request, with the address of the other end. */
  readonly originOf: (source: string) => RequestOrigin;
}

export class ListenerTable<Id, Entry extends Listening> {
  readonly #options: ProxyOptions;
  readonly #entries = new Map<Id, Entry>();
  readonly #mutex = new KeyedMutex<Id>();
  readonly #upstream: Upstream | undefined;
  readonly #handler: RequestHandler;
  readonly #front: MetadataFront;
  readonly #hasIpv6 = hasIpv6();

  constructor(options: ProxyOptions) {
    const { log, clock = systemClock, facts, upstream, secret, timeoutMs, sockets } = options;
    this.#options = options;
    this.#upstream = upstream === undefined ? undefined : new Upstream({ address: upstream, timeoutMs });
    this.#handler = new RequestHandler({ log, clock, facts, upstream: this.#upstream, secret });
    this.#front = new MetadataFront({ sockets, handler: this.#handler, log, timeoutMs });
  }

  get size(): number {
    return this.#entries.size;
  }

  entries(): Iterable<Entry> {
    return this.#entries.values();
  }

  get metrics(): ListenerMetrics {
    const all = [...this.#entries.values()].map(({ listeners }) => listeners);
    return {
      listeners: all.reduce((sum, { count }) => sum + count, 0),
      connections: all.reduce((sum, { connections }) => sum + connections, 0),
      requests: this.#handler.statuses,
    };
  }

  /** Listeners of an entry to be; none is open yet. */
  listeners({ subject, at, onListening = () => {}, originOf }: Opening): NetworkListeners {
    const { sockets, runner, log } = this.#options;
    const onConnection = (socket: Socket, place: ListenPlace): void => this.#front.accept(socket, place, originOf);
    return new NetworkListeners({ sockets, runner, log, subject, at, onConnection, onListening });
  }

  /**
   * Idempotent, and without a system call beyond a look at the namespace when nothing has to change. Throws UNAVAILABLE when a
   * listener cannot be had now; then what could be had is there, and the next call tries again.
   *
   * @param entryOf makes the entry, or changes the one that is known
   */
  async ensure(id: Id, wanted: WantedListeners, entryOf: (known: Entry | undefined) => Entry): Promise<void> {
    await this.#mutex.run(id, async () => {
      const entry = entryOf(this.#entries.get(id));
      this.#entries.set(id, entry);
      const possible = { ...wanted, v6: wanted.v6 && this.#hasIpv6 };
      if (!entry.listeners.fits(possible)) await entry.listeners.ensure(possible);
    });
  }

  /**
   * Closes its listeners and breaks off what is being answered. Absent is success, and so is a gone namespace. Call it before the
   * namespace is removed: an open listener keeps a deleted namespace and its devices alive, names included.
   */
  async remove(id: Id): Promise<void> {
    await this.#mutex.run(id, async () => {
      const entry = this.#entries.get(id);
      this.#entries.delete(id);
      await entry?.listeners.close();
    });
  }

  /** Closes everything, the way into namespaces included. */
  async close(): Promise<void> {
    await Promise.all([...this.#entries.keys()].map(async (id) => this.remove(id)));
    this.#front.close();
    this.#upstream?.close();
    await this.#options.sockets.close();
  }
}
