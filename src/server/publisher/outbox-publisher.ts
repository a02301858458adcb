// The tail of the outbox: what was committed goes to NATS, in order, nothing left out, some of it perhaps twice. Where
// nobody listens nothing is lost either: an agent asks `sync since` when it sees a gap, and the heartbeats tell who is behind.
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../../base/clock.ts";
import { NetloomError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { Bus } from "../../messaging/bus.ts";
import { eventSubject, type Role } from "../../messaging/subjects.ts";
import type { Store } from "../store/database.ts";
import { translated } from "../store/engine-errors.ts";
import { type OutboxRow, readOutbox, readPositionsBefore, readStreams, type StreamKey } from "../store/outbox.ts";
import { batches } from "./batches.ts";
import { StreamPosition } from "./stream-position.ts";

export interface PublisherDeps {
  readonly store: Store;
  readonly bus: Bus;
  readonly epoch: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Commits of other servers are seen this late. */
  readonly pollMs?: number;
}

/** What a server that died may have committed without publishing is not older than this when its successor starts. */
const lookBackMs = 30_000;
const rowsAtOnce = 500;
const flushRetryMs = 50;

const keyOf = ({ role, host }: StreamKey): string => `${role}\0${host}`;

export class OutboxPublisher {
  readonly #deps: PublisherDeps;
  readonly #positions = new Map<string, StreamPosition>();
  readonly #heads = new Map<string, number>();
  readonly #stopping = new AbortController();
  #poll: NodeJS.Timeout | undefined;
  #stopListening: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #isWoken = false;
  #isScheduled = false;
  #publishedRows = 0;
  #canRead = true;
  #confirming: Promise<void> | undefined;

  constructor(deps: PublisherDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { store, bus, clock } = this.#deps;
    for (const { role, host, head } of await readStreams(store.db)) {
      this.#positions.set(keyOf({ role, host }), new StreamPosition(head));
    }
    for (const { role, host, seq } of await readPositionsBefore(store.db, new Date(clock.nowMs() - lookBackMs))) {
      this.#positions.set(keyOf({ role, host }), new StreamPosition(seq));
    }
    this.#stopListening = store.onCommitted(() => this.wake());
    bus.onDisconnect(() => this.#goBack());
    bus.onReconnect(() => {
      this.#goBack();
      this.wake();
    });
    this.#poll = setInterval(() => this.wake(), this.#deps.pollMs ?? 500);
    this.wake();
  }

  /** The newest row of a stream as of the last look, at most one poll ago. */
  headOf(stream: StreamKey): number | undefined {
    return this.#heads.get(keyOf(stream));
  }

  /** Rows handed to NATS since the start, repeats included. */
  get publishedRows(): number {
    return this.#publishedRows;
  }

  get waitingRows(): number {
    return [...this.#positions].reduce((sum, [key, { sent }]) => sum + Math.max(0, (this.#heads.get(key) ?? sent) - sent), 0);
  }

  /** Whether the last look at the database succeeded. */
  get canRead(): boolean {
    return this.#canRead;
  }

  /** Looks at the outbox soon; calls of one turn of the event loop are one look. */
  wake(): void {
    this.#isWoken = true;
    if (this.#isScheduled || this.#running !== undefined || this.#stopping.signal.aborted) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#running = this.#run().finally(() => {
        this.#running = undefined;
        if (this.#isWoken) this.wake();
      });
    });
  }

  async close(): Promise<void> {
    this.#stopListening?.();
    clearInterval(this.#poll);
    await this.#running;
    if (this.#deps.bus.isConnected) await this.#publishAll().catch(() => {});
    this.#stopping.abort();
    await this.#running;
    await this.#confirming;
  }

  async #run(): Promise<void> {
    while (this.#isWoken && !this.#stopping.signal.aborted) {
      this.#isWoken = false;
      try {
        await this.#publishAll();
      } catch (err) {
        // The next poll or reconnect comes back to it; positions stand where they were.
        if (!(err instanceof NetloomError && err.retryable)) this.#deps.log.error({ err }, "outbox not published");
      }
    }
  }

  async #publishAll(): Promise<void> {
    const streams = await this.#readStreams();
    for (const { head, ...stream } of streams) {
      const key = keyOf(stream);
      this.#heads.set(key, head);
      const position = this.#positions.get(key) ?? new StreamPosition(0);
      this.#positions.set(key, position);
      while (position.sent < head && this.#deps.bus.isConnected) {
        if (await this.#publishSome(stream, position)) continue;
        // Everything up to the head was pruned: nothing is left to publish, the next message shows the gap.
        position.markSent(head);
      }
    }
    this.#confirm();
  }

  async #readStreams(): ReturnType<typeof readStreams> {
    try {
      const streams = await translated(readStreams(this.#deps.store.db));
      this.#canRead = true;
      return streams;
    } catch (thrown) {
      this.#canRead = false;
      throw thrown;
    }
  }

  async #publishSome(stream: StreamKey, position: StreamPosition): Promise<boolean> {
    const after = position.sent;
    const rows = await readOutbox(this.#deps.store.db, stream, { after, limit: rowsAtOnce });
    // The connection went and came while we read: what `after` was taken from is no longer so.
    if (position.sent !== after) return true;
    for (const batch of batches(rows)) this.#publish(stream, position, batch);
    return rows.length > 0;
  }

  #publish({ role, host }: StreamKey, position: StreamPosition, rows: readonly [OutboxRow, ...OutboxRow[]]): void {
    const seq = rows.at(-1)?.seq ?? rows[0].seq;
    // `prev` is the row before the first one here, not what we sent last: rows that were pruned show as the gap that they are.
    const message = {
      epoch: this.#deps.epoch,
      seq,
      prev: rows[0].seq - 1,
      items: rows.map(({ item }) => JSON.parse(item) as unknown),
    };
    try {
      // The cast: rows are only ever written for roles that subjects know.
      this.#deps.bus.publish(eventSubject(role as Role, host), message);
    } catch (err) {
      if (!(err instanceof NetloomError && err.code === "INVALID")) throw err;
      // No message can carry it; the agent sees the gap and asks.
      this.#deps.log.error({ err, host }, "event too big to publish");
    }
    this.#publishedRows += rows.length;
    position.markSent(seq);
  }

  /** Asks the broker in the background whether it has all that was sent so far. */
  #confirm(): void {
    this.#confirming ??= this.#confirmLoop().finally(() => {
      this.#confirming = undefined;
    });
  }

  async #confirmLoop(): Promise<void> {
    const { bus } = this.#deps;
    while (bus.isConnected) {
      const marks = [...this.#positions.values()].map((position) => ({ position, seq: position.sent }));
      try {
        await bus.flush();
      } catch {
        // Disconnected: `#goBack` has undone what was not confirmed, or is about to.
        await delay(flushRetryMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
        return;
      }
      for (const { position, seq } of marks) position.markConfirmed(seq);
      if (marks.every(({ position, seq }) => position.sent === seq)) return;
    }
  }

  #goBack(): void {
    for (const position of this.#positions.values()) position.goBackToConfirmed();
  }
}
