// Follows the stream of one role on this host and notices what it missed. Messages may be lost, repeated or late; the sequence
// numbers say so, and a sync brings whatever is missing. Messages that arrive during a sync wait and are judged after it.
// What the items are is nobody's concern here.
import { performance } from "node:perf_hooks";
import type { Clock } from "../base/clock.ts";
import { NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Bus, BusMessage, BusSubscription } from "../messaging/bus.ts";
import { controlSubject, eventSubject, type Role } from "../messaging/subjects.ts";
import { controlMessageSchema, type ControlMessage } from "../types/agent-messages.ts";
import { Resync } from "./resync.ts";
import type { Timers } from "./timers.ts";

/** Where the items go. Calls come in the order of the stream, never during each other. */
export interface ItemSink<I> {
  applyItems(items: readonly I[]): void;
  /** Items up to `endSnapshot` are all that there is. */
  beginSnapshot(options: { readonly isNewEpoch: boolean }): void;
  endSnapshot(): void;
  abortSnapshot(): void;
  /** The copy was complete as of a moment ago. */
  onSynced(): void;
  /** Something was given to other hosts while this one was silent: to be stopped at once, whether a sync is possible or not. */
  onLost(message: ControlMessage): void;
}

/** The rows of a stream with `prev < seq' ≤ seq`. */
export interface ItemMessage<I> {
  readonly epoch: string;
  readonly seq: number;
  readonly prev: number;
  readonly items: readonly I[];
}

/** One page of an answer to `sync since`. */
export interface ItemPage<I> {
  readonly mode: "delta" | "snapshot";
  readonly epoch: string;
  readonly seq: number;
  readonly items: readonly I[];
  /** Present while more pages follow. */
  readonly next?: string | undefined;
}

export interface PageRequest {
  readonly epoch: string;
  readonly since: number;
  /** Of the previous page; absent for the first. */
  readonly cursor?: string;
}

export interface ItemStreamOptions<I> {
  readonly bus: Bus;
  readonly role: Role;
  readonly host: string;
  readonly sink: ItemSink<I>;
  /** Checks one message of the stream; what it refuses is asked for again. */
  readonly schema: {
    safeParse(
      data: unknown,
    ): { success: true; data: ItemMessage<I> } | { success: false; error: { issues: readonly unknown[] } };
  };
  readonly sync: (request: PageRequest) => Promise<ItemPage<I>>;
  /** After the sink was told of it. */
  readonly onSynced?: (() => void) | undefined;
  /** Least time between two syncs. */
  readonly throttleMs?: number | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  readonly random?: (() => number) | undefined;
}

export interface StreamPosition {
  readonly epoch: string;
  readonly seq: number;
}

// More than this many waiting messages are not worth keeping: the gap that dropping leaves is found and synced like any other.
const maxWaiting = 10_000;

export class ItemStream<I> {
  readonly #options: ItemStreamOptions<I>;
  readonly #resync: Resync;
  readonly #subscriptions: BusSubscription[] = [];
  #seen: StreamPosition = { epoch: "", seq: 0 };
  #waiting: ItemMessage<I>[] = [];
  #isSnapshotWanted = false;
  #events = 0;

  constructor(options: ItemStreamOptions<I>) {
    const { clock, timers, log, random, throttleMs } = options;
    this.#options = options;
    this.#resync = new Resync({
      clock,
      timers,
      ...(throttleMs === undefined ? {} : { throttleMs }),
      ...(random === undefined ? {} : { random }),
      run: (reasons) => this.#sync(reasons),
      onFailure: (thrown, { attempt, delayMs }) => {
        // No server there, or a busy one, is no fault of ours: where it was noticed says nothing.
        const err = thrown instanceof NetloomError && thrown.retryable ? thrown.message : thrown;
        log.warn({ err, attempt, ms: delayMs }, "sync failed, will be repeated");
      },
    });
  }

  /** The last position whose effects are all in the sink. */
  get seen(): StreamPosition {
    return this.#seen;
  }

  /** Changes that came as events. */
  get events(): number {
    return this.#events;
  }

  /** Subscribes first and syncs then, so that nothing falls between. */
  start(): void {
    const { bus, role, host } = this.#options;
    this.#subscriptions.push(
      bus.subscribe(eventSubject(role, host), (message) => this.#onMessage(message)),
      bus.subscribe(controlSubject(role, host), (message) => this.#onControl(message)),
    );
    bus.onReconnect(() => this.#resync.requestNow("reconnected"));
    this.#resync.requestNow("started");
  }

  requestSync(reason: string): void {
    this.#resync.request(reason);
  }

  close(): void {
    this.#resync.close();
    for (const subscription of this.#subscriptions) subscription.close();
  }

  #onMessage({ data }: BusMessage): void {
    const checked = this.#options.schema.safeParse(data);
    if (!checked.success) {
      this.#options.log.warn({ err: checked.error.issues[0] }, "event not understood");
      this.#resync.request("event not understood");
      return;
    }
    if (!this.#resync.isRunning) {
      this.#accept(checked.data);
      return;
    }
    this.#waiting.push(checked.data);
    if (this.#waiting.length > maxWaiting) this.#waiting = this.#waiting.slice(maxWaiting / 2);
  }

  #onControl({ data }: BusMessage): void {
    const checked = controlMessageSchema.safeParse(data);
    if (!checked.success) return;
    const { action, reason } = checked.data;
    this.#options.sink.onLost(checked.data);
    // Being switched on or off changes all that we host, not only what a delta names.
    if (action === "agent-updated") this.#isSnapshotWanted = true;
    this.#resync.request(`${action}: ${reason}`);
  }

  #accept(message: ItemMessage<I>): void {
    const { epoch, seq } = this.#seen;
    if (message.epoch !== epoch) {
      this.#resync.request("another epoch");
      return;
    }
    if (message.seq <= seq) return;
    if (message.prev > seq) {
      this.#resync.request("events are missing");
      return;
    }
    // A message that begins before our position repeats some items in their old order; that ends in the same state.
    this.#options.sink.applyItems(message.items);
    this.#events += message.items.length;
    this.#seen = { epoch, seq: message.seq };
  }

  async #sync(reasons: readonly string[]): Promise<void> {
    const { sink, log } = this.#options;
    const startedAtMs = performance.now();
    try {
      const { mode, items } = await this.#readPages();
      sink.onSynced();
      this.#options.onSynced?.();
      log.debug({ reasons, mode, items, ...this.#seen, ms: Math.round(performance.now() - startedAtMs) }, "synced");
    } finally {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const message of waiting) this.#accept(message);
    }
  }

  async #readPages(): Promise<{ readonly mode: ItemPage<I>["mode"]; readonly items: number }> {
    const { sink } = this.#options;
    const first = await this.#request();
    const isSnapshot = first.mode === "snapshot";
    const isNewEpoch = first.epoch !== this.#seen.epoch && this.#seen.epoch !== "";
    if (isNewEpoch && !isSnapshot) throw new NetloomError("INVALID", "the server answered a new epoch with a delta");
    let page = first;
    let items = first.items.length;
    if (isSnapshot) sink.beginSnapshot({ isNewEpoch });
    try {
      sink.applyItems(first.items);
      while (page.next !== undefined) {
        page = await this.#request(page.next);
        if (page.epoch !== first.epoch || page.mode !== first.mode)
          throw new NetloomError("UNAVAILABLE", "the stream changed between two pages");
        sink.applyItems(page.items);
        items += page.items.length;
      }
    } catch (thrown) {
      if (isSnapshot) sink.abortSnapshot();
      throw thrown;
    }
    this.#seen = { epoch: first.epoch, seq: isSnapshot ? first.seq : page.seq };
    if (isSnapshot) {
      this.#isSnapshotWanted = false;
      sink.endSnapshot();
    }
    return { mode: first.mode, items };
  }

  async #request(cursor?: string): Promise<ItemPage<I>> {
    const { epoch, seq } = this.#isSnapshotWanted ? { epoch: "", seq: 0 } : this.#seen;
    return this.#options.sync({ epoch, since: seq, ...(cursor === undefined ? {} : { cursor }) });
  }
}
