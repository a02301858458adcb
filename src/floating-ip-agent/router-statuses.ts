// What the server is told of a router's floating IPs: by address, as the driver names them, and only what is news to it.
import type { RouterId } from "../model/ids.ts";
import type { FloatingIpCache } from "./floating-ip-cache.ts";
import type { GoneFloatingIp } from "./router-work.ts";
import { type FloatingIpStatus, StatusMemory } from "./status-memory.ts";

/** As many characters as the server takes. */
const longestReason = 500;

export class RouterStatuses {
  readonly #cache: FloatingIpCache;
  readonly #memory: StatusMemory;

  constructor(cache: FloatingIpCache, report: (status: FloatingIpStatus) => void) {
    this.#cache = cache;
    this.#memory = new StatusMemory(report);
  }

  /** Counts by status of what was told last. */
  counts(): ReturnType<StatusMemory["counts"]> {
    return this.#memory.counts();
  }

  /** @param failed why an address is not as it should be; the others are */
  tellApplied(routerId: RouterId, addresses: Iterable<string>, failed: ReadonlyMap<string, string>): void {
    for (const address of addresses) {
      const reason = failed.get(address);
      const wish = this.#cache.view(routerId, address);
      // Nothing to be served yet: its forwardings are on their way.
      if (reason === undefined && wish?.fixedIp === null && wish.forwardings.length === 0) continue;
      this.#tell(routerId, address, reason === undefined ? { status: "ACTIVE", reason: null } : { status: "ERROR", reason });
    }
  }

  /** Nothing can be done in the router at all. */
  tellFailed(routerId: RouterId, reason: string): void {
    for (const address of this.#cache.addressesOf(routerId)) this.#tell(routerId, address, { status: "ERROR", reason });
  }

  tellWaiting(routerId: RouterId, reason: string): void {
    for (const address of this.#cache.addressesOf(routerId)) this.#tell(routerId, address, { status: "DOWN", reason });
  }

  /** They are nothing on this host any more. */
  tellGone(gone: readonly GoneFloatingIp[]): void {
    for (const { id, revision } of gone) {
      // Another router of this host may have it by now.
      if (!this.#cache.hasFloatingIp(id)) this.#memory.tellGone({ id, revision, status: "DOWN", reason: null });
    }
  }

  /** The server may have forgotten everything. */
  forgetAll(): void {
    this.#memory.forgetAll();
  }

  #tell(routerId: RouterId, address: string, { status, reason }: Pick<FloatingIpStatus, "status" | "reason">): void {
    const text = reason?.slice(0, longestReason) ?? null;
    for (const { id, revision } of this.#cache.floatingIpsAt(routerId, address))
      this.#memory.tell({ id, revision, status, reason: text });
  }
}
