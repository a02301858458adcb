// The L3 agent: keeps the routers of this host in a cache and makes each so. Events, syncs, timers and repairs all do the same:
// change the cache, mark routers; `reconcile` is the only way in which anything on the host changes.
import { performance } from "node:perf_hooks";
import type { Clock } from "../base/clock.ts";
import { errorText } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { createTrace, parseTraceparent, withTrace } from "../base/trace-context.ts";
import type { AppliedRouter, RouterDriver, RouterPlace } from "../drivers/router-driver.ts";
import type { RouterId } from "../model/ids.ts";
import type { Router } from "../model/router.ts";
import { runInBackground } from "../runtime/background.ts";
import type { ItemSink } from "../runtime/item-stream.ts";
import { type Lane, type QueueStats, ReconcileQueue } from "../runtime/reconcile-queue.ts";
import type { Fenced } from "../runtime/self-fence.ts";
import type { Timers } from "../runtime/timers.ts";
import type { ControlMessage } from "../types/agent-messages.ts";
import type { RouterItem } from "../types/l3-messages.ts";
import type { HaStates } from "./ha-states.ts";
import { RouterCache } from "./router-cache.ts";
import { type ReconcileOutcome, RouterJournal } from "./router-journal.ts";
import { RouterSupervision } from "./router-supervision.ts";
import { type RouterStatus, StatusMemory } from "./status-memory.ts";

/** Metadata for the instances behind routers. */
export interface RouterMetadata {
  /** Listens in the router's namespace from now on. Idempotent. */
  apply(router: Router, place: RouterPlace): Promise<void>;
  /** Absent is success. Before the namespace goes: a listener would keep it alive. */
  remove(id: RouterId): Promise<void>;
}

export interface L3AgentParts {
  readonly driver: RouterDriver;
  readonly metadata?: RouterMetadata | undefined;
  /** Of routers of high availability. */
  readonly haStates?: Pick<HaStates, "served" | "forget" | "forgetAll" | "missed" | "isKnown" | "isPrimary"> | undefined;
  readonly report: (status: RouterStatus) => void;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  /** Routers that are worked on at the same time. */
  readonly concurrency: number;
  /** How often each router is looked at in the kernel. */
  readonly verifyEveryMs: number;
  readonly sweepEveryMs?: number | undefined;
  /** Whether routers without a gateway are served. */
  readonly handlesInternalOnly: boolean;
  readonly random?: (() => number) | undefined;
}

interface Done {
  readonly outcome: ReconcileOutcome;
  readonly isServed: boolean;
  readonly foreignChanges: number;
  readonly warnings: readonly string[];
}

const maxReason = 500;

export class L3Agent implements ItemSink<RouterItem>, Fenced {
  readonly #parts: L3AgentParts;
  readonly #cache = new RouterCache();
  readonly #queue: ReconcileQueue<RouterId>;
  readonly #statuses: StatusMemory;
  readonly #supervision: RouterSupervision;
  readonly journal: RouterJournal;
  /** Per dirty router, the change that made it so last. */
  readonly #traceparents = new Map<RouterId, string>();
  /** Routers that a snapshot has touched: half a snapshot must not be applied to the host. `undefined` outside of one. */
  #held: Set<RouterId> | undefined;
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
    this.#statuses = new StatusMemory(parts.report);
    this.#supervision = new RouterSupervision({
      ...parts,
      mark: (id, lane) => this.#mark(id, lane),
      isDirty: (id) => this.#queue.isDirty(id),
    });
    this.#queue = new ReconcileQueue<RouterId>({
      ...{ concurrency, clock, timers },
      ...(random === undefined ? {} : { random }),
      run: (id) => this.reconcile(id),
      onSettled: (_, dirtyMs) => this.journal.effectMs.add(dirtyMs),
      onFailure: (id, thrown, retry) => {
        const traceId = parseTraceparent(this.#traceparents.get(id))?.traceId;
        this.journal.addFailure({ id, traceId, thrown, ...retry });
      },
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

  /** Looks for what was removed by hand, and at those whose turn it is. */
  async sweep(): Promise<void> {
    for (const id of this.#parts.haStates?.missed() ?? []) this.haChanged(id);
    await this.#supervision.sweep();
  }

  /** The state of a router of high availability was written. */
  haChanged(id: RouterId): void {
    if (this.#cache.find(id)?.isHa === true) this.#mark(id, "event");
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
        if (item.traceparent !== undefined) this.#traceparents.set(id, item.traceparent);
        this.#mark(id, "event");
      } else if (this.#cache.find(id) === undefined) {
        // It may be on this host though this process has not heard of it, and must not wait for the rest of a snapshot.
        if (item.traceparent !== undefined) this.#traceparents.set(id, item.traceparent);
        this.#stopServing(id);
      }
    }
  }

  beginSnapshot(options: { readonly isNewEpoch: boolean }): void {
    this.#held ??= new Set();
    this.#cache.beginSnapshot(options);
  }

  /** What came of it is added to a copy that was whole, and may be served; before the first whole one it waits for the next. */
  abortSnapshot(): void {
    this.#cache.abortSnapshot();
    if (this.#hasFullView) this.#releaseHeld();
  }

  endSnapshot(): void {
    const gone = this.#cache.endSnapshot();
    this.#setFullView();
    this.#statuses.forgetAll();
    this.#parts.haStates?.forgetAll();
    this.#releaseHeld();
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
    const traceparent = this.#traceparents.get(id);
    this.#traceparents.delete(id);
    const trace = parseTraceparent(traceparent);
    const startedAtMs = performance.now();
    try {
      const done = await withTrace(trace ?? createTrace(), () =>
        fenced === undefined ? this.#bring(id, router) : this.#remove(id),
      );
      const ms = performance.now() - startedAtMs;
      this.journal.addSuccess({ id, traceId: trace?.traceId, revision: router?.revision, ...done, fenced, ms });
    } catch (thrown) {
      // The next attempt still belongs to this change, and trusts nothing that this one may have left half done.
      if (traceparent !== undefined && !this.#traceparents.has(id)) this.#traceparents.set(id, traceparent);
      this.#supervision.verifyPlan.want(id);
      throw thrown;
    }
  }

  async #bring(id: RouterId, router: Router | undefined): Promise<Done> {
    if (router === undefined || !this.#isServed(router)) {
      const removed = await this.#remove(id);
      // Its ports are DOWN when somebody says that it is as it should be. One that is only not ours to serve is nobody's word.
      if (router?.adminStateUp === false) this.#tell(router, "ACTIVE", null);
      return removed;
    }
    const { haStates } = this.#parts;
    const applied = await this.#apply(router);
    this.#supervision.verifyPlan.addServed(id);
    if (applied.haState === undefined) haStates?.forget(id);
    else haStates?.served(id);
    await this.#serveMetadata(router, applied.haState === undefined || applied.haState === "primary");
    this.#tell(router, "ACTIVE", null);
    return { ...applied, isServed: true };
  }

  async #apply(router: Router): Promise<AppliedRouter> {
    const { id, isHa } = router;
    const { driver, haStates } = this.#parts;
    const verify = this.#supervision.verifyPlan.takeWanted(id);
    try {
      return await driver.apply(router, { verify });
    } catch (thrown) {
      this.#tell(router, "ERROR", errorText(thrown));
      // Who forwards is settled without us: the word on a router counts from the host that does, also where it fails.
      if (isHa) haStates?.served(id);
      // A helper that does not start keeps no instance behind the router from its metadata.
      if (!isHa || haStates?.isPrimary(id) === true) await this.#serveMetadataAnyway(router);
      throw thrown;
    }
  }

  /** Instances without metadata are as good as none: the router says it, though packets flow. */
  async #serveMetadata(router: Router, isForwarding: boolean): Promise<void> {
    const { metadata, driver } = this.#parts;
    try {
      if (isForwarding) await metadata?.apply(router, driver.placeOf(router.id));
      else await metadata?.remove(router.id);
    } catch (thrown) {
      this.#tell(router, "ERROR", `no metadata: ${errorText(thrown)}`);
      throw thrown;
    }
  }

  async #serveMetadataAnyway(router: Router): Promise<void> {
    const { metadata, driver, log } = this.#parts;
    try {
      if ((await driver.list()).includes(router.id)) await metadata?.apply(router, driver.placeOf(router.id));
    } catch (thrown) {
      log.debug({ routerId: router.id, err: errorText(thrown) }, "no metadata for a router that failed");
    }
  }

  #tell({ id, revision }: Router, status: RouterStatus["status"], reason: string | null): void {
    this.#statuses.tell({ id, revision, status, reason: reason?.slice(0, maxReason) ?? null });
  }

  async #remove(id: RouterId): Promise<Done> {
    const { driver, metadata } = this.#parts;
    this.#supervision.verifyPlan.forget(id);
    this.#statuses.forget(id);
    this.#parts.haStates?.forget(id);
    const isPresent = (await driver.list()).includes(id);
    await metadata?.remove(id);
    await driver.remove(id);
    this.#lost.delete(id);
    return { outcome: isPresent ? "removed" : "absent", isServed: false, foreignChanges: 0, warnings: [] };
  }

  /** Of one that this process has not heard of, the files of its VRRP process tell what it is. */
  #isFenced(id: RouterId, router: Router | undefined): boolean {
    if (this.#fenceReason === undefined) return false;
    return router === undefined ? this.#parts.haStates?.isKnown(id) !== true : !router.isHa;
  }

  #isServed({ adminStateUp, gateway }: Router): boolean {
    return adminStateUp && (gateway !== null || this.#parts.handlesInternalOnly);
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
    for (const id of [...gone, ...this.#cache.routerIds()]) this.#mark(id, "resync");
    this.#supervision.wantInventory();
  }

  #mark(id: RouterId, lane: Lane): void {
    if (this.#held !== undefined) this.#held.add(id);
    else this.#queue.mark(id, lane);
  }

  #releaseHeld(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const id of held) this.#mark(id, "event");
  }
}
