// The floating-IP agent: keeps floating IPs and port forwardings of this host's routers in a cache, and makes each router so once
// the L3 agent has built it. Events, syncs, routers that come back and sweeps all do the same: mark routers; `reconcile` is the
// only way in which anything on the host changes.
import { performance } from "node:perf_hooks";
import { errorText } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { createTrace, parseTraceparent, withTrace } from "../base/trace-context.ts";
import type { ApplyOutcome, FloatingIpDriver } from "../drivers/floating-ip-driver.ts";
import type { RouterReady } from "../drivers/l3-layout.ts";
import type { RouterId } from "../model/ids.ts";
import type { ItemSink } from "../runtime/item-stream.ts";
import { type Lane, type QueueStats, ReconcileQueue } from "../runtime/reconcile-queue.ts";
import type { Fenced } from "../runtime/self-fence.ts";
import { type CancelTimer, repeatEvery, type Timers } from "../runtime/timers.ts";
import { VerifyPlan } from "../runtime/verify-plan.ts";
import type { ControlMessage } from "../types/agent-messages.ts";
import type { FloatingIpItem } from "../types/l3-messages.ts";
import { Announcer } from "./announcer.ts";
import { type Affected, FloatingIpCache } from "./floating-ip-cache.ts";
import { RouterJournal, type RouterStatus } from "./router-journal.ts";
import type { RouterPlaces } from "./router-places.ts";
import { RouterStatuses } from "./router-statuses.ts";
import { RouterWork } from "./router-work.ts";
import type { FloatingIpStatus } from "./status-memory.ts";

export interface FloatingIpAgentParts {
  readonly driver: FloatingIpDriver;
  readonly places: Pick<RouterPlaces, "get" | "routerIds" | "lookAtAll">;
  readonly report: (status: FloatingIpStatus) => void;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  /** Routers that are worked on at the same time. */
  readonly concurrency: number;
  /** How often each router is looked at in the kernel. */
  readonly verifyEveryMs: number;
  readonly random?: (() => number) | undefined;
}

/** So long a router may take to come before its floating IPs are reported as waiting. */
const patienceMs = 5_000;
/** The looks of one sweep are spread over so many moments. */
const sweepParts = 60;

export class FloatingIpAgent implements ItemSink<FloatingIpItem>, Fenced {
  readonly journal = new RouterJournal();
  readonly #parts: FloatingIpAgentParts;
  readonly #cache = new FloatingIpCache();
  readonly #work = new RouterWork();
  readonly #statuses: RouterStatuses;
  readonly #queue: ReconcileQueue<RouterId>;
  readonly #announcer: Announcer;
  readonly #plan: VerifyPlan<RouterId>;
  readonly #tickMs: number;
  readonly #traceparents = new Map<RouterId, string>();
  readonly #firstSync: PromiseWithResolvers<void> = Promise.withResolvers();
  #cancelTick: CancelTimer = () => {};
  #ticks = 0;
  /** Before the server has once said everything nothing is done: what is unknown may only not have been told of yet. */
  #hasFullView = false;
  #isInSnapshot = false;
  /** Why nothing is served on routers that another host could be given. */
  #fenceReason: string | undefined;

  constructor(parts: FloatingIpAgentParts) {
    const { driver, timers, log, clock, concurrency, verifyEveryMs, random } = parts;
    this.#parts = parts;
    this.#tickMs = Math.max(50, verifyEveryMs / sweepParts);
    this.#plan = new VerifyPlan({ clock, tickMs: this.#tickMs, everyMs: verifyEveryMs });
    this.#statuses = new RouterStatuses(this.#cache, parts.report);
    this.#announcer = new Announcer({
      ...{ driver, timers, log },
      findPlace: (id) => parts.places.get(id),
      isServed: (id, address) => this.#cache.view(id, address) !== undefined,
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
    this.#announcer.close();
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
    const trace = parseTraceparent(this.#traceparents.get(id));
    this.#traceparents.delete(id);
    const mayServe = place !== undefined && place.gatewayDevice !== null && fenced === undefined;
    await withTrace(trace ?? createTrace(), () => (mayServe ? this.#reconcileAt(place) : this.#wait(id, place, fenced)));
  }

  async #reconcileAt(place: RouterReady): Promise<void> {
    const { driver, log } = this.#parts;
    const { routerId } = place;
    const startedAtMs = performance.now();
    const taken = this.#work.take(routerId);
    const dirty = new Set([...taken.addresses, ...(taken.isAll ? this.#cache.addressesOf(routerId) : [])]);
    try {
      const changes = new Map([...dirty].map((address) => [address, this.#cache.view(routerId, address)]));
      const changed = dirty.size > 0 || taken.isAll ? await driver.apply(place, changes) : undefined;
      const verified = taken.isVerify ? await driver.verify(place) : undefined;
      const outcomes = [changed, verified].filter((outcome) => outcome !== undefined);
      this.#onApplied(place, dirty, outcomes);
      this.#statuses.tellGone(taken.gone);
      this.#journalize(place, outcomes, startedAtMs);
      const ms = Math.round(performance.now() - startedAtMs);
      const fields = { routerId, addresses: dirty.size, outcome: "applied", ms };
      log[taken.addresses.size > 0 ? "info" : "debug"](fields, "floating IPs applied");
    } catch (thrown) {
      this.#work.putBack(routerId, taken);
      const reason = errorText(thrown);
      this.#statuses.tellFailed(routerId, reason);
      // All of them are to be told of again when it works.
      this.#work.setFailed(routerId, this.#cache.addressesOf(routerId));
      this.#note(routerId, { state: "failing", reason, startedAtMs });
      throw thrown;
    }
  }

  #onApplied(place: RouterReady, dirty: Iterable<string>, outcomes: readonly ApplyOutcome[]): void {
    const { routerId } = place;
    const failed = outcomes.at(-1)?.failed;
    if (failed === undefined) return;
    this.#announcer.announce(place, [...new Set(outcomes.flatMap(({ added }) => added))]);
    const foreign = outcomes.reduce((sum, { foreignChanges }) => sum + foreignChanges, 0);
    if (foreign > 0) {
      this.journal.foreignChanges += foreign;
      this.#parts.log.warn({ routerId, changes: foreign }, "what others had changed was repaired");
    }
    const failedBefore = this.#work.setFailed(routerId, [...failed.keys()]);
    this.#statuses.tellApplied(routerId, new Set([...dirty, ...failedBefore, ...failed.keys()]), failed);
  }

  /** Nothing can be served, or may be: the router's namespace is not there, has no way out, or is fenced. */
  async #wait(id: RouterId, place: RouterReady | undefined, fenced: string | undefined): Promise<void> {
    const { driver, clock, timers } = this.#parts;
    const startedAtMs = performance.now();
    const taken = this.#work.take(id);
    try {
      driver.forget(id);
      // Of an earlier gateway: instances would still be led by what is left.
      if (place !== undefined) await driver.apply(place, new Map());
    } catch (thrown) {
      this.#work.putBack(id, taken);
      throw thrown;
    }
    driver.forget(id);
    this.#statuses.tellGone(taken.gone);
    const isWanted = this.#cache.addressesOf(id).length > 0;
    if (!isWanted && place === undefined) {
      this.#work.forget(id);
      this.#plan.forget(id);
      this.journal.forget(id);
      return;
    }
    this.#work.forgetTold(id);
    const state = fenced === undefined ? "waiting" : "fenced";
    const reason = fenced ?? waitReason(id, place);
    this.#note(id, { state: isWanted ? state : "served", reason: isWanted ? reason : null, startedAtMs });
    // Of what is fenced others may have the word by now.
    if (!isWanted || fenced !== undefined) return;
    const waitedMs = this.#work.waitingMs(id, clock.monotonicMs());
    if (waitedMs >= patienceMs) this.#statuses.tellWaiting(id, reason);
    else timers.after(patienceMs - waitedMs + 1, () => this.#mark(id, "resync"));
  }

  #journalize({ routerId }: RouterReady, outcomes: readonly ApplyOutcome[], startedAtMs: number): void {
    this.#plan.addServed(routerId);
    const failed = outcomes.at(-1)?.failed;
    const [reason] = failed?.values() ?? [];
    if (failed === undefined) this.journal.reconcileMs.add(performance.now() - startedAtMs);
    else this.#note(routerId, { state: failed.size === 0 ? "served" : "degraded", reason: reason ?? null, startedAtMs });
  }

  #note(id: RouterId, { startedAtMs, ...told }: Note): void {
    const ms = performance.now() - startedAtMs;
    this.journal.reconcileMs.add(ms);
    const addresses = this.#cache.addressesOf(id).length;
    this.journal.set(id, { ...told, addresses, atMs: this.#parts.clock.nowMs(), ms: Math.round(ms * 10) / 10 });
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
      if (traceparent !== undefined) this.#traceparents.set(routerId, traceparent);
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

const waitReason = (id: RouterId, place: RouterReady | undefined): string =>
  place === undefined ? `router ${id} is not on this host yet` : `router ${id} has no gateway on this host`;

interface Note {
  readonly state: RouterStatus["state"];
  readonly reason: string | null;
  /** By `performance.now()`. */
  readonly startedAtMs: number;
}
