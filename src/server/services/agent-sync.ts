// `sync since`: the one call by which an agent's copy becomes right again, whatever was lost. The first of a process also
// registers the agent and gives it networks that nobody serves.
import { NetloomError } from "../../base/errors.ts";
import { type StreamItem, streamItemSchema, type SyncReply, type SyncRequest } from "../../types/agent-messages.ts";
import type { DhcpScheduler } from "../scheduler/dhcp-scheduler.ts";
import { type AgentRow, findAgent, isBoundTo, readBoundNetworkIds } from "../store/agent-rows.ts";
import type { Store } from "../store/database.ts";
import { readNetworkItems } from "../store/network-items.ts";
import { readHead, readOutbox } from "../store/outbox.ts";
import type { AgentAutoSchedule } from "./agent-auto-schedule.ts";
import { lostNetworkItems, removalsFirst } from "./agent-losses.ts";
import type { AgentRegistration } from "./agent-registration.ts";
import { PagesAhead } from "./pages-ahead.ts";
import {
  firstCursor,
  formatCursor,
  maxPageBytes,
  parseCursor,
  readSnapshotPage,
  type SnapshotCursor,
  type SnapshotPage,
} from "./snapshot-pages.ts";

export interface AgentSyncDeps {
  readonly store: Store;
  readonly epoch: string;
  readonly scheduler: DhcpScheduler;
  readonly autoSchedule: AgentAutoSchedule;
  readonly registration: AgentRegistration;
  readonly maxPageBytes?: number;
}

/** Further behind than this, everything is cheaper than every change. */
const maxDeltaRows = 2000;

/** As many as may sync at once; an agent asks again at once. */
const readAhead = { limit: 8, keptMs: 2000 };

const keyOf = (agent: AgentRow, cursor: SnapshotCursor): string => `${agent.id} ${formatCursor(cursor)}`;

export class AgentSync {
  readonly #deps: AgentSyncDeps;
  readonly #ahead = new PagesAhead(readAhead);

  constructor(deps: AgentSyncDeps) {
    this.#deps = deps;
  }

  /** @param role as the broker says; the caller has checked that the host is the speaker's own. */
  async sync(role: string, request: SyncRequest): Promise<SyncReply> {
    const { host } = request.agent;
    if (request.cursor !== undefined) {
      const agent = await findAgent(this.#deps.store.db, role, host);
      if (agent === undefined) throw new NetloomError("NOT_FOUND", `no agent on ${host}: sync from the start`);
      return this.#page(agent, parseCursor(request.cursor));
    }
    const { agent, isFresh } = await this.#deps.registration.register(role, request);
    if (isFresh) await this.#deps.autoSchedule.forAgent(agent);
    // Read before anything else: what is committed later has a higher number and comes as an event.
    const head = await readHead(this.#deps.store.db, { role, host });
    const reply = (await this.#delta(agent, request, head)) ?? (await this.#page(agent, firstCursor(head)));
    const lost = await lostNetworkItems(this.#deps.store.db, request.inventory ?? [], await this.#boundTo(agent));
    return { ...reply, items: [...lost, ...reply.items] };
  }

  /** Empty when the network is gone or not this agent's. */
  async getNetworkInfo(agent: AgentRow, networkId: string): Promise<readonly StreamItem[]> {
    const { db } = this.#deps.store;
    if (!this.#deps.scheduler.serves(agent) || !(await isBoundTo(db, networkId, agent.id))) return [];
    return readNetworkItems(db, networkId);
  }

  /** Networks that the agent is to serve. */
  async #boundTo(agent: AgentRow): Promise<ReadonlySet<string>> {
    if (!this.#deps.scheduler.serves(agent)) return new Set();
    return new Set(await readBoundNetworkIds(this.#deps.store.db, agent.id));
  }

  /** `undefined` when the rows do not reach back to where the agent is. */
  async #delta(agent: AgentRow, { epoch, since }: SyncRequest, head: number): Promise<SyncReply | undefined> {
    if (epoch !== this.#deps.epoch || since > head || head - since > maxDeltaRows) return undefined;
    const rows = await readOutbox(this.#deps.store.db, agent, { after: since, limit: maxDeltaRows });
    // The numbers have no gaps: the first row says whether older ones were pruned.
    if (since < head && rows[0]?.seq !== since + 1) return undefined;
    const bytes = rows.reduce((sum, { item }) => sum + Buffer.byteLength(item), 0);
    if (bytes > (this.#deps.maxPageBytes ?? maxPageBytes)) return undefined;
    const items = rows.map(({ item }) => streamItemSchema.parse(JSON.parse(item)));
    const ordered = removalsFirst(items, await this.#boundTo(agent));
    return { mode: "delta", epoch, seq: rows.at(-1)?.seq ?? head, items: [...ordered] };
  }

  async #page(agent: AgentRow, cursor: SnapshotCursor): Promise<SyncReply> {
    const { epoch } = this.#deps;
    const reply = { mode: "snapshot", epoch, seq: cursor.seq } as const;
    // An agent that an administrator switched off serves nothing.
    if (!this.#deps.scheduler.serves(agent)) return { ...reply, items: [] };
    const ahead = await this.#ahead.take(keyOf(agent, cursor));
    const page = ahead ?? (await this.#readPage(agent, cursor));
    // What the agent has lost since the page was read it must not be told of as its own.
    const bound = ahead === undefined ? undefined : await this.#boundTo(agent);
    const items = page.items.filter((item) => bound?.has(item.networkId) ?? true);
    const { next } = page;
    if (next === undefined) return { ...reply, items };
    // Once this one is on its way. What changes until it is asked for is in the stream, as for every page.
    setImmediate(() => this.#ahead.begin(keyOf(agent, next), () => this.#readPage(agent, next)));
    return { ...reply, items, next: formatCursor(next) };
  }

  #readPage(agent: AgentRow, cursor: SnapshotCursor): Promise<SnapshotPage> {
    const { store, maxPageBytes: maxBytes } = this.#deps;
    return readSnapshotPage(store.db, agent.id, { cursor, ...(maxBytes === undefined ? {} : { maxBytes }) });
  }
}
