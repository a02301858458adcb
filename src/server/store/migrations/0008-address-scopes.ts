import type { Kysely } from "kysely";
import { standardColumns } from "./standard-columns.ts";

export async function up(db: Kysely<unknown>): Promise<void> {
  await standardColumns(db.schema.createTable("address_scopes"))
    .addColumn("ip_version", "integer", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("address_scopes_project").on("address_scopes").column("project_id").execute();
}
