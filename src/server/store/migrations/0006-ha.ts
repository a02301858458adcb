import type { Kysely } from "kysely";

/**
 * High availability of routers: one network for each project that has such routers, and the number by which each router is told
 * from the others on that network. Both are unique, so that racing servers cannot make two networks or give a number twice.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("ha_networks")
    .addColumn("project_id", "text", (column) => column.primaryKey())
    // Not a reference: the row comes first, so that of several who want the network one makes it.
    .addColumn("network_id", "text", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("ha_routers")
    .addColumn("router_id", "text", (column) => column.primaryKey().references("routers.id").onDelete("cascade"))
    .addColumn("project_id", "text", (column) => column.notNull().references("ha_networks.project_id"))
    .addColumn("vr_id", "integer", (column) => column.notNull())
    .addUniqueConstraint("ha_routers_number", ["project_id", "vr_id"])
    .execute();
}
