// The floating-IP agent: keeps floating IPs and port forwardings of this host's routers in a cache, and makes each router so once
// the L3 agent has built it. Events, syncs, routers that come back and sweeps all do the same: mark routers; `reconcile` is the
// only way in which anything on the host changes.
import { errorText } from "../base/errors.ts";
import type { RouterId } from "../model/ids.ts";
import { ChangeTraces } from "../runtime/change-traces.ts";
import type { ItemSink } from "../runtime/item-stream.ts";
import { type Lane, type QueueStats, ReconcileQueue } from "../runtime/reconcile-queue.ts";
import type { Fenced } from "../runtime/self-fence.ts";
import { type CancelTimer, repeatEvery } from "../runtime/timers.ts";
import { VerifyPlan } from "../runtime/verify-plan.ts";
import type { ControlMessage } from "../types/agent-messages.ts";
import type { FloatingIpItem } from "../types/l3-messages.ts";
import { type Affected, FloatingIpCache } from "./floating-ip-cache.ts";
import { FloatingIpServing, type FloatingIpServingParts } from "./floating-ip-serving.ts";
import { RouterJournal } from "./router-journal.ts";
import type { RouterPlaces } from "./router-places.ts";
import { RouterStatuses } from "./router-statuses.ts";
import { RouterWork } from "./router-work.ts";
import type { FloatingIpStatus } from "./status-memory.ts";

export interface FloatingIpAgentParts extends FloatingIpServingParts {
  readonly places: Pick<RouterPlaces, "get" | "routerIds" | "lookAtAll">;
  readonly report: (status: FloatingIpStatus) => void;
  /** Routers that are worked on at the same time. */
  readonly concurrency: number;
  /** How often each router is looked at in the kernel. */
  readonly verifyEveryMs: number;
  readonly random?: (() => number) | undefined;
}

/** The looks of one sweep are spread over so many moments. */
const sweepParts = 60;

export class FloatingIpAgent implements ItemSink<FloatingIpItem>, Fenced {
  readonly journal = new RouterJournal();
  readonly #parts: FloatingIpAgentParts;
  readonly #cache = new FloatingIpCache();
  readonly #work = new RouterWork();
  readonly #statuses: RouterStatuses;
  readonly #queue: ReconcileQueue<RouterId>;
  readonly #serving: FloatingIpServing;
  readonly #plan: VerifyPlan<RouterId>;
  readonly #tickMs: number;
  readonly #traces = new ChangeTraces<RouterId>();
  readonly #firstSync: PromiseWithResolvers<void> = Promise.withResolvers();
  #cancelTick: CancelTimer = () => {};
  #ticks = 0;
  /** Before the server has once said everything nothing is done: what is unknown may only not have been told of yet. */
  #hasFullView = false;
  #isInSnapshot = false;
  /** Why nothing is served on routers that another host could be given. */
  #fenceReason: string | undefined;

  constructor(parts: FloatingIpAgentParts) {
    const { timers, log, clock, concurrency, verifyEveryMs, random } = parts;
    this.#parts = parts;
    this.#tickMs = Math.max(50, verifyEveryMs / sweepParts);
    this.#plan = new VerifyPlan({ clock, tickMs: this.#tickMs, everyMs: verifyEveryMs });
    this.#statuses = new RouterStatuses(this.#cache, parts.report);
    this.#serving = new FloatingIpServing(parts, {
      ...{ cache: this.#cache, work: this.#work, statuses: this.#statuses, plan: this.#plan, journal: this.journal },
      again: (id) => this.#mark(id, "resync"),
    });
    this.#queue = new ReconcileQueue<RouterId>({
      ...{ concurrency, clock, timers },
      ...(random === undefined ? {} : { random }),
      run: (id) => this.reconcile(id),
      onSettled: (_, dirtyMs) => this.journal.effectMs.add(dirtyMs),
      onFailure: (routerId, err, { attempt, delayMs }) =>
        log.warn({ routerId, err: errorText(err), attempt, ms: delayMs }, "floating IPs failed, will be repeated"),
    });
  }

  start(): void {
    this.#cancelTick = repeatEvery(this.#parts.timers, this.#tickMs, async () => this.#tick());
  }

  /** Lets running reconciles end; leaves every router as it is. */
  async close(): Promise<void> {
    this.#cancelTick();
    this.#serving.close();
    await this.#queue.close();
  }

  /** Routers are those that have, or should have, floating IPs. */
  get counts(): { readonly floatingIps: number; readonly portForwardings: number; readonly routers: number } {
    return { ...this.#cache.counts(), routers: this.#cache.routerIds().length };
  }

  get statusCounts(): Readonly<Record<FloatingIpStatus["status"], number>> {
    return this.#statuses.counts();
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

  /** The L3 agent has made it, made it anew, or is about to remove it. */
  routerChanged(id: RouterId): void {
    this.#work.wantAll(id);
    this.#mark(id, "event");
  }

  /** Looks at every router in the kernel now, and at what was not heard of. */
  sweep(): void {
    this.#lookForRouters();
    for (const id of this.#knownRouters()) this.#verify(id);
  }

  /** Floating IPs leave plain routers, also those that an earlier process left there. One of high availability keeps them. */
  fence(reason: string): void {
    this.#fenceReason = reason;
    for (const id of this.#knownRouters()) this.#queue.mark(id, "event");
  }

  unfence(): void {
    this.#fenceReason = undefined;
    for (const id of this.#knownRouters()) this.routerChanged(id);
  }

  // ---- what the stream calls

  applyItems(items: readonly FloatingIpItem[]): void {
    for (const item of items) {
      const affected = this.#cache.applyItem(item);
      if (item.op === "delete" && item.kind === "floating-ip") this.#work.addGone(item);
      this.#take(affected, item.traceparent);
      // One that this process never heard of has nothing to be taken away; the server waits for the word anyway.
      if (affected.length === 0 && item.op === "delete") this.#mark(item.routerId, "event");
    }
  }

  beginSnapshot(options: { readonly isNewEpoch: boolean }): void {
    this.#isInSnapshot = true;
    this.#cache.beginSnapshot(options);
  }

  abortSnapshot(): void {
    this.#isInSnapshot = false;
    this.#cache.abortSnapshot();
    this.#markDirty();
  }

  endSnapshot(): void {
    this.#isInSnapshot = false;
    this.#take(this.#cache.endSnapshot(), undefined);
    this.#statuses.forgetAll();
    for (const id of this.#cache.routerIds()) this.#work.wantAll(id);
    this.#setFullView();
  }

  onSynced(): void {
    // A delta to a copy that was empty is as good as a snapshot.
    if (!this.#hasFullView) this.#setFullView();
    this.#firstSync.resolve();
  }

  onLost({ lostRouterIds = [] }: ControlMessage): void {
    for (const id of lostRouterIds) this.#take(this.#cache.dropRouter(id), undefined);
    if (lostRouterIds.length > 0)
      this.#parts.log.warn({ routers: lostRouterIds.length }, "routers were given to other hosts while this one was silent");
  }

  /** Brings one router's floating IPs to their desired state, whatever was the trigger. */
  async reconcile(id: RouterId): Promise<void> {
    const place = this.#parts.places.get(id);
    const fenced = place?.haState === undefined ? this.#fenceReason : undefined;
    if (!this.#hasFullView && fenced === undefined) return;
    const mayServe = place !== undefined && place.gatewayDevice !== null && fenced === undefined;
    await this.#traces.follow(id, () => (mayServe ? this.#serving.serve(place) : this.#serving.wait(id, place, fenced)));
  }

  /** A few routers each time; where they are is looked at once a sweep. */
  #tick(): void {
    this.#ticks += 1;
    if (this.#ticks % sweepParts === 0) this.#lookForRouters();
    for (const id of this.#plan.due()) this.#verify(id);
  }

  #verify(id: RouterId): void {
    this.#work.wantVerify(id);
    this.#mark(id, "resync");
  }

  #lookForRouters(): void {
    for (const id of this.#parts.places.lookAtAll()) this.routerChanged(id);
  }

  #knownRouters(): ReadonlySet<RouterId> {
    return new Set([...this.#parts.places.routerIds(), ...this.#cache.routerIds()]);
  }

  #take(affected: readonly Affected[], traceparent: string | undefined): void {
    for (const { routerId, address } of affected) {
      this.#work.addDirty(routerId, address);
      this.#traces.note(routerId, traceparent);
      this.#mark(routerId, "event");
    }
  }

  #setFullView(): void {
    this.#hasFullView = true;
    // Routers without any floating IP may have some of an earlier life.
    for (const id of this.#knownRouters()) this.#work.touch(id);
    this.#markDirty();
  }

  #markDirty(): void {
    for (const id of this.#work.dirtyRouters()) this.#mark(id, "event");
  }

  /** Half a snapshot must not be applied: `#markDirty` comes back to what was marked meanwhile. */
  #mark(id: RouterId, lane: Lane): void {
    if (this.#hasFullView && !this.#isInSnapshot) this.#queue.mark(id, lane);
    else this.#work.touch(id);
  }
}
