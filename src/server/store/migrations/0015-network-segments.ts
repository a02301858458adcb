import { randomUUID } from "node:crypto";
import { type Kysely, type SchemaModule, sql } from "kysely";

const carrierColumns = ["network_type", "physical_network", "segmentation_id"] as const;

/** Networks of several parts: what carried a network is now a row of its own. Ranges that segment ids are taken from. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await createSegments(db.schema);
  await moveCarriers(db);
  for (const index of ["networks_flat", "networks_vlan", "networks_vxlan"]) await db.schema.dropIndex(index).execute();
  for (const column of carrierColumns) await db.schema.alterTable("networks").dropColumn(column).execute();
  await createRanges(db.schema);
  await db.schema
    .alterTable("networks")
    .addColumn("is_default", "integer", (column) => column.notNull().defaultTo(0))
    .execute();
  const onlyDefault = db.schema.createIndex("networks_default").unique().on("networks").column("is_default");
  await onlyDefault.where("is_default", "=", sql.lit(1)).execute();
  await db.schema.alterTable("subnets").addColumn("segment_id", "text").execute();
  await db.schema.createIndex("subnets_segment").on("subnets").column("segment_id").execute();
}

async function createSegments(schema: SchemaModule): Promise<void> {
  await schema
    .createTable("network_segments")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("network_id", "text", (column) => column.notNull().references("networks.id").onDelete("cascade"))
    .addColumn("position", "integer", (column) => column.notNull())
    .addColumn("network_type", "text", (column) => column.notNull())
    .addColumn("physical_network", "text")
    .addColumn("segmentation_id", "integer")
    .addColumn("name", "text")
    .addColumn("description", "text", (column) => column.notNull())
    .addColumn("revision_number", "integer", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .addColumn("updated_at", "text", (column) => column.notNull())
    .execute();
  await schema.createIndex("segments_network").on("network_segments").column("network_id").execute();
  const unique = (type: string, columns: string[]) =>
    schema
      .createIndex(`segments_${type}`)
      .unique()
      .on("network_segments")
      .columns(columns)
      .where("network_type", "=", sql.lit(type));
  await unique("flat", ["physical_network"]).execute();
  await unique("vlan", ["physical_network", "segmentation_id"]).execute();
  await unique("vxlan", ["segmentation_id"]).execute();
}

interface OldNetwork {
  readonly id: string;
  readonly network_type: string | null;
  readonly physical_network: string | null;
  readonly segmentation_id: number | null;
  readonly created_at: string;
}

async function moveCarriers(db: Kysely<unknown>): Promise<void> {
  const { rows } =
    await sql<OldNetwork>`select id, network_type, physical_network, segmentation_id, created_at from networks`.execute(db);
  for (const { id, network_type, physical_network, segmentation_id, created_at } of rows) {
    await sql`insert into network_segments (id, network_id, position, network_type, physical_network, segmentation_id, name,
        description, revision_number, created_at, updated_at)
      values (${randomUUID()}, ${id}, 0, ${network_type ?? "local"}, ${physical_network}, ${segmentation_id}, null,
        '', 1, ${created_at}, ${created_at})`.execute(db);
  }
}

async function createRanges(schema: SchemaModule): Promise<void> {
  await schema
    .createTable("network_segment_ranges")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("project_id", "text", (column) => column.notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("description", "text", (column) => column.notNull())
    .addColumn("tags", "text", (column) => column.notNull().defaultTo("[]"))
    .addColumn("is_default", "integer", (column) => column.notNull())
    .addColumn("shared", "integer", (column) => column.notNull())
    .addColumn("network_type", "text", (column) => column.notNull())
    .addColumn("physical_network", "text")
    .addColumn("minimum", "integer", (column) => column.notNull())
    .addColumn("maximum", "integer", (column) => column.notNull())
    .addColumn("next_id", "integer", (column) => column.notNull())
    .addColumn("revision_number", "integer", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .addColumn("updated_at", "text", (column) => column.notNull())
    .execute();
}
