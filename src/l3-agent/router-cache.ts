// Which routers this host should have, as far as the agent knows: the copy that events and syncs keep up to date and that
// reconciles read. It never asks anybody and never does anything.
import type { RouterId } from "../model/ids.ts";
import type { Router } from "../model/router.ts";
import type { RouterItem } from "../types/l3-messages.ts";

export class RouterCache {
  readonly #routers = new Map<RouterId, Router>();
  /** Routers that were named since `beginSnapshot`. */
  #named: Set<RouterId> | undefined;
  /** Routers whose revisions belong to an earlier epoch and say nothing. */
  #outdated = new Set<RouterId>();

  /**
   * Takes over one change unless something newer is known: items come in the order of the server's commits, but a message that
   * overlaps a sync repeats old ones. @returns whether the router is another now
   */
  applyItem(item: RouterItem): boolean {
    const id = item.routerId;
    this.#named?.add(id);
    const known = this.#routers.get(id);
    const isOutdated = this.#outdated.delete(id);
    if (!isOutdated && known !== undefined && known.revision > item.revision) return false;
    if (item.op === "delete") return this.#routers.delete(id);
    // Syncs repeat what is known already; that must not cost a reconcile.
    if (known !== undefined && JSON.stringify(known) === JSON.stringify(item.body)) return false;
    this.#routers.set(id, item.body);
    return true;
  }

  /** From here on every item counts as named. In a new epoch revisions start anew: any beats what is known. */
  beginSnapshot({ isNewEpoch }: { readonly isNewEpoch: boolean }): void {
    this.#named = new Set();
    if (isNewEpoch) this.#outdated = new Set(this.#routers.keys());
  }

  /** The snapshot did not arrive whole: what it said is kept, nothing is removed. */
  abortSnapshot(): void {
    this.#named = undefined;
  }

  /** Removes what no item named since `beginSnapshot`; answers what went. */
  endSnapshot(): readonly RouterId[] {
    const named = this.#named;
    if (named === undefined) return [];
    this.#named = undefined;
    this.#outdated.clear();
    const gone = [...this.#routers.keys()].filter((id) => !named.has(id));
    for (const id of gone) this.#routers.delete(id);
    return gone;
  }

  /** It is not this host's any more, though it was not deleted: it may come back at any revision. */
  drop(id: RouterId): void {
    this.#routers.delete(id);
  }

  find(id: RouterId): Router | undefined {
    return this.#routers.get(id);
  }

  routerIds(): readonly RouterId[] {
    return [...this.#routers.keys()];
  }

  get size(): number {
    return this.#routers.size;
  }
}
