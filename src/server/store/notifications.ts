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

/**
 * Says who asked for what this transaction changed; its last statement. Rows without a time are this transaction's own: those of
 * others are not visible before they have been stamped.
 */
export async function stampNotifications(trx: Kysely<Database>, nowMs: number): Promise<void> {
  const trace = currentTrace();
  await trx
    .updateTable("notifications")
    .set({
      request_id: trace?.requestId ?? null,
      traceparent: trace === undefined ? null : formatTraceparent(trace),
      created_at: new Date(nowMs).toISOString(),
    })
    .where("created_at", "is", null)
    .execute();
}

/** The same for objects that different requests asked for in one transaction. */
export async function stampObjects(
  trx: Kysely<Database>,
  objects: readonly { readonly id: string; readonly trace: TraceContext | undefined }[],
  nowMs: number,
): Promise<void> {
  const rows = objects.map(({ id, trace }) => {
    const traceparent = trace === undefined ? null : formatTraceparent(trace);
    return sql`(cast(${id} as text), cast(${trace?.requestId ?? null} as text), cast(${traceparent} as text))`;
  });
  await sql`with asked (object_id, request_id, traceparent) as (values ${sql.join(rows)})
    update notifications set request_id = asked.request_id, traceparent = asked.traceparent, created_at = ${new Date(nowMs).toISOString()}
    from asked where notifications.object_id = asked.object_id and notifications.created_at is null`.execute(trx);
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
