// This host's copy of its floating IPs and port forwardings, by router and address. Items may come twice, late or out of order:
// of each object the newest revision wins, over a delete too.
import type { FloatingAddress } from "../drivers/floating-ip-driver.ts";
import type { FloatingIpId, RouterId } from "../model/ids.ts";
import type { FloatingIp, PortForwarding } from "../model/router.ts";
import type { FloatingIpItem } from "../types/l3-messages.ts";

/** An address of a router that may have to change. */
export interface Affected {
  readonly routerId: RouterId;
  readonly address: string;
}

type Entry =
  | { readonly kind: "floating-ip"; readonly body: FloatingIp }
  | { readonly kind: "port-forwarding"; readonly body: PortForwarding };

/** More deletes than this are not remembered; a message that is later than so many others is healed by the next snapshot. */
const mostTombstones = 20_000;

export class FloatingIpCache {
  /** By kind and id. */
  readonly #entries = new Map<string, Entry>();
  /** By router and address: keys of entries. */
  readonly #routers = new Map<RouterId, Map<string, Set<string>>>();
  /** Revisions of what was deleted; the oldest first. */
  readonly #tombstones = new Map<string, number>();
  /** Keys that the running snapshot has named. */
  #named: Set<string> | undefined;

  counts(): { readonly floatingIps: number; readonly portForwardings: number } {
    const floatingIps = [...this.#entries.values()].reduce((sum, { kind }) => sum + (kind === "floating-ip" ? 1 : 0), 0);
    return { floatingIps, portForwardings: this.#entries.size - floatingIps };
  }

  routerIds(): readonly RouterId[] {
    return [...this.#routers.keys()];
  }

  addressesOf(router: RouterId): readonly string[] {
    return [...(this.#routers.get(router)?.keys() ?? [])];
  }

  /** What the address is to do on the router; `undefined`: nothing. */
  view(router: RouterId, address: string): FloatingAddress | undefined {
    const entries = this.#entriesAt(router, address);
    if (entries.length === 0) return undefined;
    const [floating] = entries
      .flatMap((entry) => (entry.kind === "floating-ip" ? [entry.body] : []))
      .toSorted((one, other) => other.revision - one.revision);
    const forwardings = entries.flatMap((entry) => (entry.kind === "port-forwarding" ? [entry.body] : []));
    const revision = Math.max(...entries.map(({ body }) => body.revision));
    return { address, fixedIp: floating?.fixedIp ?? null, forwardings, revision };
  }

  /** The floating IPs of an address: one, but for the moment in which an address changes its owner. */
  floatingIpsAt(router: RouterId, address: string): readonly { readonly id: FloatingIpId; readonly revision: number }[] {
    return this.#entriesAt(router, address).flatMap((entry) => (entry.kind === "floating-ip" ? [entry.body] : []));
  }

  /** Whether some router of this host has it. */
  hasFloatingIp(id: string): boolean {
    return this.#entries.has(`floating-ip ${id}`);
  }

  applyItem(item: FloatingIpItem): readonly Affected[] {
    const key = `${item.kind} ${item.id}`;
    this.#named?.add(key);
    const known = this.#entries.get(key);
    const knownRevision = known?.body.revision ?? this.#tombstones.get(key) ?? -1;
    // A delete and what it deletes never have one revision; an upsert that comes again may have.
    if (item.revision < knownRevision || (known === undefined && item.revision === knownRevision)) return [];
    const before = known === undefined ? [] : [this.#remove(key, known)];
    if (item.op === "delete") {
      this.#bury(key, item.revision);
      return before;
    }
    this.#tombstones.delete(key);
    const entry = item.kind === "floating-ip" ? { kind: item.kind, body: item.body } : { kind: item.kind, body: item.body };
    return [...before, this.#add(key, entry as Entry)];
  }

  /** @param isNewEpoch revisions from before it say nothing about those that come */
  beginSnapshot({ isNewEpoch }: { readonly isNewEpoch: boolean }): void {
    this.#named = new Set();
    if (!isNewEpoch) return;
    this.#tombstones.clear();
    for (const [key, entry] of this.#entries) {
      // The cast: both kinds keep their body's type.
      this.#entries.set(key, { ...entry, body: { ...entry.body, revision: 0 } } as Entry);
    }
  }

  /** What the snapshot did not name is gone. */
  endSnapshot(): readonly Affected[] {
    const named = this.#named;
    this.#named = undefined;
    if (named === undefined) return [];
    return [...this.#entries].filter(([key]) => !named.has(key)).map(([key, entry]) => this.#remove(key, entry));
  }

  abortSnapshot(): void {
    this.#named = undefined;
  }

  dropRouter(router: RouterId): readonly Affected[] {
    const keys = [...(this.#routers.get(router)?.values() ?? [])].flatMap((some) => [...some]);
    return keys.flatMap((key) => {
      const entry = this.#entries.get(key);
      return entry === undefined ? [] : [this.#remove(key, entry)];
    });
  }

  #entriesAt(router: RouterId, address: string): readonly Entry[] {
    const keys = this.#routers.get(router)?.get(address) ?? [];
    return [...keys].flatMap((key) => this.#entries.get(key) ?? []);
  }

  #add(key: string, entry: Entry): Affected {
    const { routerId, floatingIp: address } = entry.body;
    const router = this.#routers.get(routerId) ?? new Map<string, Set<string>>();
    const keys = router.get(address) ?? new Set();
    this.#entries.set(key, entry);
    this.#routers.set(routerId, router.set(address, keys.add(key)));
    return { routerId, address };
  }

  #remove(key: string, { body }: Entry): Affected {
    const { routerId, floatingIp: address } = body;
    const router = this.#routers.get(routerId);
    const keys = router?.get(address);
    this.#entries.delete(key);
    keys?.delete(key);
    if (keys?.size === 0) router?.delete(address);
    if (router?.size === 0) this.#routers.delete(routerId);
    return { routerId, address };
  }

  #bury(key: string, revision: number): void {
    this.#tombstones.delete(key);
    this.#tombstones.set(key, revision);
    for (const oldest of this.#tombstones.keys()) {
      if (this.#tombstones.size <= mostTombstones) return;
      this.#tombstones.delete(oldest);
    }
  }
}
