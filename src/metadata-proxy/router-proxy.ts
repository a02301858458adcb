// Metadata for the instances behind the routers of this host: a listener in each router's namespace, to which the router's rules
// lead what is sent to the metadata address. Which router it is says the listener; whose address it is says the server, since
// an L3 agent does not know the ports of its networks.
import type { Socket } from "node:net";
import { type Clock, systemClock } from "../base/clock.ts";
import { KeyedMutex } from "../base/keyed-mutex.ts";
import type { Logger } from "../base/logger.ts";
import type { RouterPlace } from "../drivers/router-driver.ts";
import type { CommandRunner } from "../linux/command-runner.ts";
import { hasIpv6 } from "../linux/sysctl.ts";
import type { RouterId } from "../model/ids.ts";
import type { NetworkView } from "../model/network.ts";
import type { Router } from "../model/router.ts";
import type { HostFacts } from "./built-in/facts.ts";
import { findInstance, type Instance } from "./instance.ts";
import { MetadataFront } from "./metadata-front.ts";
import type { ListenPlace, NamespaceSockets } from "./namespace-sockets.ts";
import { NetworkListeners } from "./network-listeners.ts";
import { type RateLimit, RateLimiter } from "../base/rate-limit.ts";
import { RequestHandler } from "./request-handler.ts";
import { Upstream, type UpstreamAddress } from "./upstream.ts";

export interface RouterProxyOptions {
  readonly sockets: NamespaceSockets;
  readonly runner: CommandRunner;
  readonly log: Logger;
  readonly clock?: Clock | undefined;
  readonly facts: HostFacts;
  readonly upstream?: UpstreamAddress | undefined;
  readonly secret?: Buffer | undefined;
  readonly rateLimit: RateLimit;
  readonly timeoutMs: number;
  /** Where the router's rules lead. */
  readonly port: number;
  /** The router's networks on which a port has the address, each with that port. Throws a retryable NetloomError. */
  readonly lookUp: (router: RouterId, address: string) => Promise<readonly NetworkView[]>;
}

interface Entry {
  readonly listeners: NetworkListeners;
  readonly limiter: RateLimiter;
  /** Answers of the server by address. */
  readonly known: Map<string, { readonly atMs: number; readonly views: Promise<readonly NetworkView[]> }>;
}

/** A boot reads some dozen files: one question for all of them. */
const knownMs = 5_000;
const mostKnown = 1_024;

export interface RouterMetadataMetrics {
  readonly routers: number;
  readonly listeners: number;
  readonly connections: number;
  /** Requests by status. */
  readonly requests: ReadonlyMap<number, number>;
}

export class RouterMetadataProxy {
  readonly #options: RouterProxyOptions;
  readonly #clock: Clock;
  readonly #entries = new Map<RouterId, Entry>();
  readonly #mutex = new KeyedMutex<RouterId>();
  readonly #upstream: Upstream | undefined;
  readonly #handler: RequestHandler;
  readonly #front: MetadataFront;
  readonly #hasIpv6 = hasIpv6();

  constructor(options: RouterProxyOptions) {
    const { log, clock = systemClock, facts, upstream, secret, timeoutMs, sockets } = options;
    this.#options = options;
    this.#clock = clock;
    this.#upstream = upstream === undefined ? undefined : new Upstream({ address: upstream, timeoutMs });
    this.#handler = new RequestHandler({ log, clock, facts, upstream: this.#upstream, secret });
    this.#front = new MetadataFront({ sockets, handler: this.#handler, log, timeoutMs });
  }

  get metrics(): RouterMetadataMetrics {
    const entries = [...this.#entries.values()];
    return {
      routers: entries.length,
      listeners: entries.reduce((sum, { listeners }) => sum + listeners.count, 0),
      connections: entries.reduce((sum, { listeners }) => sum + listeners.connections, 0),
      requests: this.#handler.statuses,
    };
  }

  /**
   * Listens for the instances of this router. Idempotent, and without a system call beyond a look at the namespace when nothing
   * has to change. Throws UNAVAILABLE when a listener cannot be had now; the next call tries again.
   */
  async apply(router: Router, { namespace }: RouterPlace): Promise<void> {
    const versions = new Set(router.interfaces.flatMap(({ addresses }) => addresses.map(({ ipVersion }) => ipVersion)));
    if (versions.size === 0) return this.remove(router.id);
    await this.#mutex.run(router.id, async () => {
      const entry = this.#entries.get(router.id) ?? this.#newEntry(router.id);
      this.#entries.set(router.id, entry);
      // Its networks may be others now.
      entry.known.clear();
      const device = { namespace, interfaceName: "lo" };
      const wanted = { device, v4: versions.has(4), v6: versions.has(6) && this.#hasIpv6 };
      if (!entry.listeners.fits(wanted)) await entry.listeners.ensure(wanted);
    });
  }

  /** Absent is success. Before the namespace goes: an open listener would keep it alive. */
  async remove(id: RouterId): Promise<void> {
    await this.#mutex.run(id, async () => {
      const entry = this.#entries.get(id);
      this.#entries.delete(id);
      await entry?.listeners.close();
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#entries.keys()].map(async (id) => this.remove(id)));
    this.#front.close();
    this.#upstream?.close();
    await this.#options.sockets.close();
  }

  #newEntry(routerId: RouterId): Entry {
    const { sockets, runner, log, rateLimit, port } = this.#options;
    const limiter = new RateLimiter(rateLimit);
    const onConnection = (socket: Socket, place: ListenPlace): void =>
      this.#front.accept(socket, place, (source) => ({
        ...{ routerId, source, limiter },
        find: () => this.#find(routerId, entry, source),
      }));
    const at = { v4: "0.0.0.0", v6: "::", port };
    const listeners = new NetworkListeners({
      ...{ sockets, runner, log, subject: { routerId }, at, onConnection, onListening: () => {} },
    });
    const entry: Entry = { listeners, limiter, known: new Map() };
    return entry;
  }

  /** Two instances with one address on networks of one router: nobody can tell which of them asks. */
  async #find(routerId: RouterId, { known }: Entry, source: string): Promise<Instance | undefined> {
    const nowMs = this.#clock.monotonicMs();
    const before = known.get(source);
    const isFresh = before !== undefined && nowMs - before.atMs < knownMs;
    const views = isFresh ? before.views : this.#options.lookUp(routerId, source);
    if (!isFresh) {
      if (known.size >= mostKnown) known.clear();
      known.set(source, { atMs: nowMs, views });
      views.catch(() => known.delete(source));
    }
    const found = await views;
    return found.length === 1 ? findInstance(found, source, found) : undefined;
  }
}
