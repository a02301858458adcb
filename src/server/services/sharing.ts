// Objects that other projects may use (role-based access control of the Networking v2.0 API): `shared` is an entry for `*`.
import { randomUUID } from "node:crypto";
import { type Kysely, type RawBuilder, type SqlBool, sql } from "kysely";
import type { SharedType } from "../../types/resources/rbac-policies.ts";
import type { Trx } from "../store/database.ts";
import { anyOf, type Condition, type ListedTable } from "../store/list-rows.ts";
import { hasRowLocks, inChunks } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import type { StandardColumns } from "../store/schema-columns.ts";
import { common } from "./present.ts";
import type { Attributes, RequestContext } from "./resource-service.ts";
import { type SharedAction, sharedKindOf } from "./shared-objects.ts";

const everybody = "*";

/** Ids of those that are shared with everybody or with the project. */
const sharedIds = (type: SharedType, projectId: string) => sql`select object_id from rbac_policies
  where object_type = ${type} and action = 'access_as_shared' and target_project in (${everybody}, ${projectId})`;

/** Own objects and those shared with the caller; `undefined`: everything. */
export function visibleObjects({ isAdmin, projectId }: RequestContext, type: SharedType): Condition | undefined {
  if (isAdmin) return undefined;
  return sql<SqlBool>`(project_id = ${projectId} or id in (${sharedIds(type, projectId)}))`;
}

/**
 * Of these those that the caller sees, locked: they stay as long as the transaction runs, and so do their policies, whose lock the
 * object's row is. Locked first and looked at then: a statement that waits for a lock does not see the policy that went meanwhile.
 */
export async function lockVisible(
  trx: Trx,
  context: RequestContext,
  { type, ids }: { readonly type: SharedType; readonly ids: readonly string[] },
): Promise<ReadonlySet<string>> {
  const table = (sharedKindOf(type)?.table ?? "networks") as "networks";
  const visible = visibleObjects(context, type);
  const wanted = [...new Set(ids)].sort();
  if (hasRowLocks(trx)) {
    await inChunks(wanted, (piece) =>
      trx.selectFrom(table).select("id").where("id", "in", piece).orderBy("id").forKeyShare().execute(),
    );
  }
  const rows = await inChunks(wanted, (piece) =>
    trx
      .selectFrom(table)
      .select("id")
      .where("id", "in", piece)
      .$if(visible !== undefined, (query) => (visible === undefined ? query : query.where(visible)))
      .execute(),
  );
  return new Set(rows.map((row) => row.id));
}

/** Of the filter `shared`: what is shared with everybody or with the caller, as the attribute says. */
export const sharedFilter =
  (type: SharedType, column = "id"): ListedTable["filters"][string] =>
  (values, projectId) => {
    const shared = sharedIds(type, projectId);
    const id = sql.ref(column);
    return anyOf(
      values.map((value) => (value === true ? sql<SqlBool>`${id} in (${shared})` : sql<SqlBool>`${id} not in (${shared})`)),
    );
  };

/** The same as a sort key: what is not shared comes first. */
export const sharedSort =
  (type: SharedType) =>
  (projectId: string): RawBuilder<number> =>
    sql`case when id in (${sharedIds(type, projectId)}) then 1 else 0 end`;

/** Ids of those that are shared with everybody or with the caller's project: what the attribute `shared` says. */
export async function readShared(
  db: Kysely<Database>,
  { projectId }: RequestContext,
  { type, ids }: { readonly type: SharedType; readonly ids: readonly string[] },
): Promise<ReadonlySet<string>> {
  const rows = await inChunks(ids, (piece) =>
    db
      .selectFrom("rbac_policies")
      .select("object_id")
      .where("object_type", "=", type)
      .where("action", "=", "access_as_shared")
      .where("target_project", "in", [everybody, projectId])
      .where("object_id", "in", piece)
      .execute(),
  );
  return new Set(rows.map((row) => row.object_id));
}

interface SharedObject {
  readonly type: SharedType;
  readonly id: string;
  readonly projectId: string;
}

export async function shareWithEverybody(
  trx: Trx,
  { type, id, projectId }: SharedObject,
  action: SharedAction = "access_as_shared",
): Promise<void> {
  await trx
    .insertInto("rbac_policies")
    .values({
      id: randomUUID(),
      project_id: projectId,
      object_type: type,
      object_id: id,
      action,
      target_project: everybody,
    })
    .onConflict((conflict) => conflict.columns(["object_type", "object_id", "action", "target_project"]).doNothing())
    .execute();
}

interface Asked {
  readonly rows: readonly { readonly id: string; readonly project_id: string }[];
  /** Same order. */
  readonly bodies: readonly Attributes[];
}

/** New objects whose owners want them shared. */
export async function shareAsAsked(trx: Trx, type: SharedType, { rows, bodies }: Asked): Promise<void> {
  for (const [index, { id, project_id: projectId }] of rows.entries()) {
    if (bodies[index]?.["shared"] === true) await shareWithEverybody(trx, { type, id, projectId });
  }
}

/** Objects with what all have, whether they are shared with the caller, and what `own` says. */
export async function presentShared<Row extends Readonly<StandardColumns>>(
  db: Kysely<Database>,
  rows: readonly Row[],
  { type, context, own }: SharedView<Row>,
): Promise<readonly Attributes[]> {
  const shared = await readShared(db, context, { type, ids: rows.map((row) => row.id) });
  return rows.map((row) => ({ ...common(row), ...own(row), shared: shared.has(row.id) }));
}

interface SharedView<Row> {
  readonly type: SharedType;
  readonly context: RequestContext;
  readonly own: (row: Row) => Attributes;
}

/** When the object goes. */
export async function forgetSharing(trx: Trx, { type, id }: Pick<SharedObject, "type" | "id">): Promise<void> {
  await trx.deleteFrom("rbac_policies").where("object_type", "=", type).where("object_id", "=", id).execute();
}
