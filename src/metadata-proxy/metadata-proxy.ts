// Metadata for the instances of all networks of this host: listeners inside the networks' namespaces.
import { RateLimiter } from "../base/rate-limit.ts";
import type { DhcpDevice } from "../drivers/dhcp-driver.ts";
import type { NetworkId } from "../model/ids.ts";
import { type MetadataPlan, metadataRouters } from "../model/metadata-plan.ts";
import type { NetworkView, Port } from "../model/network.ts";
import { findInstance } from "./instance.ts";
import { type ListenerMetrics, ListenerTable, type ProxyOptions } from "./listener-table.ts";
import type { NetworkListeners } from "./network-listeners.ts";
import type { RequestOrigin } from "./request-handler.ts";

export interface MetadataProxyOptions extends ProxyOptions {
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

export interface MetadataMetrics extends ListenerMetrics {
  readonly networks: number;
  /** Listeners opened since the start. */
  readonly opened: number;
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
  readonly #table: ListenerTable<NetworkId, Entry>;
  #opened = 0;

  constructor(options: MetadataProxyOptions) {
    this.#options = options;
    this.#table = new ListenerTable(options);
  }

  get metrics(): MetadataMetrics {
    return { ...this.#table.metrics, networks: this.#table.size, opened: this.#opened };
  }

  /**
   * Listeners as the plan says, and answers from `view` from now on. Idempotent, and without a system call beyond a look at the
   * namespace when nothing has to change. Call it after the device has its addresses. Throws UNAVAILABLE when a listener cannot
   * be had now; then what could be had is there, and the next call tries again.
   */
  async apply(desired: DesiredMetadata): Promise<void> {
    const { id } = desired.view.network;
    if (!desired.plan.v4 && !desired.plan.v6) return this.remove(id);
    const wanted = { device: desired.device, v4: desired.plan.v4, v6: desired.plan.v6 };
    await this.#table.ensure(id, wanted, (known) => {
      const entry = known ?? this.#newEntry(desired);
      entry.desired = desired;
      this.#complain(id, entry);
      return entry;
    });
  }

  /**
   * Closes the network's listeners and breaks off what is being answered. Absent is success, and so is a gone namespace. Call it
   * before the namespace is removed: an open listener keeps a deleted namespace and its devices alive, names included.
   */
  async remove(id: NetworkId): Promise<void> {
    await this.#table.remove(id);
  }

  /** Closes everything, the way into namespaces included. */
  async close(): Promise<void> {
    await this.#table.close();
  }

  #newEntry(desired: DesiredMetadata): Entry {
    const listeners = this.#table.listeners({
      subject: { networkId: desired.view.network.id },
      onListening: () => {
        this.#opened += 1;
      },
      originOf: (source) => this.#originOf(entry, source),
    });
    const limiter = new RateLimiter(this.#options.rateLimit);
    const entry: Entry = { listeners, limiter, desired, complaint: undefined };
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
    for (const { desired } of this.#table.entries()) yield desired.view;
  }
}

/** Networks that the router has a port on. */
function* networksOf(routerId: string, views: Iterable<NetworkView>): Generator<NetworkView> {
  for (const view of views) {
    const isJoined = view.ports.some((port) => port.deviceId === routerId && port.deviceOwner.startsWith("network:"));
    if (isJoined) yield view;
  }
}
