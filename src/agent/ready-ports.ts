// Which revisions of which ports were already reported as served, so that a change of one port reports one port.
import type { NetworkCache } from "../cache/network-cache.ts";
import type { NetworkId, PortId } from "../model/ids.ts";
import type { NetworkView } from "../model/network.ts";
import type { ReadyPort } from "./status-reporter.ts";

export interface ReadyChanges {
  readonly new: readonly ReadyPort[];
  readonly known: readonly ReadyPort[];
}

export class ReadyPorts {
  readonly #cache: NetworkCache;
  readonly #reported = new Map<NetworkId, Map<PortId, number>>();

  constructor(cache: NetworkCache) {
    this.#cache = cache;
  }

  /** Ports of `view`, which is served now, at revisions that were not taken before. At first none of a network is new: they may have been served for days. */
  take(view: NetworkView): ReadyChanges {
    const before = this.#reported.get(view.network.id);
    const after = new Map<PortId, number>();
    const changes: { new: ReadyPort[]; known: ReadyPort[] } = { new: [], known: [] };
    for (const port of view.ports) {
      const reported = before?.get(port.id);
      // Shown without an address that another port has taken meanwhile: its own update or delete is on the way.
      if ((this.#cache.findPort(port.id)?.fixedIps.length ?? 0) > port.fixedIps.length) continue;
      after.set(port.id, port.revision);
      if (reported === port.revision) continue;
      const isNew = before !== undefined && reported === undefined;
      changes[isNew ? "new" : "known"].push({ id: port.id, revision: port.revision });
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
}
