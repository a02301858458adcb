// Rows that belong to objects of another table: rules of policies and groups, helpers of routers, forwardings of floating IPs.
import { type Kysely, type Selectable, sql } from "kysely";
import { inChunks } from "./rows.ts";
import type { Database } from "./schema.ts";

/**
 * By the object that they belong to, in the order of their own ids.
 *
 * @param owner the column with the object's id
 */
export async function readBelonging<Table extends keyof Database>(
  db: Kysely<Database>,
  table: Table,
  { owner, ids }: { readonly owner: keyof Selectable<Database[Table]> & string; readonly ids: readonly string[] },
): Promise<ReadonlyMap<string, readonly Selectable<Database[Table]>[]>> {
  const rows = await inChunks(ids, async (piece) => {
    const condition = sql`${sql.ref(owner)} in (${sql.join(piece)})`;
    const query = sql<Selectable<Database[Table]>>`select * from ${sql.table(table)} where ${condition} order by id`;
    return (await query.execute(db)).rows;
  });
  return Map.groupBy(rows, (row) => String(row[owner]));
}
