// Metadata for the instances of all networks of this host: listeners inside the networks' namespaces, one HTTP server for all
// of them in this process. Nothing of it outlives the process, so there is nothing to adopt or to clean up at the next start.
import type { Socket } from "node:net";
import { type Clock, systemClock } from "../base/clock.ts";
import { KeyedMutex } from "../base/keyed-mutex.ts";
import type { Logger } from "../base/logger.ts";
import type { DhcpDevice } from "../drivers/dhcp-driver.ts";
import type { CommandRunner } from "../linux/command-runner.ts";
import { hasIpv6 } from "../linux/sysctl.ts";
import type { NetworkId } from "../model/ids.ts";
import { type MetadataPlan, metadataRouters } from "../model/metadata-plan.ts";
import type { NetworkView, Port } from "../model/network.ts";
import type { HostFacts } from "./built-in/facts.ts";
import type { ListenPlace, NamespaceSockets } from "./namespace-sockets.ts";
import { findInstance } from "./instance.ts";
import { MetadataFront } from "./metadata-front.ts";
import { NetworkListeners } from "./network-listeners.ts";
import { type RateLimit, RateLimiter } from "../base/rate-limit.ts";
import { RequestHandler, type RequestOrigin } from "./request-handler.ts";
import { Upstream, type UpstreamAddress } from "./upstream.ts";

export interface MetadataProxyOptions {
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
  /** Networks in which a router's instances and further ports of an instance are found; those of `apply` when absent. */
  readonly views?: (() => Iterable<NetworkView>) | undefined;
}

/** What one network should have, as the agent's reconcile knows it. */
export interface DesiredMetadata {
  readonly view: NetworkView;
  readonly dhcpPort: Port;
  readonly device: DhcpDevice;
  readonly plan: MetadataPlan;
}

export interface MetadataMetrics {
  readonly networks: number;
  readonly listeners: number;
  readonly connections: number;
  /** Listeners opened since the start. */
  readonly opened: number;
  /** Requests by status. */
  readonly requests: ReadonlyMap<number, number>;
}

interface Entry {
  readonly listeners: NetworkListeners;
  readonly limiter: RateLimiter;
  desired: DesiredMetadata;
  /** What was last complained about. */
  complaint: string | undefined;
}

export class MetadataProxy {
  readonly #options: MetadataProxyOptions;
  readonly #entries = new Map<NetworkId, Entry>();
  readonly #mutex = new KeyedMutex<NetworkId>();
  readonly #upstream: Upstream | undefined;
  readonly #handler: RequestHandler;
  readonly #front: MetadataFront;
  readonly #hasIpv6 = hasIpv6();
  #opened = 0;

  constructor(options: MetadataProxyOptions) {
    const { log, clock = systemClock, facts, upstream, secret, timeoutMs } = options;
    this.#options = options;
    this.#upstream = upstream === undefined ? undefined : new Upstream({ address: upstream, timeoutMs });
    this.#handler = new RequestHandler({ log, clock, facts, upstream: this.#upstream, secret });
    this.#front = new MetadataFront({ sockets: options.sockets, handler: this.#handler, log, timeoutMs });
  }

  get metrics(): MetadataMetrics {
    const entries = [...this.#entries.values()];
    return {
      networks: entries.length,
      listeners: entries.reduce((sum, { listeners }) => sum + listeners.count, 0),
      connections: entries.reduce((sum, { listeners }) => sum + listeners.connections, 0),
      opened: this.#opened,
      requests: this.#handler.statuses,
    };
  }

  /**
   * Listeners as the plan says, and answers from `view` from now on. Idempotent, and without a system call beyond a look at the
   * namespace when nothing has to change. Call it after the device has its addresses. Throws UNAVAILABLE when a listener cannot
   * be had now; then what could be had is there, and the next call tries again.
   */
  async apply(desired: DesiredMetadata): Promise<void> {
    const { id } = desired.view.network;
    if (!desired.plan.v4 && !desired.plan.v6) return this.remove(id);
    await this.#mutex.run(id, async () => {
      const entry = this.#entries.get(id) ?? this.#newEntry(desired);
      this.#entries.set(id, entry);
      entry.desired = desired;
      this.#complain(id, entry);
      const wanted = { device: desired.device, v4: desired.plan.v4, v6: desired.plan.v6 && this.#hasIpv6 };
      if (!entry.listeners.fits(wanted)) await entry.listeners.ensure(wanted);
    });
  }

  /**
   * Closes the network's listeners and breaks off what is being answered. Absent is success, and so is a gone namespace. Call it
   * before the namespace is removed: an open listener keeps a deleted namespace and its devices alive, names included.
   */
  async remove(id: NetworkId): Promise<void> {
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

  #newEntry(desired: DesiredMetadata): Entry {
    const { sockets, runner, log, rateLimit } = this.#options;
    const networkId = desired.view.network.id;
    const onConnection = (socket: Socket, place: ListenPlace): void =>
      this.#front.accept(socket, place, (source) => this.#originOf(entry, source));
    const onListening = (): void => {
      this.#opened += 1;
    };
    const parts = { sockets, runner, log, subject: { networkId }, onConnection, onListening };
    const listeners = new NetworkListeners(parts);
    const entry: Entry = { listeners, limiter: new RateLimiter(rateLimit), desired, complaint: undefined };
    return entry;
  }

  /** Says once what is odd about a network, and again when it is odd in another way. */
  #complain(networkId: NetworkId, entry: Entry): void {
    const { view, plan } = entry.desired;
    const routers = plan.routerId === undefined ? [] : metadataRouters(view);
    const complaint = `${routers.join(" ")} ${plan.ipv6Refusal ?? ""}`.trim();
    if (complaint === entry.complaint) return;
    entry.complaint = complaint;
    const { log } = this.#options;
    if (routers.length > 1) {
      log.warn({ networkId, routerId: plan.routerId }, "several routers on a metadata network, the first is served");
    }
    if (plan.ipv6Refusal !== undefined) {
      log.error({ networkId, err: plan.ipv6Refusal }, "metadata are served over ipv4 only");
    }
  }

  #originOf({ desired, limiter }: Entry, source: string): RequestOrigin {
    const { view, plan } = desired;
    const views = this.#options.views ?? (() => this.#views());
    const { routerId } = plan;
    const find = async () => findInstance(routerId === undefined ? [view] : networksOf(routerId, views()), source, views());
    return { networkId: view.network.id, routerId, source, limiter, find };
  }

  *#views(): Generator<NetworkView> {
    for (const { desired } of this.#entries.values()) yield desired.view;
  }
}

/** Networks that the router has a port on. */
function* networksOf(routerId: string, views: Iterable<NetworkView>): Generator<NetworkView> {
  for (const view of views) {
    const isJoined = view.ports.some((port) => port.deviceId === routerId && port.deviceOwner.startsWith("network:"));
    if (isJoined) yield view;
  }
}
