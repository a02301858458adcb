// The server's side of the agent protocol, in memory: a truth, an outbox and a stream for one host. It speaks over any Bus.
import { randomUUID } from "node:crypto";
import { NetloomError } from "../../src/base/errors.ts";
import type { Bus, BusSubscription } from "../../src/messaging/bus.ts";
import { anyHost, eventSubject, serverQueue } from "../../src/messaging/subjects.ts";
import { dhcpDeviceId } from "../../src/model/device-names.ts";
import { type NetworkId, portId } from "../../src/model/ids.ts";
import {
  claimPortRequestSchema,
  heartbeatSchema,
  releasePortRequestSchema,
  statusReportSchema,
  syncRequestSchema,
  type AgentEvent,
  type Heartbeat,
  type LeaseReport,
  type StatusReport,
  type StreamItem,
  type SyncReply,
} from "../../src/types/agent-messages.ts";
import type { ServingReply } from "../../src/types/agent-serving.ts";
import { deleteItem, makeDhcpPort, portItem } from "./agent-items.ts";

export interface FakeServerOptions {
  readonly bus: Bus;
  readonly host: string;
  /** Items per page of a snapshot. */
  readonly pageSize?: number;
}

export class FakeServer {
  readonly truth = new Map<string, StreamItem>();
  readonly readyPorts = new Map<string, number>();
  readonly leases: LeaseReport[] = [];
  readonly events: AgentEvent[] = [];
  readonly reports: StatusReport[] = [];
  readonly heartbeats: Heartbeat[] = [];
  readonly claims: NetworkId[] = [];
  readonly releases: NetworkId[] = [];
  readonly syncs: { readonly since: number; readonly mode: SyncReply["mode"] }[] = [];
  epoch = "epoch-1";
  /** Thrown by the next calls, in order. */
  readonly claimFailures: NetloomError[] = [];
  readonly syncFailures: NetloomError[] = [];
  readonly statusFailures: NetloomError[] = [];
  /** Subnets that have no address left. */
  readonly fullSubnets = new Set<string>();
  /** How many of the next claims are answered without an address on the last of the subnets. */
  shortAnswers = 0;
  /** What an agent is told that asks whether it may go on; it is not answered while this is undefined. */
  serving: ServingReply | undefined = { silentMs: 0, others: 1, movesAfterMs: 40_000 };
  /** Called between the pages of a snapshot. */
  betweenPages: () => void | Promise<void> = () => {};
  readonly #options: FakeServerOptions;
  readonly #subscriptions: BusSubscription[] = [];
  #outbox: { readonly seq: number; readonly item: StreamItem }[] = [];
  #head = 0;
  /** The last two bytes of the addresses of the agent's port, by network. */
  readonly #dhcpPorts = new Map<NetworkId, number>();
  #nextDhcpPort = 0xd000;

  constructor(options: FakeServerOptions) {
    this.#options = options;
  }

  start(): void {
    const { bus } = this.#options;
    const serve = (method: string, work: (data: unknown) => Promise<unknown>): void =>
      void this.#subscriptions.push(bus.serve(anyHost.rpc("dhcp", method), serverQueue, ({ data }) => work(data)));
    serve("sync", (data) => this.#sync(data));
    serve("claimDhcpPort", async (data) => this.#claim(data));
    serve("renewServing", async () => {
      if (this.serving === undefined) throw new NetloomError("UNAVAILABLE", "told to be silent");
      return this.serving;
    });
    serve("releaseDhcpPort", async (data) => this.#release(data));
    this.#subscriptions.push(
      bus.serve(anyHost.status("dhcp"), serverQueue, async ({ data }) => this.#status(data)),
      bus.subscribe(anyHost.heartbeat, ({ data }) => void this.heartbeats.push(heartbeatSchema.parse(data))),
    );
  }

  stop(): void {
    for (const subscription of this.#subscriptions.splice(0)) subscription.close();
  }

  get head(): number {
    return this.#head;
  }

  /** One transaction: into the truth and the outbox, and as one message on the wire unless `isLost`. */
  commit(items: readonly StreamItem[], { isLost = false }: { readonly isLost?: boolean } = {}): void {
    const prev = this.#head;
    for (const item of items) {
      this.#head += 1;
      this.#outbox.push({ seq: this.#head, item });
      if (item.op === "delete") this.truth.delete(item.id);
      else this.truth.set(item.id, item);
    }
    if (!isLost) this.publish(prev, this.#head);
  }

  /** Puts the rows `from < seq ≤ to` on the wire (again), unless some of them are forgotten: a message has all of its rows. */
  publish(from: number, to: number): void {
    const items = this.#outbox.filter(({ seq }) => seq > from && seq <= to).map(({ item }) => item);
    if (items.length < to - from) return;
    const { bus, host } = this.#options;
    if (bus.isConnected) bus.publish(eventSubject("dhcp", host), { epoch: this.epoch, seq: to, prev: from, items });
  }

  /** Forgets its outbox: who is behind gets a snapshot. */
  trimOutbox(): void {
    this.#outbox = [];
  }

  /** As after a restore of the database: `items` are the truth, numbers start anew. */
  restore(epoch: string, items: readonly StreamItem[]): void {
    this.epoch = epoch;
    this.#head = 0;
    this.#outbox = [];
    this.truth.clear();
    for (const item of items) this.truth.set(item.id, item);
  }

  async #sync(data: unknown): Promise<SyncReply> {
    const failure = this.syncFailures.shift();
    if (failure !== undefined) throw failure;
    const request = syncRequestSchema.parse(data);
    if (request.cursor !== undefined) return this.#page(request.cursor);
    const rows = this.#outbox.filter(({ seq }) => seq > request.since);
    const isDelta = request.epoch === this.epoch && rows.length === this.#head - request.since;
    this.syncs.push({ since: request.since, mode: isDelta ? "delta" : "snapshot" });
    if (isDelta) return { mode: "delta", epoch: this.epoch, seq: this.#head, items: rows.map(({ item }) => item) };
    return this.#page("");
  }

  /** A page begins behind the id in `cursor`; what changes between two pages is seen as it is then. */
  async #page(cursor: string): Promise<SyncReply> {
    if (cursor !== "") await this.betweenPages();
    const { pageSize = Number.POSITIVE_INFINITY } = this.#options;
    const rest = [...this.truth.values()].filter(({ id }) => id > cursor).sort((left, right) => (left.id < right.id ? -1 : 1));
    const items = rest.slice(0, pageSize);
    const last = items.at(-1);
    const next = rest.length > items.length && last !== undefined ? { next: last.id } : {};
    return { mode: "snapshot", epoch: this.epoch, seq: this.#head, items, ...next };
  }

  #claim(data: unknown): unknown {
    const { networkId, subnetIds } = claimPortRequestSchema.parse(data);
    this.claims.push(networkId);
    const failure = this.claimFailures.shift();
    if (failure !== undefined) throw failure;
    if (!this.truth.has(networkId) || subnetIds.some((id) => !this.truth.has(id))) return { port: null };
    const { host } = this.#options;
    const deviceId = dhcpDeviceId(host, networkId);
    const present = [...this.truth.values()].find(
      (item) =>
        item.op === "upsert" && item.kind === "port" && item.body.deviceId === deviceId && item.body.bindingHost === host,
    );
    const n = this.#dhcpPorts.get(networkId) ?? this.#nextDhcpPort++;
    this.#dhcpPorts.set(networkId, n);
    const isShort = this.shortAnswers > 0;
    if (isShort) this.shortAnswers -= 1;
    const fullSubnetIds = subnetIds.filter((one) => this.fullSubnets.has(one));
    const free = subnetIds.filter((one) => !this.fullSubnets.has(one));
    const fixedIps = free.slice(0, isShort ? -1 : undefined).map((subnetId) => ({
      subnetId,
      ipAddress: `10.${Number.parseInt(subnetId.slice(-12), 16)}.${n >> 8}.${n & 255}`,
    }));
    // Device names are cut from the id, so that it has to be random where devices are real.
    const id = portId(present?.id ?? randomUUID());
    const item = portItem(
      makeDhcpPort(n, networkId, 0, deviceId, { id, fixedIps, bindingHost: host, revision: (present?.revision ?? 0) + 1 }),
    );
    this.commit([item]);
    return { port: item.op === "upsert" ? item.body : null, fullSubnetIds };
  }

  #release(data: unknown): unknown {
    const { networkId } = releasePortRequestSchema.parse(data);
    this.releases.push(networkId);
    const deviceId = dhcpDeviceId(this.#options.host, networkId);
    const own = [...this.truth.values()].filter(
      (item) => item.op === "upsert" && item.kind === "port" && item.body.deviceId === deviceId,
    );
    if (own.length > 0) this.commit(own.map(deleteItem));
    return {};
  }

  #status(data: unknown): unknown {
    const failure = this.statusFailures.shift();
    if (failure !== undefined) throw failure;
    const report = statusReportSchema.parse(data);
    this.reports.push(report);
    for (const port of report.readyPorts) this.readyPorts.set(port.id, port.revision);
    this.leases.push(...report.leases);
    this.events.push(...(report.events ?? []));
    return {};
  }
}
