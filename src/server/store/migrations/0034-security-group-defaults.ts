import type { Kysely } from "kysely";
import { noteChanges } from "./notification-triggers.ts";

/** What new security groups of a project are that do not say; of all projects where `project_id` is empty. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("security_group_defaults")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("project_id", "text", (column) => column.notNull().unique())
    .addColumn("stateful", "integer", (column) => column.notNull())
    .addColumn("revision_number", "integer", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .addColumn("updated_at", "text", (column) => column.notNull())
    .execute();
  await noteChanges(db, [
    {
      table: "security_group_defaults",
      resource: "security_groups_default_statefulness",
      project: "project_id",
      news: ["revision_number"],
    },
  ]);
}
