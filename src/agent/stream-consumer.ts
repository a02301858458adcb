// Follows this host's stream and notices what it missed. Messages may be lost, repeated or late; the sequence numbers say so,
// and a sync brings whatever is missing. Messages that arrive during a sync wait and are judged after it.
import { performance } from "node:perf_hooks";
import type { Clock } from "../base/clock.ts";
import { NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Bus, BusMessage, BusSubscription } from "../messaging/bus.ts";
import { controlSubject, eventSubject, type Role } from "../messaging/subjects.ts";
import type { NetworkId } from "../model/ids.ts";
import { Resync } from "../runtime/resync.ts";
import type { Timers } from "../runtime/timers.ts";
import {
  controlMessageSchema,
  streamMessageSchema,
  type AgentDescription,
  type StreamItem,
  type StreamMessage,
  type SyncReply,
  type SyncRequest,
} from "../types/agent-messages.ts";

/** Where the items go. Calls come in the order of the stream, never during each other. */
export interface StreamSink {
  applyItems(items: readonly StreamItem[]): void;
  /** Items up to `endSnapshot` are all that there is. */
  beginSnapshot(options: { readonly isNewEpoch: boolean }): void;
  endSnapshot(): void;
  abortSnapshot(): void;
  /** The copy was complete as of a moment ago. */
  onSynced(): void;
  /** Others serve these now: to be stopped at once, whether a sync is possible or not. */
  dropNetworks(ids: readonly NetworkId[]): void;
}

export interface StreamConsumerOptions {
  readonly bus: Bus;
  readonly role: Role;
  readonly host: string;
  readonly sink: StreamSink;
  readonly sync: (request: SyncRequest) => Promise<SyncReply>;
  readonly describe: () => AgentDescription;
  /** Networks that this host serves at the moment. The server says first which of them are not its any more. */
  readonly readInventory?: () => Promise<readonly NetworkId[]>;
  /** Least time between two syncs. */
  readonly throttleMs?: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  readonly random?: () => number;
}

export interface StreamPosition {
  readonly epoch: string;
  readonly seq: number;
}

// More than this many waiting messages are not worth keeping: the gap that dropping leaves is found and synced like any other.
const maxWaiting = 10_000;

export class StreamConsumer {
  readonly #options: StreamConsumerOptions;
  readonly #resync: Resync;
  readonly #subscriptions: BusSubscription[] = [];
  #seen: StreamPosition = { epoch: "", seq: 0 };
  #waiting: StreamMessage[] = [];
  #isSnapshotWanted = false;
  #events = 0;

  constructor(options: StreamConsumerOptions) {
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
    const checked = streamMessageSchema.safeParse(data);
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
    const { action, reason, lostNetworkIds = [] } = checked.data;
    if (lostNetworkIds.length > 0) {
      this.#options.log.warn(
        { networks: lostNetworkIds.length },
        "networks were given to other hosts while this one was silent",
      );
      this.#options.sink.dropNetworks(lostNetworkIds);
    }
    // Being switched on or off changes all that we host, not only what a delta names.
    if (action === "agent-updated") this.#isSnapshotWanted = true;
    this.#resync.request(`${action}: ${reason}`);
  }

  #accept(message: StreamMessage): void {
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
      log.debug({ reasons, mode, items, ...this.#seen, ms: Math.round(performance.now() - startedAtMs) }, "synced");
    } finally {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const message of waiting) this.#accept(message);
    }
  }

  async #readPages(): Promise<{ readonly mode: SyncReply["mode"]; readonly items: number }> {
    const { sink } = this.#options;
    const inventory = await this.#readInventory();
    const first = await this.#request({ inventory });
    const isSnapshot = first.mode === "snapshot";
    const isNewEpoch = first.epoch !== this.#seen.epoch && this.#seen.epoch !== "";
    if (isNewEpoch && !isSnapshot) throw new NetloomError("INVALID", "the server answered a new epoch with a delta");
    let page = first;
    let items = first.items.length;
    if (isSnapshot) sink.beginSnapshot({ isNewEpoch });
    try {
      sink.applyItems(first.items);
      while (page.next !== undefined) {
        page = await this.#request({ cursor: page.next });
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

  /** Without it the snapshot says the same, only later. */
  async #readInventory(): Promise<NetworkId[]> {
    try {
      return [...((await this.#options.readInventory?.()) ?? [])];
    } catch (err) {
      this.#options.log.warn({ err }, "inventory failed, will be repeated");
      return [];
    }
  }

  async #request(more: Pick<SyncRequest, "cursor" | "inventory">): Promise<SyncReply> {
    const { sync, describe } = this.#options;
    const { epoch, seq } = this.#isSnapshotWanted ? { epoch: "", seq: 0 } : this.#seen;
    return sync({ agent: describe(), epoch, since: seq, ...more });
  }
}
