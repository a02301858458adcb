// The server's end of a floating-IP agent, in memory: a truth, an outbox and a stream for one host.
import type { z } from "zod";
import type { NetloomError } from "../../src/base/errors.ts";
import type { Bus, BusSubscription } from "../../src/messaging/bus.ts";
import { anyHost, controlSubject, eventSubject, serverQueue } from "../../src/messaging/subjects.ts";
import { type ControlMessage, type Heartbeat, heartbeatSchema } from "../../src/types/agent-messages.ts";
import {
  type FloatingIpItem,
  floatingIpStatusReportSchema,
  type FloatingIpSyncReply,
  routerSyncRequestSchema,
} from "../../src/types/l3-messages.ts";

type Reported = z.output<typeof floatingIpStatusReportSchema>["floatingIps"][number];

export interface FakeFloatingIpServerOptions {
  readonly bus: Bus;
  readonly host: string;
  /** Items per page of a snapshot. */
  readonly pageSize?: number;
}

export class FakeFloatingIpServer {
  readonly truth = new Map<string, FloatingIpItem>();
  readonly reports: (readonly Reported[])[] = [];
  readonly heartbeats: Heartbeat[] = [];
  readonly syncs: FloatingIpSyncReply["mode"][] = [];
  /** Thrown by the next calls, in order. */
  readonly syncFailures: NetloomError[] = [];
  readonly statusFailures: NetloomError[] = [];
  /** Called between the pages of a snapshot. */
  betweenPages: () => void | Promise<void> = () => {};
  epoch = "epoch-1";
  readonly #options: FakeFloatingIpServerOptions;
  readonly #subscriptions: BusSubscription[] = [];
  #outbox: { readonly seq: number; readonly item: FloatingIpItem }[] = [];
  #head = 0;

  constructor(options: FakeFloatingIpServerOptions) {
    this.#options = options;
    this.start();
  }

  start(): void {
    const { bus } = this.#options;
    this.#subscriptions.push(
      bus.serve(anyHost.rpc("fip", "sync"), serverQueue, ({ data }) => this.#sync(data)),
      bus.serve(anyHost.status("fip"), serverQueue, async ({ data }) => this.#status(data)),
      bus.subscribe(anyHost.heartbeat, ({ data }) => void this.heartbeats.push(heartbeatSchema.parse(data))),
    );
  }

  stop(): void {
    for (const subscription of this.#subscriptions.splice(0)) subscription.close();
  }

  /** What was reported last of each floating IP: `<status> <revision>`, and the reason if there is one. */
  get statuses(): Readonly<Record<string, string>> {
    const last = new Map<string, string>();
    for (const { id, status, revision, reason } of this.reports.flat())
      last.set(`fip ${Number(id.slice(-12))}`, [status, revision, ...(reason === null ? [] : [reason])].join(" "));
    return Object.fromEntries(last);
  }

  /** One transaction: into the truth and the outbox, and as one message on the wire unless `isLost`. */
  commit(items: readonly FloatingIpItem[], { isLost = false }: { readonly isLost?: boolean } = {}): void {
    const prev = this.#head;
    for (const item of items) {
      this.#head += 1;
      this.#outbox.push({ seq: this.#head, item });
      if (item.op === "delete") this.truth.delete(`${item.kind} ${item.id}`);
      else this.truth.set(`${item.kind} ${item.id}`, item);
    }
    if (!isLost) this.publish(prev, this.#head);
  }

  /** Puts the rows `from < seq ≤ to` on the wire (again). */
  publish(from: number, to: number): void {
    const items = this.#outbox.filter(({ seq }) => seq > from && seq <= to).map(({ item }) => item);
    const { bus, host } = this.#options;
    if (bus.isConnected) bus.publish(eventSubject("fip", host), { epoch: this.epoch, seq: to, prev: from, items });
  }

  control(message: ControlMessage): void {
    this.#options.bus.publish(controlSubject("fip", this.#options.host), message);
  }

  /** As after a restore of the database: `items` are the truth, numbers start anew. */
  restore(epoch: string, items: readonly FloatingIpItem[]): void {
    this.epoch = epoch;
    this.#head = 0;
    this.#outbox = [];
    this.truth.clear();
    for (const item of items) this.truth.set(`${item.kind} ${item.id}`, item);
  }

  async #sync(data: unknown): Promise<FloatingIpSyncReply> {
    const failure = this.syncFailures.shift();
    if (failure !== undefined) throw failure;
    const request = routerSyncRequestSchema.parse(data);
    if (request.cursor !== undefined) return this.#page(request.cursor);
    const isDelta = request.epoch === this.epoch;
    this.syncs.push(isDelta ? "delta" : "snapshot");
    if (!isDelta) return this.#page("");
    const items = this.#outbox.filter(({ seq }) => seq > request.since).map(({ item }) => item);
    return { mode: "delta", epoch: this.epoch, seq: this.#head, items };
  }

  async #page(cursor: string): Promise<FloatingIpSyncReply> {
    if (cursor !== "") await this.betweenPages();
    const { pageSize = Number.POSITIVE_INFINITY } = this.#options;
    const rest = [...this.truth].filter(([key]) => key > cursor).toSorted(([one], [other]) => (one < other ? -1 : 1));
    const page = rest.slice(0, pageSize);
    const last = page.at(-1);
    const next = rest.length > page.length && last !== undefined ? { next: last[0] } : {};
    return { mode: "snapshot", epoch: this.epoch, seq: this.#head, items: page.map(([, item]) => item), ...next };
  }

  #status(data: unknown): unknown {
    const failure = this.statusFailures.shift();
    if (failure !== undefined) throw failure;
    this.reports.push(floatingIpStatusReportSchema.parse(data).floatingIps);
    return {};
  }
}
