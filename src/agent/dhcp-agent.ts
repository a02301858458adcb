// The DHCP agent: keeps what it should serve in a cache and makes each network so. Events, syncs, timers and repairs all do
// the same: change the cache, mark networks; `reconcile` is the only way in which anything on the host changes.
import { performance } from "node:perf_hooks";
import type { Clock } from "../base/clock.ts";
import type { NetworkCache } from "../cache/network-cache.ts";
import type { NetworkId } from "../model/ids.ts";
import { runInBackground } from "../runtime/background.ts";
import { ChangeTraces } from "../runtime/change-traces.ts";
import { HeldMarks } from "../runtime/held-marks.ts";
import { ReconcileQueue, type QueueStats } from "../runtime/reconcile-queue.ts";
import type { Fenced } from "../runtime/self-fence.ts";
import type { Timers } from "../runtime/timers.ts";
import type { StreamItem } from "../types/agent-messages.ts";
import type { CrashVerdict } from "./crash-loop.ts";
import { NetworkHelpers, type HelperParts, type ServedNetwork } from "./network-helpers.ts";
import { isOwnPort } from "./own-port.ts";
import { ReadyPorts } from "./ready-ports.ts";
import { ReconcileJournal } from "./reconcile-journal.ts";
import type { StatusReporter } from "./status-reporter.ts";
import type { StreamSink } from "./stream-consumer.ts";
import { Supervision } from "./supervision.ts";

export interface DhcpAgentParts extends Omit<HelperParts, "onServed"> {
  readonly reporter: Pick<StatusReporter, "addReadyPorts" | "addEvent">;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Networks that are worked on at the same time. */
  readonly concurrency: number;
  /** How often each served network is looked at in the kernel. */
  readonly verifyEveryMs?: number | undefined;
  readonly random?: () => number;
}

type Upsert<K extends StreamItem["kind"]> = Extract<StreamItem, { op: "upsert"; kind: K }>;
type Delete = Extract<StreamItem, { op: "delete" }>;

export class DhcpAgent implements StreamSink, Fenced {
  readonly #parts: DhcpAgentParts;
  readonly #cache: NetworkCache;
  readonly #helpers: NetworkHelpers;
  readonly #queue: ReconcileQueue<NetworkId>;
  readonly #ready: ReadyPorts;
  readonly #supervision: Supervision;
  /** What became of each reconcile, for people and scrapers. */
  readonly journal: ReconcileJournal;
  readonly #traces = new ChangeTraces<NetworkId>();
  readonly #marks: HeldMarks<NetworkId>;
  #hasFullView = false;
  /** Taken away from this host by the server: not served whatever the copy says, until it names them again. */
  readonly #lost = new Set<NetworkId>();
  /** Why nothing is served, whatever the copy says. */
  #fenceReason: string | undefined;
  #firstSync: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(parts: DhcpAgentParts) {
    const { cache, clock, timers, concurrency, driver, random } = parts;
    this.#parts = parts;
    this.#cache = cache;
    this.journal = new ReconcileJournal(parts.log, clock);
    this.#ready = new ReadyPorts(cache);
    this.#marks = new HeldMarks((id, lane) => this.#queue.mark(id, lane));
    this.#helpers = new NetworkHelpers({ ...parts, onServed: (served) => this.#onServed(served) });
    this.#supervision = new Supervision({
      ...parts,
      helpers: this.#helpers,
      mark: (id, lane) => this.#marks.mark(id, lane),
      isDirty: (id) => this.#queue.isDirty(id),
      onCrash: (id, crash) => this.#onCrash(id, crash),
    });
    this.#queue = new ReconcileQueue<NetworkId>({
      concurrency,
      clock,
      timers,
      ...(random === undefined ? {} : { random }),
      run: (id) => this.reconcile(id),
      delayMs: (id) => Math.max(driver.nextApplyDelayMs?.(id) ?? 0, this.#supervision.restartDelayMs(id)),
      onSettled: (_, dirtyMs) => this.journal.effectMs.add(dirtyMs),
      onFailure: (id, err, retry) => this.#onFailure(id, err, retry),
    });
  }

  start(): void {
    this.#supervision.start();
  }

  /** Lets running reconciles end; leaves every network as it is. */
  async close(): Promise<void> {
    this.#supervision.close();
    await this.#queue.close();
  }

  /** DHCP servers that died under this process. */
  get crashes(): number {
    return this.#supervision.crashes;
  }

  get queueStats(): QueueStats {
    return this.#queue.stats;
  }

  /** Resolves when every network of the first sync had its turn. */
  async whenReady(): Promise<void> {
    await this.#firstSync.promise;
    await this.#queue.idle();
  }

  /** Networks that something on this host belongs to. */
  async readInventory(): Promise<readonly NetworkId[]> {
    return this.#helpers.findPresent();
  }

  async idle(): Promise<void> {
    await this.#queue.idle();
  }

  // ---- events: the names are those of the notifications

  networkCreateEnd(item: Upsert<"network">): void {
    this.#take(item);
  }

  networkUpdateEnd(item: Upsert<"network">): void {
    this.#take(item);
  }

  networkDeleteEnd(item: Delete): void {
    this.#take(item);
  }

  subnetCreateEnd(item: Upsert<"subnet">): void {
    this.#take(item);
  }

  subnetUpdateEnd(item: Upsert<"subnet">): void {
    this.#take(item);
  }

  subnetDeleteEnd(item: Delete): void {
    this.#take(item);
  }

  portCreateEnd(item: Upsert<"port">): void {
    this.#take(item);
  }

  portUpdateEnd(item: Upsert<"port">): void {
    this.#take(item);
  }

  portDeleteEnd(item: Delete): void {
    this.#take(item);
  }

  /** Looks at these networks again, without hurry, and at what else is on this host. */
  syncState(ids: Iterable<NetworkId> = this.#cache.networkIds()): void {
    for (const id of ids) this.#marks.mark(id, "resync");
    this.#supervision.wantInventory();
  }

  /** Others serve these now. */
  dropNetworks(ids: readonly NetworkId[]): void {
    for (const id of ids) {
      this.#cache.dropNetwork(id);
      this.#stopServing(id);
    }
  }

  /** Also what an earlier process left here and the copy does not know of. */
  fence(reason: string): void {
    this.#fenceReason = reason;
    for (const id of this.#cache.networkIds()) this.#stopNow(id);
    runInBackground(this.#parts.log, "looking for networks to fence failed", async () => {
      for (const id of await this.#helpers.findPresent()) this.#stopNow(id);
    });
  }

  unfence(): void {
    this.#fenceReason = undefined;
    this.syncState();
  }

  // ---- what the stream consumer calls

  applyItems(items: readonly StreamItem[]): void {
    for (const item of items) {
      if (item.op === "delete") this.#dispatchDelete(item);
      else if (item.kind === "network") this.networkUpdateEnd(item);
      else if (item.kind === "subnet") this.subnetUpdateEnd(item);
      else this.portUpdateEnd(item);
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

  /** Everything is looked at, changed or not: a snapshot is rare, and looking at what is in order costs little. */
  endSnapshot(): void {
    const gone = this.#cache.endSnapshot();
    this.#setFullView();
    this.#ready.forgetAll();
    this.#marks.release();
    this.syncState([...gone, ...this.#cache.networkIds()]);
  }

  onSynced(): void {
    // A delta to a copy that was empty is as good as a snapshot.
    if (!this.#hasFullView) {
      this.#setFullView();
      this.syncState();
    }
    this.#firstSync.resolve();
  }

  /**
   * Brings one network to its desired state, whatever was the trigger. Nothing is removed before the server has once said
   * everything: until then an unknown network may only be one that has not been told of yet.
   */
  async reconcile(id: NetworkId): Promise<void> {
    const fenced = this.#fenceReason;
    const mayStop = this.#hasFullView || this.#lost.has(id) || fenced !== undefined;
    if (!mayStop && this.#cache.view(id) === undefined) return;
    const verify = this.#supervision.verifyPlan.takeWanted(id);
    const startedAtMs = performance.now();
    try {
      const { done: outcome, traceId } = await this.#traces.follow(id, () =>
        fenced === undefined ? this.#helpers.reconcile(id, verify) : this.#helpers.suspend(id),
      );
      const isServed = this.#helpers.served.has(id);
      if (!isServed) this.#forget(id);
      const result = { isServed, fenced, refusal: this.#helpers.refusalOf(id), ms: performance.now() - startedAtMs };
      this.journal.addSuccess({ id, traceId, view: this.#cache.view(id), outcome, ...result });
    } catch (thrown) {
      // The next attempt trusts nothing that this one may have left half done.
      this.#supervision.verifyPlan.want(id);
      throw thrown;
    }
  }

  #dispatchDelete(item: Delete): void {
    if (item.kind === "network") this.networkDeleteEnd(item);
    else if (item.kind === "subnet") this.subnetDeleteEnd(item);
    else this.portDeleteEnd(item);
  }

  #take(item: StreamItem): void {
    const isUnknownPort = item.op === "delete" && item.kind === "port" && this.#cache.findPort(item.id) === undefined;
    const isNetworkDelete = item.op === "delete" && item.kind === "network";
    const isEcho = this.#isOfOwnPort(item);
    for (const id of this.#cache.applyItem(item)) {
      this.#traces.note(id, item.traceparent);
      if (item.op === "upsert") this.#lost.delete(id);
      if (!isEcho) this.#giveChance(id);
      this.#marks.mark(id, isEcho ? "resync" : "event");
    }
    // It may be on this host though this process has not heard of it, and must not wait for the rest of a snapshot.
    if (isNetworkDelete && this.#cache.findNetwork(item.id) === undefined) this.#stopServing(item.networkId);
    // It may have left a device behind that nothing else tells of.
    if (isUnknownPort && this.#helpers.served.has(item.networkId)) {
      this.#supervision.verifyPlan.want(item.networkId);
      this.#marks.mark(item.networkId, "resync");
    }
  }

  /**
   * Mostly what this agent has asked for itself: a network whose device fails claims a port and gives it back each time, and must
   * not take that for news that bring its next try forward.
   */
  #isOfOwnPort(item: StreamItem): boolean {
    if (item.kind !== "port") return false;
    const { host, deviceManager } = this.#parts;
    const port = item.op === "upsert" ? item.body : this.#cache.findPort(item.id);
    return port !== undefined && isOwnPort(port, deviceManager.getDeviceId(item.networkId), host);
  }

  /** The server's word is enough, whatever else is not known yet. */
  #stopServing(id: NetworkId): void {
    this.#lost.add(id);
    this.#stopNow(id);
  }

  /** Waits neither for the rest of a snapshot nor for a server that is being given time. */
  #stopNow(id: NetworkId): void {
    this.#giveChance(id);
    this.#queue.mark(id, "event");
  }

  /** Where a server died and waits to be started again, it need not wait for long. */
  #giveChance(id: NetworkId): void {
    this.#supervision.giveChance(id);
    this.#queue.reconsider(id);
  }

  #setFullView(): void {
    this.#hasFullView = true;
    this.#supervision.allowRemovals();
  }

  #onServed(served: ServedNetwork): void {
    const { reporter } = this.#parts;
    this.#supervision.addServed(served.view.network.id);
    const changes = this.#ready.take(served);
    if (changes.new.length > 0) reporter.addReadyPorts(changes.new, "new");
    if (changes.known.length > 0) reporter.addReadyPorts(changes.known, "known");
  }

  #onFailure(id: NetworkId, thrown: unknown, retry: { readonly attempt: number; readonly delayMs: number }): void {
    this.journal.addFailure({ id, traceId: this.#traces.traceIdOf(id), view: this.#cache.view(id), thrown, ...retry });
  }

  #onCrash(id: NetworkId, { isGivenUp, delayMs }: CrashVerdict): void {
    const kind = isGivenUp ? "dhcp-server-given-up" : "dhcp-server-died";
    this.#parts.reporter.addEvent({ kind, networkId: id, atMs: this.#parts.clock.nowMs() });
    const view = this.#cache.view(id);
    if (isGivenUp) this.journal.addGivenUp(id, view);
    else this.journal.addDeath(id, view, delayMs);
  }

  #forget(id: NetworkId): void {
    // Nothing of it is here any more that the server's word would be needed for.
    this.#lost.delete(id);
    this.#ready.forget(id);
    this.#supervision.forget(id);
  }
}
