// `sync since`: the one call by which an agent's copy becomes right again, whatever was lost. The first of a process also
// registers the agent and gives it networks that nobody serves.
import type { Clock } from "../../base/clock.ts";
import { NetloomError } from "../../base/errors.ts";
import { type StreamItem, streamItemSchema, type SyncReply, type SyncRequest } from "../../types/agent-messages.ts";
import type { DhcpScheduler } from "../scheduler/dhcp-scheduler.ts";
import { type AgentRow, findAgent, findAgentByToken, isBoundTo, registerAgent } from "../store/agent-rows.ts";
import type { Store } from "../store/database.ts";
import { readNetworkItems } from "../store/network-items.ts";
import { readHead, readOutbox } from "../store/outbox.ts";
import type { LivenessTable } from "./liveness.ts";
import {
  firstCursor,
  formatCursor,
  maxPageBytes,
  parseCursor,
  readSnapshotPage,
  type SnapshotCursor,
} from "./snapshot-pages.ts";

export interface AgentSyncDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly epoch: string;
  readonly scheduler: DhcpScheduler;
  readonly liveness: LivenessTable;
  readonly maxPageBytes?: number;
}

/** Further behind than this, everything is cheaper than every change. */
const maxDeltaRows = 2000;

export class AgentSync {
  readonly #deps: AgentSyncDeps;

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
    const agent = await this.#register(role, request);
    // Read before anything else: what is committed later has a higher number and comes as an event.
    const head = await readHead(this.#deps.store.db, { role, host });
    return (await this.#delta(agent, request, head)) ?? this.#page(agent, firstCursor(head));
  }

  /** Empty when the network is gone or not this agent's. */
  async getNetworkInfo(agent: AgentRow, networkId: string): Promise<readonly StreamItem[]> {
    const { db } = this.#deps.store;
    if (agent.admin_state_up !== 1 || !(await isBoundTo(db, networkId, agent.id))) return [];
    return readNetworkItems(db, networkId);
  }

  /** The agent that speaks. UNAVAILABLE and not NOT_FOUND: its next heartbeat registers it, and what it asks then is right. */
  async requireAgent(role: string, token: string): Promise<AgentRow> {
    const agent = await findAgentByToken(this.#deps.store.db, role, token);
    if (agent === undefined) throw new NetloomError("UNAVAILABLE", `no ${role} agent is registered for ${token}`);
    return agent;
  }

  async #register(role: string, { agent: description, since }: SyncRequest): Promise<AgentRow> {
    const { store, clock, liveness, scheduler } = this.#deps;
    liveness.heard({ role, host: description.host });
    return store.transaction(async (trx) => {
      const namesake = await findAgentByToken(trx, role, description.host.toLowerCase().replaceAll(".", "_"));
      if (namesake !== undefined && namesake.host !== description.host) {
        throw new NetloomError(
          "CONFLICT",
          `host ${description.host} cannot be told from ${namesake.host}, which is registered`,
        );
      }
      const phase = since === 0 ? "starting" : "syncing";
      const agent = await registerAgent(trx, { role, description, phase, heartbeatAtMs: clock.nowMs() });
      if (role === "dhcp") await scheduler.autoScheduleForAgent(trx, agent);
      return agent;
    });
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
    return { mode: "delta", epoch, seq: rows.at(-1)?.seq ?? head, items };
  }

  async #page(agent: AgentRow, cursor: SnapshotCursor): Promise<SyncReply> {
    const { store, epoch, maxPageBytes: maxBytes } = this.#deps;
    const reply = { mode: "snapshot", epoch, seq: cursor.seq } as const;
    // An agent that an administrator switched off serves nothing.
    if (agent.admin_state_up !== 1) return { ...reply, items: [] };
    const page = await readSnapshotPage(store.db, agent.id, { cursor, ...(maxBytes === undefined ? {} : { maxBytes }) });
    const items = [...page.items];
    return page.next === undefined ? { ...reply, items } : { ...reply, items, next: formatCursor(page.next) };
  }
}
