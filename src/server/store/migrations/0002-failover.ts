import { type Kysely, sql } from "kysely";

/** Who does what only one server may do at a time, and agents by the name that subjects have for them. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("jobs")
    .addColumn("name", "text", (column) => column.primaryKey())
    .addColumn("holder", "text", (column) => column.notNull())
    .addColumn("expires_at", "text", (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex("agents_token")
    .on("agents")
    .columns(["role"])
    .expression(sql`lower(replace(host, '.', '_'))`)
    .execute();
}
