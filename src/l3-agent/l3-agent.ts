// The L3 agent: keeps the routers of this host in a cache and makes each so. Events, syncs, timers and repairs all do the same:
// change the cache, mark routers; `reconcile` is the only way in which anything on the host changes.
import { performance } from "node:perf_hooks";
import type { Clock } from "../base/clock.ts";
import type { RouterId } from "../model/ids.ts";
import type { Router } from "../model/router.ts";
import { runInBackground } from "../runtime/background.ts";
import { ChangeTraces } from "../runtime/change-traces.ts";
import { HeldMarks } from "../runtime/held-marks.ts";
import type { ItemSink } from "../runtime/item-stream.ts";
import { type QueueStats, ReconcileQueue } from "../runtime/reconcile-queue.ts";
import type { Fenced } from "../runtime/self-fence.ts";
import type { Timers } from "../runtime/timers.ts";
import type { ControlMessage } from "../types/agent-messages.ts";
import type { RouterItem } from "../types/l3-messages.ts";
import { RouterCache } from "./router-cache.ts";
import { RouterJournal } from "./router-journal.ts";
import { RouterServing, type RouterServingParts } from "./router-serving.ts";
import { RouterSupervision } from "./router-supervision.ts";

export interface L3AgentParts extends RouterServingParts {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Routers that are worked on at the same time. */
  readonly concurrency: number;
  /** How often each router is looked at in the kernel. */
  readonly verifyEveryMs: number;
  readonly sweepEveryMs?: number | undefined;
  readonly random?: (() => number) | undefined;
}

export class L3Agent implements ItemSink<RouterItem>, Fenced {
  readonly #parts: L3AgentParts;
  readonly #cache = new RouterCache();
  readonly #queue: ReconcileQueue<RouterId>;
  readonly #supervision: RouterSupervision;
  readonly #serving: RouterServing;
  readonly journal: RouterJournal;
  readonly #traces = new ChangeTraces<RouterId>();
  readonly #marks: HeldMarks<RouterId>;
  #hasFullView = false;
  /** Taken away from this host by the server: not served whatever else is not known yet. */
  readonly #lost = new Set<RouterId>();
  /** Why routers that another host could be given are not served. */
  #fenceReason: string | undefined;
  readonly #firstSync: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(parts: L3AgentParts) {
    const { clock, timers, log, concurrency, random } = parts;
    this.#parts = parts;
    this.journal = new RouterJournal(log, clock);
    this.#marks = new HeldMarks((id, lane) => this.#queue.mark(id, lane));
    this.#supervision = new RouterSupervision({
      ...parts,
      mark: (id, lane) => this.#marks.mark(id, lane),
      isDirty: (id) => this.#queue.isDirty(id),
    });
    this.#serving = new RouterServing(parts, this.#supervision.verifyPlan);
    this.#queue = new ReconcileQueue<RouterId>({
      ...{ concurrency, clock, timers },
      ...(random === undefined ? {} : { random }),
      run: (id) => this.reconcile(id),
      onSettled: (_, dirtyMs) => this.journal.effectMs.add(dirtyMs),
      onFailure: (id, thrown, retry) => this.journal.addFailure({ id, traceId: this.#traces.traceIdOf(id), thrown, ...retry }),
    });
  }

  start(): void {
    this.#supervision.start();
  }

  /** Lets running reconciles end; leaves every router as it is. */
  async close(): Promise<void> {
    this.#supervision.close();
    await this.#queue.close();
  }

  get routers(): number {
    return this.#cache.size;
  }

  get queueStats(): QueueStats {
    return this.#queue.stats;
  }

  /** Resolves when every router of the first sync had its turn. */
  async whenReady(): Promise<void> {
    await this.#firstSync.promise;
    await this.#queue.idle();
  }

  async idle(): Promise<void> {
    await this.#queue.idle();
  }

  /** Routers that something on this host belongs to. */
  async readInventory(): Promise<readonly RouterId[]> {
    return this.#parts.driver.list();
  }

  /** The state of a router of high availability was written. */
  haChanged(id: RouterId): void {
    if (this.#cache.find(id)?.isHa === true) this.#marks.mark(id, "event");
  }

  /**
   * Plain routers leave this host, also those that an earlier process left here: their addresses may be another's by now. Those
   * of high availability stay, because who of their hosts forwards is settled without servers.
   */
  fence(reason: string): void {
    const { driver, log } = this.#parts;
    this.#fenceReason = reason;
    for (const id of this.#cache.routerIds()) this.#queue.mark(id, "event");
    runInBackground(log, "looking for routers to fence failed", async () => {
      for (const id of await driver.list()) this.#queue.mark(id, "event");
    });
  }

  unfence(): void {
    this.#fenceReason = undefined;
    this.#lookAtAll([]);
  }

  // ---- what the stream calls

  applyItems(items: readonly RouterItem[]): void {
    for (const item of items) {
      const id = item.routerId;
      const hasChanged = this.#cache.applyItem(item);
      if (item.op === "upsert") {
        this.#lost.delete(id);
        if (!hasChanged) continue;
        this.#traces.note(id, item.traceparent);
        this.#marks.mark(id, "event");
      } else if (this.#cache.find(id) === undefined) {
        // It may be on this host though this process has not heard of it, and must not wait for the rest of a snapshot.
        this.#traces.note(id, item.traceparent);
        this.#stopServing(id);
      }
    }
  }

  beginSnapshot(options: { readonly isNewEpoch: boolean }): void {
    this.#marks.hold();
    this.#cache.beginSnapshot(options);
  }

  /** What came of it is added to a copy that was whole, and may be served; before the first whole one it waits for the next. */
  abortSnapshot(): void {
    this.#cache.abortSnapshot();
    if (this.#hasFullView) this.#marks.release();
  }

  endSnapshot(): void {
    const gone = this.#cache.endSnapshot();
    this.#setFullView();
    this.#serving.forgetTold();
    this.#marks.release();
    this.#lookAtAll(gone);
  }

  onSynced(): void {
    // A delta to a copy that was empty is as good as a snapshot.
    if (!this.#hasFullView) {
      this.#setFullView();
      this.#lookAtAll([]);
    }
    this.#firstSync.resolve();
  }

  onLost({ lostRouterIds = [] }: ControlMessage): void {
    if (lostRouterIds.length === 0) return;
    this.#parts.log.warn({ routers: lostRouterIds.length }, "routers were given to other hosts while this one was silent");
    for (const id of lostRouterIds) {
      this.#cache.drop(id);
      this.#stopServing(id);
    }
  }

  /**
   * Brings one router to its desired state, whatever was the trigger. Nothing is removed before the server has once said
   * everything: until then an unknown router may only be one that has not been told of yet.
   */
  async reconcile(id: RouterId): Promise<void> {
    const router = this.#cache.find(id);
    const fenced = this.#isFenced(id, router) ? this.#fenceReason : undefined;
    const mayStop = this.#hasFullView || this.#lost.has(id) || fenced !== undefined;
    if (!mayStop && router === undefined) return;
    const startedAtMs = performance.now();
    try {
      const { done, traceId } = await this.#traces.follow(id, () =>
        fenced === undefined ? this.#serving.bring(id, router) : this.#serving.remove(id),
      );
      // Nothing of it is here any more that the server's word would be needed for.
      if (!done.isServed) this.#lost.delete(id);
      const ms = performance.now() - startedAtMs;
      this.journal.addSuccess({ id, traceId, revision: router?.revision, ...done, fenced, ms });
    } catch (thrown) {
      // The next attempt trusts nothing that this one may have left half done.
      this.#supervision.verifyPlan.want(id);
      throw thrown;
    }
  }

  /** Of one that this process has not heard of, the files of its VRRP process tell what it is. */
  #isFenced(id: RouterId, router: Router | undefined): boolean {
    if (this.#fenceReason === undefined) return false;
    return router === undefined ? this.#parts.haStates?.isKnown(id) !== true : !router.isHa;
  }

  /** The server's word is enough, whatever else is not known yet. */
  #stopServing(id: RouterId): void {
    this.#lost.add(id);
    this.#queue.mark(id, "event");
  }

  #setFullView(): void {
    this.#hasFullView = true;
    this.#supervision.allowRemovals();
  }

  /** Changed or not: a snapshot is rare, and looking at what is in order costs little. */
  #lookAtAll(gone: readonly RouterId[]): void {
    for (const id of [...gone, ...this.#cache.routerIds()]) this.#marks.mark(id, "resync");
    this.#supervision.wantInventory();
  }
}
