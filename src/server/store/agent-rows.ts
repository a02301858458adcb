// Agents and the networks that they host.
import { randomUUID } from "node:crypto";
import { type Kysely, type RawBuilder, type Selectable, sql, type SqlBool } from "kysely";
import { formatTimestamp } from "../../base/clock.ts";
import type { AgentDescription } from "../../types/agent-messages.ts";
import type { Trx } from "./database.ts";
import type { StreamKey } from "./outbox.ts";
import { chunks, hasRowLocks } from "./rows.ts";
import type { AgentsTable, Database } from "./schema.ts";

export type AgentRow = Selectable<AgentsTable>;

/** The role in subjects → the names that operators know. */
const roleNames: Readonly<Record<string, { readonly agentType: string; readonly topic: string }>> = {
  dhcp: { agentType: "DHCP agent", topic: "dhcp_agent" },
  l3: { agentType: "L3 agent", topic: "l3_agent" },
  fip: { agentType: "Floating IP agent", topic: "floating_ip_agent" },
};

export interface Registration {
  readonly role: string;
  readonly description: AgentDescription;
  readonly phase: string;
  readonly heartbeatAtMs: number;
  /** Whether an agent that is new here starts switched on; yes when absent. */
  readonly isEnabled?: boolean | undefined;
}

/** Makes the row at the first sight of an agent, and refreshes what the agent says about itself at every later one. */
export async function registerAgent(trx: Trx, registration: Registration): Promise<AgentRow> {
  const { role, description, phase, heartbeatAtMs } = registration;
  const now = formatTimestamp(heartbeatAtMs);
  const said = {
    binary_name: description.binary,
    availability_zone: description.availabilityZone,
    configurations: JSON.stringify(description.configurations),
    boot_id: description.bootId,
    phase,
    started_at: formatTimestamp(description.startedAtMs),
    heartbeat_at: now,
  };
  return trx
    .insertInto("agents")
    .values({
      id: randomUUID(),
      agent_type: roleNames[role]?.agentType ?? description.agentType,
      role,
      host: description.host,
      topic: roleNames[role]?.topic ?? role,
      admin_state_up: registration.isEnabled === false ? 0 : 1,
      description: null,
      created_at: now,
      ...said,
    })
    .onConflict((conflict) => conflict.columns(["agent_type", "host"]).doUpdateSet(said))
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** What a heartbeat says that may have changed. */
export interface Beat extends StreamKey {
  readonly phase: string;
  readonly bootId: string;
  readonly configurations: Readonly<Record<string, unknown>>;
  readonly atMs: number;
}

const keyOf = ({ role, host }: StreamKey): string => `${role}\0${host}`;

const beatColumns = ["role", "host", "phase", "boot_id", "configurations", "heartbeat_at"] as const;

/** The beats as a table, from one parameter: a text for each number of them would fill the caches of prepared statements. */
function beatTable(trx: Trx, beats: readonly Beat[]): RawBuilder<unknown> {
  const rows = beats.map(({ role, host, phase, bootId, configurations, atMs }) => {
    const heard = { boot_id: bootId, configurations: JSON.stringify(configurations), heartbeat_at: formatTimestamp(atMs) };
    return { role, host, phase, ...heard };
  });
  const text = JSON.stringify(rows);
  if (hasRowLocks(trx)) {
    const columns = beatColumns.map((column) => sql`${sql.ref(column)} text`);
    return sql`jsonb_to_recordset(cast(${text} as jsonb)) as heard (${sql.join(columns)})`;
  }
  const columns = beatColumns.map((column) => sql`value ->> ${sql.lit(column)} as ${sql.ref(column)}`);
  return sql`(select ${sql.join(columns)} from json_each(${text})) as heard`;
}

/** Some hundred at a time, because a statement for each would be most of what a heartbeat costs. @returns those without a row */
export async function writeBeats<T extends Beat>(trx: Trx, beats: readonly T[]): Promise<readonly T[]> {
  const written = new Set<string>();
  // In one order everywhere, so that two servers that write at once wait for each other instead of dead-locking.
  const ordered = beats.toSorted((left, right) => (left.host < right.host ? -1 : 1));
  for (const piece of chunks(ordered)) {
    if (hasRowLocks(trx)) {
      const hosts = piece.map(({ host }) => host);
      const own = trx.selectFrom("agents").select("id").where("host", "in", hosts);
      await own.orderBy(sql`host collate "C"`).orderBy("id").forNoKeyUpdate().execute();
    }
    const { rows: known } = await sql<StreamKey>`
      update agents set phase = heard.phase, boot_id = heard.boot_id, configurations = heard.configurations,
        heartbeat_at = heard.heartbeat_at
      from ${beatTable(trx, piece)} where agents.role = heard.role and agents.host = heard.host
      returning agents.role as role, agents.host as host`.execute(trx);
    for (const key of known) written.add(keyOf(key));
  }
  return ordered.filter((beat) => !written.has(keyOf(beat)));
}

export function findAgent(db: Kysely<Database>, role: string, host: string): Promise<AgentRow | undefined> {
  return db.selectFrom("agents").selectAll().where("role", "=", role).where("host", "=", host).executeTakeFirst();
}

/** By the host as a subject names it: lower case, dots as underscores. */
export function findAgentByToken(db: Kysely<Database>, role: string, token: string): Promise<AgentRow | undefined> {
  return db
    .selectFrom("agents")
    .selectAll()
    .where("role", "=", role)
    .where(sql<SqlBool>`lower(replace(host, '.', '_')) = ${token}`)
    .executeTakeFirst();
}

export function findAgentById(db: Kysely<Database>, id: string): Promise<AgentRow | undefined> {
  return db.selectFrom("agents").selectAll().where("id", "=", id).executeTakeFirst();
}

export interface LoadedAgent extends AgentRow {
  /** Networks that are bound to it: what its last heartbeat said and what it has been given since. */
  readonly load: number;
}

/** DHCP agents that may be given work, with how much they have: the database counts, never the agent. */
export async function readDhcpCandidates(db: Kysely<Database>): Promise<readonly LoadedAgent[]> {
  const rows = await db
    .selectFrom("agents")
    .selectAll("agents")
    .select((eb) =>
      eb
        .selectFrom("network_dhcp_agents as bound")
        .select(eb.fn.countAll<number | string>().as("count"))
        .whereRef("bound.agent_id", "=", "agents.id")
        .as("load"),
    )
    .where("agents.role", "=", "dhcp")
    .where("agents.admin_state_up", "=", 1)
    .orderBy("agents.id")
    .execute();
  // A copy of each of a thousand rows would cost more than the query.
  return rows.map((row) => Object.assign(row, { load: Number(row.load ?? 0) }));
}

export interface Binding {
  readonly agentId: string;
  readonly slot: number;
}

export interface ZonedBinding extends Binding {
  readonly zone: string;
}

export async function readBindings(trx: Kysely<Database>, networkId: string): Promise<readonly ZonedBinding[]> {
  const rows = await trx
    .selectFrom("network_dhcp_agents")
    .innerJoin("agents", "agents.id", "network_dhcp_agents.agent_id")
    .select(["agent_id", "slot", "availability_zone"])
    .where("network_id", "=", networkId)
    .orderBy("slot")
    .execute();
  return rows.map((row) => ({ agentId: row.agent_id, slot: row.slot, zone: row.availability_zone }));
}

/** False when another server has taken the slot or bound this agent meanwhile. */
export async function bindNetwork(trx: Trx, networkId: string, { agentId, slot }: Binding): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto("network_dhcp_agents")
    .values({ network_id: networkId, agent_id: agentId, slot })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return Number(numInsertedOrUpdatedRows ?? 0) > 0;
}

/** False when it was not bound. */
export async function unbindNetwork(trx: Trx, networkId: string, agentId: string): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom("network_dhcp_agents")
    .where("network_id", "=", networkId)
    .where("agent_id", "=", agentId)
    .executeTakeFirst();
  return Number(numDeletedRows) > 0;
}

export async function isBoundTo(db: Kysely<Database>, networkId: string, agentId: string): Promise<boolean> {
  const row = await db
    .selectFrom("network_dhcp_agents")
    .select("slot")
    .where("network_id", "=", networkId)
    .where("agent_id", "=", agentId)
    .executeTakeFirst();
  return row !== undefined;
}

/** In the order of their ids; with `page` only so many, the first not before `from`. */
export async function readBoundNetworkIds(
  db: Kysely<Database>,
  agentId: string,
  page?: { readonly from: string; readonly limit: number },
): Promise<readonly string[]> {
  const rows = await db
    .selectFrom("network_dhcp_agents")
    .select("network_id")
    .where("agent_id", "=", agentId)
    .where("network_id", ">=", page?.from ?? "")
    .orderBy("network_id")
    .$if(page !== undefined, (query) => query.limit(page?.limit ?? 0))
    .execute();
  return rows.map((row) => row.network_id);
}

/** Until the end of the transaction nobody unbinds it. False when it is not bound. */
export async function lockBinding(trx: Trx, networkId: string, agentId: string): Promise<boolean> {
  const row = await trx
    .selectFrom("network_dhcp_agents")
    .select("slot")
    .where("network_id", "=", networkId)
    .where("agent_id", "=", agentId)
    .$if(hasRowLocks(trx), (query) => query.forUpdate())
    .executeTakeFirst();
  return row !== undefined;
}
