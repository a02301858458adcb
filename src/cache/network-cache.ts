// What this host should serve, as far as the agent knows: the copy that events and syncs keep up to date and that
// reconciles read. It never asks anybody and never does anything.
import type { Clock } from "../base/clock.ts";
import type { NetworkId } from "../model/ids.ts";
import type { Network, NetworkView, Port, Subnet } from "../model/network.ts";
import type { StreamItem } from "../types/agent-messages.ts";
import { NetworkEntry } from "./network-entry.ts";
import { Tombstones } from "./tombstones.ts";

type Upsert = Extract<StreamItem, { op: "upsert" }>;
type Delete = Extract<StreamItem, { op: "delete" }>;

/**
 * Where an item came from. The `stream` (events, deltas, snapshots) is in the order of the server's commits; a `reply` to a
 * request of ours may have been overtaken by it.
 */
export type ItemOrigin = "stream" | "reply";

export interface CacheCounts {
  readonly networks: number;
  readonly subnets: number;
  readonly ports: number;
}

export interface NetworkCacheOptions {
  readonly clock: Clock;
  readonly maxTombstones?: number;
  readonly tombstoneTtlMs?: number;
}

const nothing: readonly NetworkId[] = [];

export class NetworkCache {
  readonly #entries = new Map<string, NetworkEntry>();
  readonly #networkOfSubnet = new Map<string, NetworkId>();
  readonly #networkOfPort = new Map<string, NetworkId>();
  readonly #tombstones: Tombstones;
  /** Ids that were named since `beginSnapshot`. */
  #named: Set<string> | undefined;
  /** Ids whose revisions belong to an earlier epoch and say nothing. */
  #outdated: Set<string> = new Set();

  constructor(options: NetworkCacheOptions) {
    const { clock, maxTombstones = 10_000, tombstoneTtlMs = 3_600_000 } = options;
    this.#tombstones = new Tombstones(clock, { max: maxTombstones, ttlMs: tombstoneTtlMs });
  }

  /**
   * Takes over one change unless something newer is known. Answers the networks whose view may have changed; a subnet or port
   * whose network is not known yet waits for it. A delete of a network takes everything in it along.
   */
  applyItem(item: StreamItem, origin: ItemOrigin = "stream"): readonly NetworkId[] {
    this.#named?.add(item.id);
    return item.op === "delete" ? this.#delete(item) : this.#upsert(item, origin);
  }

  /**
   * From here on every item counts as named. A snapshot that was begun earlier and not ended is forgotten. In a new epoch (a
   * database that was restored, say) revisions start anew: what is known is served until the snapshot ends, and any revision beats it.
   */
  beginSnapshot({ isNewEpoch }: { readonly isNewEpoch: boolean }): void {
    this.#named = new Set();
    if (!isNewEpoch) return;
    this.#outdated = new Set(this.#allIds());
    this.#tombstones.clear();
  }

  /** The snapshot did not arrive whole: what it said is kept, nothing is removed. */
  abortSnapshot(): void {
    this.#named = undefined;
  }

  /** Removes what no item named since `beginSnapshot`; answers the networks that lost something. */
  endSnapshot(): readonly NetworkId[] {
    const named = this.#named;
    if (named === undefined) return nothing;
    this.#named = undefined;
    this.#outdated.clear();
    const dirty = new Set<NetworkId>();
    for (const entry of [...this.#entries.values()]) {
      if (entry.network !== undefined && !named.has(entry.id)) this.#dropEntry(entry);
      else if (!this.#dropUnnamed(entry, named)) continue;
      dirty.add(entry.id);
    }
    return [...dirty];
  }

  /** The network is not this host's any more, though it was not deleted: it may come back at any revision. */
  dropNetwork(id: NetworkId): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) this.#dropEntry(entry);
  }

  view(id: NetworkId): NetworkView | undefined {
    return this.#entries.get(id)?.view();
  }

  /** Of every hosted network; for look-ups across them. */
  *views(): Generator<NetworkView> {
    for (const entry of this.#entries.values()) {
      const view = entry.view();
      if (view !== undefined) yield view;
    }
  }

  /** Networks that are hosted here; those that only wait for their network object are not. */
  networkIds(): readonly NetworkId[] {
    return [...this.#entries.values()].flatMap((entry) => (entry.network === undefined ? [] : entry.id));
  }

  findNetwork(id: string): Network | undefined {
    return this.#entries.get(id)?.network;
  }

  findSubnet(id: string): Subnet | undefined {
    return this.#entries.get(this.#networkOfSubnet.get(id) ?? "")?.subnets.get(id);
  }

  findPort(id: string): Port | undefined {
    return this.#entries.get(this.#networkOfPort.get(id) ?? "")?.ports.get(id);
  }

  /** The port that has the address now; see network-entry.ts for what happens when two claim it. */
  findOwner(network: NetworkId, ipAddress: string): Port | undefined {
    return this.#entries.get(network)?.ownerOf(ipAddress);
  }

  counts(): CacheCounts {
    const hosted = [...this.#entries.values()].filter((entry) => entry.network !== undefined);
    return {
      networks: hosted.length,
      subnets: hosted.reduce((sum, entry) => sum + entry.subnets.size, 0),
      ports: hosted.reduce((sum, entry) => sum + entry.ports.size, 0),
    };
  }

  #upsert(item: Upsert, origin: ItemOrigin): readonly NetworkId[] {
    if (this.#isLate(item, origin)) return nothing;
    const known = this.#find(item.kind, item.id);
    if (!this.#outdated.delete(item.id) && known !== undefined && known.revision > item.revision) return nothing;
    // Syncs repeat what is known already; that must not cost a reconcile.
    if (known?.revision === item.revision && JSON.stringify(known) === JSON.stringify(item.body)) return nothing;
    const moved = this.#leaveOldNetwork(item);
    const entry = this.#entryOf(item.networkId);
    if (item.kind === "network") entry.setNetwork(item.body);
    if (item.kind === "subnet") {
      entry.setSubnet(item.body);
      this.#networkOfSubnet.set(item.id, item.networkId);
    }
    if (item.kind === "port") {
      entry.setPort(item.body);
      this.#networkOfPort.set(item.id, item.networkId);
    }
    return [...moved, item.networkId];
  }

  /**
   * A network that the stream names again after its delete was bound to this host again, at whatever revision: its grave and
   * those of its parts are void. Everything else that was deleted stays so.
   */
  #isLate(item: Upsert, origin: ItemOrigin): boolean {
    if (origin === "reply" && item.kind !== "network" && this.findNetwork(item.networkId) === undefined) return true;
    if (item.kind === "network" && origin === "stream") {
      if (this.#tombstones.has(item.id)) this.#tombstones.clearNetwork(item.networkId);
      return false;
    }
    return this.#tombstones.covers(item.id, item.revision);
  }

  #delete(item: Delete): readonly NetworkId[] {
    const known = this.#find(item.kind, item.id);
    if (!this.#outdated.delete(item.id) && known !== undefined && known.revision > item.revision) return nothing;
    this.#tombstones.add(item.id, item.networkId, item.revision);
    const entry = this.#entries.get(this.#networkOf(item));
    if (entry === undefined) return nothing;
    if (item.kind === "network") this.#dropEntry(entry);
    else if (known === undefined) return nothing;
    else this.#dropPart(entry, item.kind, item.id);
    return [entry.id];
  }

  #networkOf(item: { readonly id: string; readonly networkId: NetworkId }): NetworkId {
    return this.#networkOfPort.get(item.id) ?? this.#networkOfSubnet.get(item.id) ?? item.networkId;
  }

  #leaveOldNetwork(item: Upsert): readonly NetworkId[] {
    const before = this.#networkOf(item);
    if (item.kind === "network" || before === item.networkId) return nothing;
    this.#dropPart(this.#entryOf(before), item.kind, item.id);
    return [before];
  }

  #find(kind: StreamItem["kind"], id: string): Network | Subnet | Port | undefined {
    if (kind === "network") return this.findNetwork(id);
    return kind === "subnet" ? this.findSubnet(id) : this.findPort(id);
  }

  #entryOf(id: NetworkId): NetworkEntry {
    const found = this.#entries.get(id) ?? new NetworkEntry(id);
    this.#entries.set(id, found);
    return found;
  }

  #dropPart(entry: NetworkEntry, kind: "subnet" | "port", id: string): void {
    if (kind === "subnet") {
      entry.removeSubnet(id);
      this.#networkOfSubnet.delete(id);
    } else {
      entry.removePort(id);
      this.#networkOfPort.delete(id);
    }
    if (entry.isEmpty) this.#entries.delete(entry.id);
  }

  #dropEntry(entry: NetworkEntry): void {
    for (const id of entry.subnets.keys()) this.#networkOfSubnet.delete(id);
    for (const id of entry.ports.keys()) this.#networkOfPort.delete(id);
    this.#entries.delete(entry.id);
  }

  #dropUnnamed(entry: NetworkEntry, named: ReadonlySet<string>): boolean {
    const subnets = [...entry.subnets.keys()].filter((id) => !named.has(id));
    const ports = [...entry.ports.keys()].filter((id) => !named.has(id));
    for (const id of subnets) this.#dropPart(entry, "subnet", id);
    for (const id of ports) this.#dropPart(entry, "port", id);
    return subnets.length + ports.length > 0;
  }

  #allIds(): readonly string[] {
    return [...this.#entries.keys(), ...this.#networkOfSubnet.keys(), ...this.#networkOfPort.keys()];
  }
}
