import { type Kysely, sql } from "kysely";
import { standardColumns } from "./standard-columns.ts";

/** Policies of quality of service, their rules, and who has which. The references make a policy that somebody has stay. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await standardColumns(db.schema.createTable("qos_policies"))
    .addColumn("is_default", "integer", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("qos_policies_project").on("qos_policies").column("project_id").execute();
  await sql`create unique index qos_policies_default on qos_policies (project_id) where is_default = 1`.execute(db);
  await db.schema
    .createTable("qos_rules")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("qos_policy_id", "text", (column) => column.notNull().references("qos_policies.id").onDelete("cascade"))
    .addColumn("type", "text", (column) => column.notNull())
    .addColumn("direction", "text", (column) => column.notNull())
    .addColumn("value", "integer", (column) => column.notNull())
    .addColumn("burst", "integer", (column) => column.notNull())
    .addUniqueConstraint("qos_rules_one", ["qos_policy_id", "type", "direction"])
    .execute();
  for (const table of ["networks", "ports", "floating_ips", "routers"]) {
    const { schema } = db;
    await schema
      .alterTable(table)
      .addColumn("qos_policy_id", "text", (column) => column.references("qos_policies.id"))
      .execute();
    const index = schema.createIndex(`${table}_qos_policy`).on(table).column("qos_policy_id");
    await index.where("qos_policy_id", "is not", null).execute();
  }
}
