// Committed changes to users outside: `nl.notify.<resource>.<action>.end`, in order, each at least once. With JetStream a message
// is stored before its note is forgotten; without it is sent to whoever listens just then.
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { PeriodicJob } from "../../base/periodic-job.ts";
import type { Bus } from "../../messaging/bus.ts";
import type { NotificationStream } from "../../messaging/notification-stream.ts";
import { isTooLarge } from "../../messaging/payload.ts";
import { objectNotifySubject } from "../../messaging/subjects.ts";
import type { Store } from "../store/database.ts";
import { releaseJobLease, takeJobLease } from "../store/job-leases.ts";
import { type Notification, pruneNotifications, readNotifications, removeNotifications } from "../store/notifications.ts";

/** Object id → the object as the API shows it to an administrator. Ids that are gone are missing. */
export type Presenter = (resource: string, ids: readonly string[]) => Promise<ReadonlyMap<string, unknown>>;

export interface NotificationPublisherDeps {
  readonly store: Store;
  readonly bus: Pick<Bus, "isConnected" | "publish" | "flush" | "onReconnect">;
  /** Absent: there is nothing that keeps messages. */
  readonly stream?: NotificationStream;
  /** Ids of messages begin with it, so that a restored database's are not taken for those that were. */
  readonly epoch: string;
  readonly present: Presenter;
  readonly clock: Clock;
  readonly log: Logger;
  /** Commits of other servers are seen this late. */
  readonly pollMs?: number;
}

const rowsAtOnce = 200;
const leaseMs = 10_000;
const retryMs = 1000;
const gatherMs = 50;
const keptMs = 24 * 3_600_000;

export class NotificationPublisher {
  readonly #deps: NotificationPublisherDeps;
  readonly #lease = { name: "notifications", holder: randomUUID() };
  readonly #stopping = new AbortController();
  readonly #poll: PeriodicJob;
  readonly #pruner: PeriodicJob;
  #stopListening: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #isWoken = false;
  /** `undefined`: not tried on this connection yet. */
  #hasStream: boolean | undefined;
  #published = 0;
  /** When the lease was prolonged last; wall clock. */
  #leasedAtMs = Number.NaN;

  constructor(deps: NotificationPublisherDeps) {
    this.#deps = deps;
    this.#poll = new PeriodicJob(deps.pollMs ?? 1000, async () => this.wake());
    this.#pruner = new PeriodicJob(60_000, () => this.#prune());
  }

  start(): void {
    const { store, bus } = this.#deps;
    this.#stopListening = store.onCommitted(() => this.wake());
    bus.onReconnect(() => {
      this.#hasStream = undefined;
      this.wake();
    });
    this.#poll.start();
    this.#pruner.start();
    this.wake();
  }

  /** Messages since the start. */
  get published(): number {
    return this.#published;
  }

  wake(): void {
    if (this.#stopping.signal.aborted) return;
    this.#isWoken = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** What is noted by now is sent, if somebody takes it. */
  async close(): Promise<void> {
    this.#stopListening?.();
    await this.#poll.close();
    await this.#pruner.close();
    this.#stopping.abort();
    await this.#running;
    this.#leasedAtMs = Number.NaN;
    await releaseJobLease(this.#deps.store.db, this.#lease).catch(() => {});
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    while (this.#isWoken) {
      this.#isWoken = false;
      try {
        while (await this.#sendSome()) if (this.#stopping.signal.aborted) return;
      } catch (err) {
        if (this.#stopping.signal.aborted) return;
        this.#deps.log.warn({ err }, "notifications not sent, tried again");
        this.#isWoken = true;
        await delay(retryMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
      }
      // Commits come one by one under load: a batch for all of them costs less than one for each.
      await delay(gatherMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
    }
  }

  /** @returns whether there may be more */
  async #sendSome(): Promise<boolean> {
    const { store, bus } = this.#deps;
    if (!bus.isConnected) return false;
    const notes = await readNotifications(store.db, rowsAtOnce);
    if (notes.length === 0) return false;
    // Only one of several servers, so that the order holds.
    if (!(await this.#isOurs())) return false;
    await this.#send(notes);
    const ids = notes.map((note) => note.id);
    await removeNotifications(store.db, ids);
    this.#published += notes.length;
    return notes.length === rowsAtOnce;
  }

  /** Whether this server has the lease, and has it long enough to send what it has read. */
  async #isOurs(): Promise<boolean> {
    const { store, clock } = this.#deps;
    const nowMs = clock.nowMs();
    // A clock that was set back says nothing of how long it is ours.
    const isFresh = nowMs >= this.#leasedAtMs && nowMs < this.#leasedAtMs + leaseMs / 3;
    // To open a stream may take a while.
    if (isFresh && this.#hasStream !== undefined) return true;
    const isTaken = await takeJobLease(store.db, this.#lease, { nowMs, forMs: leaseMs });
    this.#leasedAtMs = isTaken ? nowMs : Number.NaN;
    return isTaken;
  }

  async #send(notes: readonly Notification[]): Promise<void> {
    const { bus, stream, epoch } = this.#deps;
    const isKept = stream !== undefined && (await this.#openStream(stream));
    const bodies = await this.#bodiesOf(notes);
    const messages = notes.map((note, index) => ({
      note,
      subject: objectNotifySubject(note.resource, note.action, "end"),
      body: bodies[index],
      id: `${epoch}-${note.id}`,
    }));
    // All are on their way, in order, before the first is acknowledged.
    if (isKept) {
      await Promise.all(messages.map((one) => stream.store(one.subject, one.body, one.id, () => this.#without(one.note))));
      return;
    }
    for (const { note, subject, body } of messages) {
      try {
        bus.publish(subject, body);
      } catch (thrown) {
        if (!isTooLarge(thrown)) throw thrown;
        bus.publish(subject, this.#without(note));
      }
    }
    await bus.flush();
  }

  /** Tried again for ever, an object that no message has room for would hold up all that come after it. */
  #without(note: Notification): unknown {
    const { resource, objectId: id } = note;
    this.#deps.log.warn({ reason: `${resource} ${id} is too large for a message` }, "notification sent without its object");
    return bodyOf(note, undefined);
  }

  async #openStream(stream: NotificationStream): Promise<boolean> {
    if (this.#hasStream !== undefined) return this.#hasStream;
    const why = await stream.open();
    this.#hasStream = why === undefined;
    if (why !== undefined) {
      this.#deps.log.warn(
        { reason: why },
        "NATS keeps no notifications (JetStream): they reach only those who listen at the time",
      );
    }
    return this.#hasStream;
  }

  /** With each object as it is now: of several changes of one object all show the newest state. */
  async #bodiesOf(notes: readonly Notification[]): Promise<readonly unknown[]> {
    const objects = new Map<string, ReadonlyMap<string, unknown>>();
    const alive = notes.filter((note) => note.action !== "delete");
    for (const [resource, those] of Map.groupBy(alive, (note) => note.resource)) {
      const ids = [...new Set(those.map((note) => note.objectId))];
      objects.set(resource, await this.#deps.present(resource, ids));
    }
    return notes.map((note) => bodyOf(note, objects.get(note.resource)?.get(note.objectId)));
  }

  async #prune(): Promise<void> {
    const { store, clock, log } = this.#deps;
    try {
      const dropped = await pruneNotifications(store.db, new Date(clock.nowMs() - keptMs));
      if (dropped > 0) log.warn({ dropped }, "notifications that nobody took for a day are forgotten");
    } catch (err) {
      log.warn({ err }, "old notifications not removed");
    }
  }
}

function bodyOf(note: Notification, object: unknown): unknown {
  return {
    event: `${note.resource}.${note.action}.end`,
    id: note.objectId,
    project_id: note.projectId ?? null,
    revision_number: note.revision ?? null,
    at: note.createdAt ?? null,
    request_id: note.requestId ?? null,
    traceparent: note.traceparent ?? null,
    ...(note.action === "delete" ? {} : { [note.resource]: object ?? null }),
  };
}
