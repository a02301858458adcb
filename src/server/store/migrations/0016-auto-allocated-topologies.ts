import type { Kysely } from "kysely";

/** What was made for projects that asked for a network of any kind. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("auto_allocated_topologies")
    .addColumn("project_id", "text", (column) => column.primaryKey())
    .addColumn("network_id", "text", (column) => column.notNull().references("networks.id").onDelete("cascade"))
    .addColumn("router_id", "text", (column) => column.notNull())
    .execute();
}
