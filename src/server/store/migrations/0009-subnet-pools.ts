import { type Kysely, sql } from "kysely";
import { standardColumns } from "./standard-columns.ts";

export async function up(db: Kysely<unknown>): Promise<void> {
  await standardColumns(db.schema.createTable("subnet_pools"))
    .addColumn("ip_version", "integer", (column) => column.notNull())
    .addColumn("prefixes", "text", (column) => column.notNull())
    .addColumn("default_prefixlen", "integer", (column) => column.notNull())
    .addColumn("min_prefixlen", "integer", (column) => column.notNull())
    .addColumn("max_prefixlen", "integer", (column) => column.notNull())
    .addColumn("default_quota", "integer")
    .addColumn("is_default", "integer", (column) => column.notNull())
    .addColumn("address_scope_id", "text", (column) => column.references("address_scopes.id"))
    .execute();
  await db.schema.createIndex("subnet_pools_project").on("subnet_pools").column("project_id").execute();
  await db.schema.createIndex("subnet_pools_scope").on("subnet_pools").column("address_scope_id").execute();
  await sql`create unique index subnet_pools_default on subnet_pools (ip_version) where is_default = 1`.execute(db);
  await db.schema
    .alterTable("subnets")
    .addColumn("subnetpool_id", "text", (column) => column.references("subnet_pools.id"))
    .execute();
  await db.schema.createIndex("subnets_pool").on("subnets").column("subnetpool_id").execute();
}
