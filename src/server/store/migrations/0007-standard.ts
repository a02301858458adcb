import type { Kysely } from "kysely";

const taggable = ["networks", "subnets", "ports", "routers", "floating_ips"] as const;

/** Tags; objects that are shared with other projects; limits of what a project may have. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const table of taggable) {
    await db.schema
      .alterTable(table)
      .addColumn("tags", "text", (column) => column.notNull().defaultTo("[]"))
      .execute();
  }
  await db.schema
    .createTable("rbac_policies")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("project_id", "text", (column) => column.notNull())
    .addColumn("object_type", "text", (column) => column.notNull())
    .addColumn("object_id", "text", (column) => column.notNull())
    .addColumn("action", "text", (column) => column.notNull())
    .addColumn("target_project", "text", (column) => column.notNull())
    .addUniqueConstraint("rbac_policies_once", ["object_type", "object_id", "action", "target_project"])
    .execute();
  await db.schema
    .createTable("quotas")
    .addColumn("project_id", "text", (column) => column.notNull())
    .addColumn("resource", "text", (column) => column.notNull())
    .addColumn("max_count", "integer", (column) => column.notNull())
    .addPrimaryKeyConstraint("quotas_once", ["project_id", "resource"])
    .execute();
}
