// Which revisions of which ports were already reported as served, so that a change of one port reports one port.
import type { NetworkCache } from "../cache/network-cache.ts";
import type { NetworkId, PortId } from "../model/ids.ts";
import type { Port } from "../model/network.ts";
import type { ServedNetwork } from "./network-helpers.ts";
import type { ReadyPort } from "./status-reporter.ts";

export interface ReadyChanges {
  /** Came or changed since the network was reported: somebody waits for them. */
  readonly new: readonly ReadyPort[];
  readonly known: readonly ReadyPort[];
}

export class ReadyPorts {
  readonly #cache: NetworkCache;
  readonly #reported = new Map<NetworkId, Map<PortId, number>>();

  constructor(cache: NetworkCache) {
    this.#cache = cache;
  }

  /**
   * Ports that are served now, at revisions that were not taken before. The first time none of
   * a network is new: they may have been served for days.
   */
  take(served: ServedNetwork): ReadyChanges {
    const { view } = served;
    const before = this.#reported.get(view.network.id);
    const after = new Map<PortId, number>();
    const changes: { new: ReadyPort[]; known: ReadyPort[] } = { new: [], known: [] };
    for (const port of view.ports) {
      if (!this.#isServed(port, served)) continue;
      after.set(port.id, port.revision);
      if (before?.get(port.id) === port.revision) continue;
      changes[before === undefined ? "known" : "new"].push({ id: port.id, revision: port.revision });
    }
    this.#reported.set(view.network.id, after);
    return changes;
  }

  forget(network: NetworkId): void {
    this.#reported.delete(network);
  }

  /** The server may have lost what was reported: everything is reported again at the next reconcile. */
  forgetAll(): void {
    this.#reported.clear();
  }

  /** A port that is shown without an address, because another port has taken it meanwhile, waits for its own update or delete. */
  #isServed(port: Port, { unservedSubnets, unservedPorts }: ServedNetwork): boolean {
    if (unservedPorts.includes(port.id)) return false;
    if (unservedSubnets.length > 0 && port.fixedIps.some(({ subnetId }) => unservedSubnets.includes(subnetId))) return false;
    return (this.#cache.findPort(port.id)?.fixedIps.length ?? 0) <= port.fixedIps.length;
  }
}
