// What administrators do with agents: look, switch off and on, remove, and move networks by hand.
import type { Kysely } from "kysely";
import type { Database } from "../store/schema.ts";
import { ApiFault } from "../../types/api-faults.ts";
import type { ControlMessage, StreamItem } from "../../types/agent-messages.ts";
import { agentResource } from "../../types/resources/agents.ts";
import type { DhcpScheduler } from "../scheduler/dhcp-scheduler.ts";
import { type AgentRow, findAgentById, readBindings, readBoundNetworkIds } from "../store/agent-rows.ts";
import type { Store, Trx } from "../store/database.ts";
import { translated } from "../store/engine-errors.ts";
import { readNetworkItems } from "../store/network-items.ts";
import { recordItemsForHost, type StreamKey } from "../store/outbox.ts";
import type { AgentService } from "./agent-admin-service-types.ts";
import { goneItems, unbindAgent } from "./agent-bindings.ts";
import { type AskAgent, readAgentStates } from "./agent-states.ts";
import { missing, type ServiceDeps } from "./service-deps.ts";
import type { L3AgentAdmin } from "./l3-agent-admin.ts";
import { listInMemory } from "./list-in-memory.ts";
import type { LivenessTable } from "./liveness.ts";
import type { Attributes, ListQuery, RequestContext, ResourceReader } from "./resource-service.ts";

export interface AgentAdminDeps {
  readonly store: Store;
  readonly scheduler: DhcpScheduler;
  readonly liveness: LivenessTable;
  readonly networks: ResourceReader;
  readonly services: ServiceDeps;
  /** What becomes of the routers of an agent; absent where there are none. */
  readonly l3?: () => Pick<L3AgentAdmin, "switched" | "leaving">;
  readonly control: (stream: StreamKey, message: ControlMessage) => void;
  readonly ask: AskAgent;
}

/** `YYYY-MM-DD HH:MM:SS`: agents have a form of their own in this API, and clients with types read no other of them. */
const agentTime = (timestamp: string): string => timestamp.slice(0, 19).replace("T", " ");

export class AgentAdmin implements AgentService {
  readonly #deps: AgentAdminDeps;

  constructor(deps: AgentAdminDeps) {
    this.#deps = deps;
  }

  async list(_context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    const rows = await translated(this.#deps.store.db.selectFrom("agents").selectAll().execute());
    return listInMemory(rows.map(this.#present), query, agentResource);
  }

  async show(_context: RequestContext, id: string): Promise<Attributes> {
    return this.#present(await this.#find(id));
  }

  async status(_context: RequestContext, id: string): Promise<Attributes> {
    return readAgentStates(this.#deps.ask, await this.#find(id));
  }

  async update(context: RequestContext, id: string, changes: Attributes): Promise<Attributes> {
    const { store, control } = this.#deps;
    const changed = await store.transaction(async (trx) => {
      const before = await this.#require(trx, id);
      const isUp = typeof changes["admin_state_up"] === "boolean" ? changes["admin_state_up"] : before.admin_state_up === 1;
      const description = changes["description"] === undefined ? before.description : textOrNull(changes["description"]);
      await trx
        .updateTable("agents")
        .set({ admin_state_up: isUp ? 1 : 0, description })
        .where("id", "=", id)
        .execute();
      if (isUp === (before.admin_state_up === 1)) return undefined;
      if (this.#deps.scheduler.serves({ admin_state_up: 0 })) return before;
      if (before.role === "dhcp") await recordItemsForHost(trx, before, await this.#switchItems(trx, id, isUp));
      else await this.#deps.l3?.().switched(trx, before, isUp);
      return before;
    });
    if (changed !== undefined) control(changed, { action: "agent-updated", reason: "admin_state_up changed" });
    return this.show(context, id);
  }

  async remove(_context: RequestContext, id: string): Promise<void> {
    const { store, scheduler, liveness } = this.#deps;
    const removed = await store.transaction(async (trx) => {
      const agent = await this.#require(trx, id);
      const networkIds = await readBoundNetworkIds(trx, id);
      for (const networkId of networkIds) await unbindAgent(trx, this.#deps.services, { networkId, agent });
      await this.#deps.l3?.().leaving(trx, agent);
      await trx.deleteFrom("agents").where("id", "=", id).execute();
      await scheduler.scheduleNetworks(trx, networkIds);
      return agent;
    });
    liveness.forget(removed);
  }

  async listNetworks(context: RequestContext, agentId: string): Promise<readonly Attributes[]> {
    await this.#find(agentId);
    const values = await translated(readBoundNetworkIds(this.#deps.store.db, agentId));
    if (values.length === 0) return [];
    return this.#deps.networks.list(context, { filters: [{ attribute: "id", values }], sorts: [], pageReverse: false });
  }

  async addNetwork(context: RequestContext, agentId: string, networkId: string): Promise<void> {
    await this.#deps.store.transaction(async (trx) => {
      const agent = await this.#requireDhcp(trx, agentId);
      if (!this.#deps.scheduler.serves(agent))
        throw new ApiFault("InvalidDHCPAgent", `Agent ${agentId} is not a valid DHCP Agent or has been disabled.`);
      if (!(await exists(trx, networkId))) throw new ApiFault("NetworkNotFound", `Network ${networkId} could not be found.`);
      if (await this.#deps.scheduler.bindByHand(trx, networkId, agentId)) return;
      throw new ApiFault(
        "NetworkHostedByDHCPAgent",
        `The network ${networkId} has been already hosted by the DHCP Agent ${agentId}.`,
      );
    });
  }

  async removeNetwork(_context: RequestContext, agentId: string, networkId: string): Promise<void> {
    await this.#deps.store.transaction(async (trx) => {
      const agent = await this.#requireDhcp(trx, agentId);
      if (await unbindAgent(trx, this.#deps.services, { networkId, agent })) return;
      throw new ApiFault("NetworkNotHostedByDhcpAgent", `The network ${networkId} is not hosted by the DHCP agent ${agentId}.`);
    });
  }

  async listForNetwork(_context: RequestContext, networkId: string): Promise<readonly Attributes[]> {
    const { db } = this.#deps.store;
    if (!(await translated(exists(db, networkId))))
      throw new ApiFault("NetworkNotFound", `Network ${networkId} could not be found.`);
    const ids = (await translated(readBindings(db, networkId))).map(({ agentId }) => agentId);
    if (ids.length === 0) return [];
    const rows = await translated(db.selectFrom("agents").selectAll().where("id", "in", ids).orderBy("id").execute());
    return rows.map(this.#present);
  }

  /** While an agent is switched off its stream holds nothing; switched on again it is told everything. */
  async #switchItems(trx: Trx, agentId: string, isUp: boolean): Promise<readonly StreamItem[]> {
    const items: StreamItem[] = [];
    for (const networkId of await readBoundNetworkIds(trx, agentId)) {
      items.push(...(isUp ? await readNetworkItems(trx, networkId) : await goneItems(trx, networkId)));
    }
    return items;
  }

  /** Outside of a transaction. */
  #find(id: string): Promise<AgentRow> {
    return translated(this.#require(this.#deps.store.db, id));
  }

  async #require(db: Kysely<Database>, id: string): Promise<AgentRow> {
    const row = await findAgentById(db, id);
    if (row === undefined) throw missing(agentResource, id);
    return row;
  }

  async #requireDhcp(trx: Trx, id: string): Promise<AgentRow> {
    const agent = await findAgentById(trx, id);
    if (agent?.role === "dhcp") return agent;
    throw new ApiFault("InvalidDHCPAgent", `Agent ${id} is not a valid DHCP Agent or has been disabled.`);
  }

  readonly #present = (row: AgentRow): Attributes => ({
    id: row.id,
    agent_type: row.agent_type,
    binary: row.binary_name,
    host: row.host,
    topic: row.topic,
    availability_zone: row.availability_zone,
    // Heard within the time, by this server or another: that this one has not listened for long yet makes nobody alive.
    alive: this.#deps.liveness.of(row) === "alive",
    admin_state_up: row.admin_state_up === 1,
    description: row.description,
    configurations: JSON.parse(row.configurations) as unknown,
    created_at: agentTime(row.created_at),
    started_at: agentTime(row.started_at),
    heartbeat_timestamp: agentTime(row.heartbeat_at),
  });
}

const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null);

async function exists(db: Kysely<Database>, networkId: string): Promise<boolean> {
  return (await db.selectFrom("networks").select("id").where("id", "=", networkId).executeTakeFirst()) !== undefined;
}
