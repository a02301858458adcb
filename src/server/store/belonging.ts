// Rows that belong to objects of another table: rules of policies and groups, helpers of routers, forwardings of floating IPs.
import type { Kysely, Selectable } from "kysely";
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
    // The casts: kysely wants to know one table.
    const query = db.selectFrom(table as "conntrack_helpers").selectAll();
    const found: unknown = await query
      .where(owner as "router_id", "in", piece)
      .orderBy("id")
      .execute();
    return found as readonly Selectable<Database[Table]>[];
  });
  return Map.groupBy(rows, (row) => String(row[owner]));
}
