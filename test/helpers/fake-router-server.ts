// The server's end of an L3 agent, in memory: a truth, an outbox and a stream for one host.
import type { z } from "zod";
import { NetloomError } from "../../src/base/errors.ts";
import type { Bus, BusSubscription } from "../../src/messaging/bus.ts";
import { anyHost, controlSubject, eventSubject, serverQueue } from "../../src/messaging/subjects.ts";
import type { RouterId } from "../../src/model/ids.ts";
import type { Router } from "../../src/model/router.ts";
import { type ControlMessage, type Heartbeat, heartbeatSchema } from "../../src/types/agent-messages.ts";
import type { ServingReply } from "../../src/types/agent-serving.ts";
import {
  type RouterItem,
  routerStatusReportSchema,
  type RouterSyncReply,
  type RouterSyncRequest,
  routerSyncRequestSchema,
} from "../../src/types/l3-messages.ts";

type Reported = z.output<typeof routerStatusReportSchema>["routers"][number];

// The cast: the arrays in the type of a message are not readonly.
export const routerItem = (router: Router): RouterItem =>
  ({
    op: "upsert",
    kind: "router",
    id: router.id,
    routerId: router.id,
    revision: router.revision,
    body: router,
  }) as unknown as RouterItem;
export const goneRouter = ({ id, revision }: Pick<Router, "id" | "revision">): RouterItem => ({
  ...{ op: "delete", kind: "router", id, routerId: id, revision: revision + 1 },
});

export class FakeRouterServer {
  readonly truth = new Map<RouterId, Router>();
  readonly reports: (readonly Reported[])[] = [];
  readonly heartbeats: Heartbeat[] = [];
  readonly syncs: RouterSyncRequest[] = [];
  /** Thrown by the next calls, in order. */
  readonly syncFailures: NetloomError[] = [];
  readonly statusFailures: NetloomError[] = [];
  /** Called between the pages of a snapshot. */
  betweenPages: () => void | Promise<void> = () => {};
  /** Undefined: it does not answer whether it hears the agent. */
  serving: ServingReply | undefined = { silentMs: 0, others: 1, movesAfterMs: 40_000 };
  epoch = "epoch-1";
  readonly #bus: Bus;
  readonly #host: string;
  readonly #pageSize: number;
  readonly #subscriptions: BusSubscription[];
  #outbox: { readonly seq: number; readonly item: RouterItem }[] = [];
  #head = 0;

  constructor(options: { readonly bus: Bus; readonly host: string; readonly pageSize?: number }) {
    const { bus, host, pageSize = Number.POSITIVE_INFINITY } = options;
    this.#bus = bus;
    this.#host = host;
    this.#pageSize = pageSize;
    this.#subscriptions = [
      bus.serve(anyHost.rpc("l3", "sync"), serverQueue, ({ data }) => this.#sync(data)),
      bus.serve(anyHost.rpc("l3", "renewServing"), serverQueue, async () => {
        if (this.serving === undefined) throw new NetloomError("UNAVAILABLE", "told to be silent");
        return this.serving;
      }),
      bus.serve(anyHost.status("l3"), serverQueue, async ({ data }) => this.#status(data)),
      bus.subscribe(anyHost.heartbeat, ({ data }) => void this.heartbeats.push(heartbeatSchema.parse(data))),
    ];
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription.close();
  }

  /** What was reported last of a router: `<status> <revision>`, and the reason if there is one. */
  statusOf({ id }: Pick<Router, "id">): string | undefined {
    const last = this.reports.flat().findLast((report) => report.id === id);
    return last && [last.status, last.revision, ...(last.reason === null ? [] : [last.reason])].join(" ");
  }

  /** One transaction: into the truth and the outbox, and as one message on the wire unless `isLost`. */
  commit(items: readonly RouterItem[], { isLost = false }: { readonly isLost?: boolean } = {}): void {
    const prev = this.#head;
    for (const item of items) {
      this.#head += 1;
      this.#outbox.push({ seq: this.#head, item });
      if (item.op === "delete") this.truth.delete(item.routerId);
      else this.truth.set(item.routerId, item.body);
    }
    if (!isLost) this.publish(prev, this.#head);
  }

  /** Puts the rows `from < seq ≤ to` on the wire (again). */
  publish(from: number, to: number): void {
    const items = this.#outbox.filter(({ seq }) => seq > from && seq <= to).map(({ item }) => item);
    if (this.#bus.isConnected)
      this.#bus.publish(eventSubject("l3", this.#host), { epoch: this.epoch, seq: to, prev: from, items });
  }

  control(message: ControlMessage): void {
    this.#bus.publish(controlSubject("l3", this.#host), message);
  }

  /** As after a restore of the database: numbers start anew. */
  restore(epoch: string, routers: readonly Router[]): void {
    this.epoch = epoch;
    this.#head = 0;
    this.#outbox = [];
    this.truth.clear();
    for (const router of routers) this.truth.set(router.id, router);
  }

  async #sync(data: unknown): Promise<RouterSyncReply> {
    const failure = this.syncFailures.shift();
    if (failure !== undefined) throw failure;
    const request = routerSyncRequestSchema.parse(data);
    this.syncs.push(request);
    if (request.cursor !== undefined) return this.#page(request.cursor);
    const lost = (request.inventory ?? []).filter((id) => !this.truth.has(id)).map((id) => goneRouter({ id, revision: 0 }));
    if (request.epoch !== this.epoch) return this.#page("", lost);
    const items = this.#outbox.filter(({ seq }) => seq > request.since).map(({ item }) => item);
    return { mode: "delta", epoch: this.epoch, seq: this.#head, items: [...lost, ...items] };
  }

  async #page(cursor: string, lost: readonly RouterItem[] = []): Promise<RouterSyncReply> {
    if (cursor !== "") await this.betweenPages();
    const rest = [...this.truth.values()]
      .filter(({ id }) => id > cursor)
      .toSorted((one, other) => (one.id < other.id ? -1 : 1));
    const page = rest.slice(0, this.#pageSize);
    const last = page.at(-1);
    const next = rest.length > page.length && last !== undefined ? { next: last.id } : {};
    const items = [...lost, ...page.map(routerItem)];
    return { mode: "snapshot", epoch: this.epoch, seq: this.#head, items, ...next };
  }

  #status(data: unknown): unknown {
    const failure = this.statusFailures.shift();
    if (failure !== undefined) throw failure;
    this.reports.push(routerStatusReportSchema.parse(data).routers);
    return {};
  }
}
