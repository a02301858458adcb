// `sync since` of L3 agents and floating-IP agents: see agent-sync.ts, of which this is the same with other items. A
// floating-IP agent serves the routers of the L3 agent on its host.
import { NetloomError } from "../../base/errors.ts";
import {
  type FloatingIpItem,
  floatingIpItemSchema,
  type FloatingIpSyncReply,
  type RouterItem,
  routerItemSchema,
  type RouterSyncReply,
  type RouterSyncRequest,
} from "../../types/l3-messages.ts";
import type { L3Scheduler } from "../scheduler/l3-scheduler.ts";
import { type AgentRow, findAgent } from "../store/agent-rows.ts";
import type { Store } from "../store/database.ts";
import { type OutboxRow, readHead, readOutbox } from "../store/outbox.ts";
import { findL3AgentOf, readHostedRouterIds } from "../store/router-hosts.ts";
import type { AgentAutoSchedule } from "./agent-auto-schedule.ts";
import type { AgentRegistration } from "./agent-registration.ts";
import { lostRouterItems, routerRemovalsFirst } from "./l3-losses.ts";
import { formatL3Cursor, type L3Cursor, parseL3Cursor, readFloatingIpPage, readRouterPage } from "./l3-snapshot-pages.ts";
import { maxPageBytes } from "./snapshot-pages.ts";

export interface L3SyncDeps {
  readonly store: Store;
  readonly epoch: string;
  readonly scheduler: L3Scheduler;
  readonly autoSchedule: AgentAutoSchedule;
  readonly registration: AgentRegistration;
  readonly maxPageBytes?: number;
}

/** Further behind than this, everything is cheaper than every change. */
const maxDeltaRows = 2000;

interface Started {
  readonly agent: AgentRow;
  readonly cursor: L3Cursor;
  /** The rows since the agent's position; `undefined` when they do not reach back so far, or a page was asked for. */
  readonly rows: readonly OutboxRow[] | undefined;
}

export class L3Sync {
  readonly #deps: L3SyncDeps;

  constructor(deps: L3SyncDeps) {
    this.#deps = deps;
  }

  /** The caller has checked that the host is the speaker's own. */
  async syncRouters(request: RouterSyncRequest): Promise<RouterSyncReply> {
    const { store, epoch } = this.#deps;
    const { agent, cursor, rows } = await this.#start("l3", request);
    const hosted = new Set(await this.#hostedBy(agent));
    const lost = await lostRouterItems(store.db, request.cursor === undefined ? (request.inventory ?? []) : [], hosted);
    if (rows !== undefined) {
      const items: readonly RouterItem[] = rows.map(({ item }) => routerItemSchema.parse(JSON.parse(item)));
      const ordered = routerRemovalsFirst(items, hosted);
      return { mode: "delta", epoch, seq: rows.at(-1)?.seq ?? cursor.seq, items: [...lost, ...ordered] };
    }
    const reply = { mode: "snapshot", epoch, seq: cursor.seq } as const;
    if (!this.#deps.scheduler.serves(agent)) return { ...reply, items: [...lost] };
    const { items, next } = await readRouterPage(store.db, agent.id, { cursor, maxBytes: this.#maxBytes });
    return { ...reply, items: [...lost, ...items], ...(next === undefined ? {} : { next: formatL3Cursor(next) }) };
  }

  async syncFloatingIps(request: RouterSyncRequest): Promise<FloatingIpSyncReply> {
    const { store, epoch, scheduler } = this.#deps;
    const { agent, cursor, rows } = await this.#start("fip", request);
    if (rows !== undefined) {
      const items: readonly FloatingIpItem[] = rows.map(({ item }) => floatingIpItemSchema.parse(JSON.parse(item)));
      return { mode: "delta", epoch, seq: rows.at(-1)?.seq ?? cursor.seq, items: [...items] };
    }
    const reply = { mode: "snapshot", epoch, seq: cursor.seq } as const;
    const l3 = await findL3AgentOf(store.db, agent);
    if (l3 === undefined) return { ...reply, items: [] };
    const hosted = { agentId: l3.id, isOff: !scheduler.serves(agent) || !scheduler.serves(l3) };
    const { items, next } = await readFloatingIpPage(store.db, hosted, { cursor, maxBytes: this.#maxBytes });
    return { ...reply, items: [...items], ...(next === undefined ? {} : { next: formatL3Cursor(next) }) };
  }

  get #maxBytes(): number {
    return this.#deps.maxPageBytes ?? maxPageBytes;
  }

  async #start(role: "l3" | "fip", request: RouterSyncRequest): Promise<Started> {
    const { store, registration, autoSchedule } = this.#deps;
    const { host } = request.agent;
    if (request.cursor !== undefined) {
      const agent = await findAgent(store.db, role, host);
      if (agent === undefined) throw new NetloomError("NOT_FOUND", `no agent on ${host}: sync from the start`);
      return { agent, cursor: parseL3Cursor(request.cursor), rows: undefined };
    }
    const { agent, isFresh } = await registration.register(role, request);
    if (isFresh) await autoSchedule.forAgent(agent);
    // Read before anything else: what is committed later has a higher number and comes as an event.
    const head = await readHead(store.db, { role, host });
    return { agent, cursor: { seq: head, phase: "first", id: "" }, rows: await this.#rows(agent, request, head) };
  }

  async #rows(agent: AgentRow, { epoch, since }: RouterSyncRequest, head: number): Promise<readonly OutboxRow[] | undefined> {
    if (epoch !== this.#deps.epoch || since > head || head - since > maxDeltaRows) return undefined;
    const rows = await readOutbox(this.#deps.store.db, agent, { after: since, limit: maxDeltaRows });
    // The numbers have no gaps: the first row says whether older ones were pruned.
    if (since < head && rows[0]?.seq !== since + 1) return undefined;
    const bytes = rows.reduce((sum, { item }) => sum + Buffer.byteLength(item), 0);
    return bytes > this.#maxBytes ? undefined : rows;
  }

  async #hostedBy(agent: AgentRow): Promise<readonly string[]> {
    return this.#deps.scheduler.serves(agent) ? readHostedRouterIds(this.#deps.store.db, agent.id) : [];
  }
}
