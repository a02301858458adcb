// Metadata for the instances behind the routers of this host: a listener in each router's namespace, to which the router's rules
// lead what is sent to the metadata address. Which router it is says the listener; whose address it is says the server, since
// an L3 agent does not know the ports of its networks.
import { type Clock, systemClock } from "../base/clock.ts";
import { RateLimiter } from "../base/rate-limit.ts";
import type { RouterPlace } from "../drivers/router-driver.ts";
import type { RouterId } from "../model/ids.ts";
import type { NetworkView } from "../model/network.ts";
import type { Router } from "../model/router.ts";
import { findInstance, type Instance } from "./instance.ts";
import { type ListenerMetrics, ListenerTable, type ProxyOptions } from "./listener-table.ts";
import type { NetworkListeners } from "./network-listeners.ts";

export interface RouterProxyOptions extends ProxyOptions {
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

export interface RouterMetadataMetrics extends ListenerMetrics {
  readonly routers: number;
}

export class RouterMetadataProxy {
  readonly #options: RouterProxyOptions;
  readonly #clock: Clock;
  readonly #table: ListenerTable<RouterId, Entry>;

  constructor(options: RouterProxyOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#table = new ListenerTable(options);
  }

  get metrics(): RouterMetadataMetrics {
    return { ...this.#table.metrics, routers: this.#table.size };
  }

  /**
   * Listens for the instances of this router. Idempotent, and without a system call beyond a look at the namespace when nothing
   * has to change. Throws UNAVAILABLE when a listener cannot be had now; the next call tries again.
   */
  async apply(router: Router, { namespace }: RouterPlace): Promise<void> {
    const versions = new Set(router.interfaces.flatMap(({ addresses }) => addresses.map(({ ipVersion }) => ipVersion)));
    if (versions.size === 0) return this.remove(router.id);
    const device = { namespace, interfaceName: "lo" };
    const wanted = { device, v4: versions.has(4), v6: versions.has(6) };
    await this.#table.ensure(router.id, wanted, (known) => {
      const entry = known ?? this.#newEntry(router.id);
      // Its networks may be others now.
      entry.known.clear();
      return entry;
    });
  }

  /** Absent is success. Before the namespace goes: an open listener would keep it alive. */
  async remove(id: RouterId): Promise<void> {
    await this.#table.remove(id);
  }

  async close(): Promise<void> {
    await this.#table.close();
  }

  #newEntry(routerId: RouterId): Entry {
    const { rateLimit, port } = this.#options;
    const limiter = new RateLimiter(rateLimit);
    const listeners = this.#table.listeners({
      subject: { routerId },
      at: { v4: "0.0.0.0", v6: "::", port },
      originOf: (source) => ({ routerId, source, limiter, find: () => this.#find(routerId, entry, source) }),
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
