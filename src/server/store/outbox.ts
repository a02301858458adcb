// The outbox: what agents must hear, written in the transaction that changed it. Each (role, host) is a stream of its own,
// numbered without gaps in the order of the commits, because `streams.head` stays locked until the commit.
import { type Kysely, sql } from "kysely";
import { systemClock } from "../../base/clock.ts";
import { currentTrace, formatTraceparent } from "../../base/trace-context.ts";
import type { StreamItem } from "../../types/agent-messages.ts";
import type { FloatingIpItem, RouterItem } from "../../types/l3-messages.ts";
import type { Trx } from "./database.ts";
import { chunks, hasRowLocks } from "./rows.ts";
import type { Database } from "./schema.ts";

export interface StreamKey {
  readonly role: string;
  readonly host: string;
}

/** What a stream carries: of role `dhcp`, `l3`, `fip`. */
export type OutboxItem = StreamItem | RouterItem | FloatingIpItem;

export interface OutboxRow {
  readonly seq: number;
  /** JSON of an OutboxItem. */
  readonly item: string;
}

export interface Receiver extends StreamKey {
  readonly heartbeat_at: string;
}

/**
 * For every host that the network is bound to and whose agent is not switched off, or serves all the same. Call it while the
 * bindings are still there: before the network itself is deleted, and after the rows that the items tell of were written.
 * Answers who will hear of it.
 */
export async function recordItems(
  trx: Trx,
  networkId: string,
  items: readonly StreamItem[],
  servesDisabled = false,
): Promise<readonly Receiver[]> {
  await lockBindings(trx, networkId, "share");
  const agents = await trx
    .selectFrom("network_dhcp_agents")
    .innerJoin("agents", "agents.id", "network_dhcp_agents.agent_id")
    .select(["agents.role", "agents.host", "agents.heartbeat_at"])
    .where("network_dhcp_agents.network_id", "=", networkId)
    .where("agents.admin_state_up", "in", servesDisabled ? [0, 1] : [1])
    .orderBy("agents.role")
    .orderBy("agents.host")
    .execute();
  for (const agent of agents) await recordItemsForHost(trx, agent, items);
  return agents;
}

export async function recordItemsForHost(trx: Trx, { role, host }: StreamKey, items: readonly OutboxItem[]): Promise<void> {
  if (items.length === 0) return;
  const texts = items.map((item) => JSON.stringify(withCurrentTrace(item)));
  await (hasRowLocks(trx) ? writeAtOnce(trx, { role, host }, texts) : writeInTurn(trx, { role, host }, texts));
}

const now = (): string => new Date(systemClock.nowMs()).toISOString();

/** One way to PostgreSQL and back, because all who write to this stream wait for it. */
async function writeAtOnce(trx: Trx, { role, host }: StreamKey, texts: readonly string[]): Promise<void> {
  const count = texts.length;
  await sql`with stream as (
      insert into streams (role, host, head) values (${role}, ${host}, ${count})
      on conflict (role, host) do update set head = streams.head + excluded.head returning head)
    insert into outbox (role, host, seq, item, created_at)
    select ${role}, ${host}, stream.head - ${count}::integer + one.place, one.item, ${now()}
    from stream, unnest(${texts}::text[]) with ordinality as one (item, place)`.execute(trx);
}

async function writeInTurn(trx: Trx, { role, host }: StreamKey, texts: readonly string[]): Promise<void> {
  const count = texts.length;
  const { head } = await trx
    .insertInto("streams")
    .values({ role, host, head: count })
    .onConflict((conflict) =>
      conflict.columns(["role", "host"]).doUpdateSet((eb) => ({ head: eb("streams.head", "+", count) })),
    )
    .returning("head")
    .executeTakeFirstOrThrow();
  const created_at = now();
  const rows = texts.map((item, index) => ({ role, host, seq: head - count + 1 + index, item, created_at }));
  for (const piece of chunks(rows))
    await trx
      .insertInto("outbox")
      .values([...piece])
      .execute();
}

function withCurrentTrace(item: OutboxItem): OutboxItem {
  const trace = currentTrace();
  return trace === undefined || item.traceparent !== undefined ? item : { ...item, traceparent: formatTraceparent(trace) };
}

/**
 * Whoever changes a network's parts shares, whoever binds it to a host excludes: otherwise a port that is not yet committed
 * would be missing from the view that the new host gets, and the host from those that the port is recorded for. SQLite has
 * one writer and needs nothing. Sharing late keeps it short: sharers that overlap all the time would never let anybody exclude them.
 */
export async function lockBindings(trx: Trx, networkId: string, mode: "share" | "exclusive"): Promise<void> {
  if (!hasRowLocks(trx)) return;
  const row = trx.selectFrom("networks").select("id").where("id", "=", networkId);
  await (mode === "share" ? row.forShare() : row.forNoKeyUpdate()).execute();
}

/** In order, the rows after `after`. */
export async function readOutbox(
  db: Kysely<Database>,
  { role, host }: StreamKey,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<readonly OutboxRow[]> {
  return db
    .selectFrom("outbox")
    .select(["seq", "item"])
    .where("role", "=", role)
    .where("host", "=", host)
    .where("seq", ">", after)
    .orderBy("seq")
    .limit(limit)
    .execute();
}

export async function readStreams(db: Kysely<Database>): Promise<readonly (StreamKey & { readonly head: number })[]> {
  return db.selectFrom("streams").select(["role", "host", "head"]).execute();
}

/** 0 for a host that nothing was ever recorded for. */
export async function readHead(db: Kysely<Database>, { role, host }: StreamKey): Promise<number> {
  const row = await db
    .selectFrom("streams")
    .select("head")
    .where("role", "=", role)
    .where("host", "=", host)
    .executeTakeFirst();
  return row?.head ?? 0;
}

/** For each stream, the last row that was written before `time`: 0 where there is none or it was pruned. */
export async function readPositionsBefore(
  db: Kysely<Database>,
  time: Date,
): Promise<readonly (StreamKey & { readonly seq: number })[]> {
  const oldest = await db
    .selectFrom("outbox")
    .select((eb) => ["role", "host", eb.fn.min("seq").as("seq")])
    .where("created_at", ">=", time.toISOString())
    .groupBy(["role", "host"])
    .execute();
  return oldest.map(({ role, host, seq }) => ({ role, host, seq: Number(seq) - 1 }));
}

/**
 * Forgets rows that are older than `before`, of one stream only up to `upTo`; answers how many. The rows of `streams` always
 * stay: a number that was given out once must never mean something else.
 */
export async function pruneOutbox(
  db: Kysely<Database>,
  before: Date,
  stream?: StreamKey & { readonly upTo: number },
): Promise<number> {
  let query = db.deleteFrom("outbox").where("created_at", "<", before.toISOString());
  if (stream !== undefined) {
    query = query.where("role", "=", stream.role).where("host", "=", stream.host).where("seq", "<=", stream.upTo);
  }
  const { numDeletedRows } = await query.executeTakeFirst();
  return Number(numDeletedRows);
}
