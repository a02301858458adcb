import type { Kysely, SchemaModule } from "kysely";
import { standardColumns } from "./standard-columns.ts";

/** Trunks with their subports, helpers of routers, bindings of ports beside the one in force, and what operators say of ports. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await createTrunks(db);
  await createHelpers(db.schema);
  await createBindings(db.schema);
  const ports = db.schema.alterTable("ports");
  await ports.addColumn("dns_domain", "text", (column) => column.notNull().defaultTo("")).execute();
  await ports.addColumn("data_plane_status", "text").execute();
}

async function createTrunks(db: Kysely<unknown>): Promise<void> {
  await standardColumns(db.schema.createTable("trunks"))
    .addColumn("admin_state_up", "integer", (column) => column.notNull())
    .addColumn("status", "text", (column) => column.notNull())
    .addColumn("port_id", "text", (column) => column.notNull().unique().references("ports.id"))
    .execute();
  await db.schema.createIndex("trunks_project").on("trunks").column("project_id").execute();
  await db.schema
    .createTable("trunk_subports")
    .addColumn("port_id", "text", (column) => column.primaryKey().references("ports.id"))
    .addColumn("trunk_id", "text", (column) => column.notNull().references("trunks.id").onDelete("cascade"))
    .addColumn("segmentation_type", "text", (column) => column.notNull())
    .addColumn("segmentation_id", "integer", (column) => column.notNull())
    .addUniqueConstraint("trunk_subports_segment", ["trunk_id", "segmentation_type", "segmentation_id"])
    .execute();
}

async function createHelpers(schema: SchemaModule): Promise<void> {
  await schema
    .createTable("conntrack_helpers")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("router_id", "text", (column) => column.notNull().references("routers.id").onDelete("cascade"))
    .addColumn("protocol", "text", (column) => column.notNull())
    .addColumn("port", "integer", (column) => column.notNull())
    .addColumn("helper", "text", (column) => column.notNull())
    .addUniqueConstraint("conntrack_helpers_one", ["router_id", "protocol", "port", "helper"])
    .execute();
}

async function createBindings(schema: SchemaModule): Promise<void> {
  await schema
    .createTable("port_bindings")
    .addColumn("port_id", "text", (column) => column.notNull().references("ports.id").onDelete("cascade"))
    .addColumn("host", "text", (column) => column.notNull())
    .addColumn("vnic_type", "text", (column) => column.notNull())
    .addColumn("profile", "text", (column) => column.notNull())
    .addColumn("vif_type", "text", (column) => column.notNull())
    .addColumn("vif_details", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("port_bindings_key", ["port_id", "host"])
    .execute();
}
