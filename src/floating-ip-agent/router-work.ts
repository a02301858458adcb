// What is left to do for each router: which addresses changed, whether all are to be looked at, and of whose end the server has
// to hear. Pure.
import { floatingIpId, type FloatingIpId, type RouterId } from "../model/ids.ts";

export interface GoneFloatingIp {
  readonly id: FloatingIpId;
  /** Of its delete. */
  readonly revision: number;
}

export interface TakenWork {
  readonly addresses: ReadonlySet<string>;
  /** The driver has to hear of all addresses, not only of those that changed. */
  readonly isAll: boolean;
  /** The kernel is to be looked at. */
  readonly isVerify: boolean;
  readonly gone: readonly GoneFloatingIp[];
}

interface Work {
  readonly addresses: Set<string>;
  readonly gone: Map<FloatingIpId, GoneFloatingIp>;
  isAll: boolean;
  isVerify: boolean;
}

export class RouterWork {
  readonly #work = new Map<RouterId, Work>();
  /** Routers whose addresses the driver has heard of, with those that failed. */
  readonly #told = new Map<RouterId, readonly string[]>();
  readonly #waitingSinceMs = new Map<RouterId, number>();

  addDirty(router: RouterId, address: string): void {
    this.#of(router).addresses.add(address);
  }

  addGone(item: { readonly id: string; readonly routerId: RouterId; readonly revision: number }): void {
    const id = floatingIpId(item.id);
    this.#of(item.routerId).gone.set(id, { id, revision: item.revision });
  }

  wantAll(router: RouterId): void {
    this.#of(router).isAll = true;
  }

  wantVerify(router: RouterId): void {
    this.#of(router).isVerify = true;
  }

  touch(router: RouterId): void {
    this.#of(router);
  }

  dirtyRouters(): readonly RouterId[] {
    return [...this.#work.keys()];
  }

  /** A router of which the driver has not heard yet has to be told as a whole. */
  take(router: RouterId): TakenWork {
    const work = this.#work.get(router);
    this.#work.delete(router);
    const isAll = work?.isAll === true || !this.#told.has(router);
    if (!this.#told.has(router)) this.#told.set(router, []);
    const gone = [...(work?.gone.values() ?? [])];
    return { addresses: work?.addresses ?? new Set(), isAll, isVerify: work?.isVerify ?? false, gone };
  }

  /** It failed; what came meanwhile stays. */
  putBack(router: RouterId, { addresses, isAll, isVerify, gone }: TakenWork): void {
    const work = this.#of(router);
    for (const address of addresses) work.addresses.add(address);
    for (const one of gone) if (!work.gone.has(one.id)) work.gone.set(one.id, one);
    work.isAll ||= isAll;
    work.isVerify ||= isVerify;
  }

  failedOf(router: RouterId): readonly string[] {
    return this.#told.get(router) ?? [];
  }

  /** @returns those that had failed before */
  setFailed(router: RouterId, addresses: readonly string[]): readonly string[] {
    const before = this.#told.get(router) ?? [];
    this.#told.set(router, addresses);
    this.#waitingSinceMs.delete(router);
    return before;
  }

  /** The driver has to be told of all of its addresses again. */
  forgetTold(router: RouterId): void {
    this.#told.delete(router);
  }

  forget(router: RouterId): void {
    this.#work.delete(router);
    this.#told.delete(router);
    this.#waitingSinceMs.delete(router);
  }

  /** How long the router has been missing. */
  waitingMs(router: RouterId, nowMs: number): number {
    const sinceMs = this.#waitingSinceMs.get(router) ?? nowMs;
    this.#waitingSinceMs.set(router, sinceMs);
    return nowMs - sinceMs;
  }

  #of(router: RouterId): Work {
    const known = this.#work.get(router);
    if (known !== undefined) return known;
    const work: Work = { addresses: new Set(), gone: new Map(), isAll: false, isVerify: false };
    this.#work.set(router, work);
    return work;
  }
}
