// Changes that users outside of netloom are to hear of: noted by triggers in the transaction of the change, kept until NATS has them.
import { type Kysely, sql } from "kysely";
import { currentTrace, formatTraceparent, type TraceContext } from "../../base/trace-context.ts";
import type { Database } from "./schema.ts";

export interface Notification {
  readonly id: number;
  readonly resource: string;
  readonly objectId: string;
  readonly action: "create" | "update" | "delete";
  readonly projectId: string | undefined;
  readonly revision: number | undefined;
  readonly requestId: string | undefined;
  readonly traceparent: string | undefined;
  readonly createdAt: string | undefined;
}

/** An object, and the request that asked for it. */
export interface Asked {
  readonly id: string;
  readonly trace: TraceContext | undefined;
}

/** Of transactions that do what several requests ask for. */
const askers = new WeakMap<Kysely<Database>, readonly Asked[]>();

/** Everything else in the transaction is the current request's. */
export function noteAskers(trx: Kysely<Database>, objects: readonly Asked[]): void {
  askers.set(trx, [...(askers.get(trx) ?? []), ...objects]);
}

/**
 * Says who asked for what this transaction changed; its last statement. Rows without a time are this transaction's own: those of
 * others are not visible before they have been stamped.
 */
export async function stampNotifications(trx: Kysely<Database>, nowMs: number): Promise<void> {
  const own = stampOf(currentTrace());
  const created_at = new Date(nowMs).toISOString();
  const asked = (askers.get(trx) ?? []).filter(({ trace }) => trace !== undefined);
  if (asked.length === 0) {
    await trx
      .updateTable("notifications")
      .set({ ...own, created_at })
      .where("created_at", "is", null)
      .execute();
    return;
  }
  const rows = asked.map(({ id, trace }) => {
    const { request_id, traceparent } = stampOf(trace);
    return sql`(cast(${id} as text), cast(${request_id} as text), cast(${traceparent} as text))`;
  });
  const ofAsker = (column: string) =>
    sql`(select ${sql.ref(column)} from asked where asked.object_id = notifications.object_id)`;
  await sql`with asked (object_id, request_id, traceparent) as (values ${sql.join(rows)})
    update notifications set created_at = ${created_at},
      request_id = coalesce(${ofAsker("request_id")}, ${own.request_id}),
      traceparent = coalesce(${ofAsker("traceparent")}, ${own.traceparent})
    where created_at is null`.execute(trx);
}

function stampOf(trace: TraceContext | undefined) {
  return { request_id: trace?.requestId ?? null, traceparent: trace === undefined ? null : formatTraceparent(trace) };
}

/** The oldest ones. */
export async function readNotifications(db: Kysely<Database>, limit: number): Promise<readonly Notification[]> {
  const rows = await db.selectFrom("notifications").selectAll().orderBy("id").limit(limit).execute();
  return rows.map((row) => ({
    id: Number(row.id),
    resource: row.resource,
    objectId: row.object_id,
    action: row.action,
    projectId: row.project_id ?? undefined,
    revision: row.revision_number ?? undefined,
    requestId: row.request_id ?? undefined,
    traceparent: row.traceparent ?? undefined,
    createdAt: row.created_at ?? undefined,
  }));
}

export async function removeNotifications(db: Kysely<Database>, ids: readonly number[]): Promise<void> {
  if (ids.length > 0) await db.deleteFrom("notifications").where("id", "in", ids).execute();
}

/** Those that nobody took in time; answers how many. */
export async function pruneNotifications(db: Kysely<Database>, before: Date): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom("notifications")
    .where(sql<boolean>`created_at < ${before.toISOString()}`)
    .executeTakeFirst();
  return Number(numDeletedRows);
}
