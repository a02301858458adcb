import { type Kysely, sql } from "kysely";

/** Carriers that networks may not share; and from which revision on the word of an agent makes a port ACTIVE. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await freeDuplicates(db, "flat", ["physical_network"]);
  await freeDuplicates(db, "vlan", ["physical_network", "segmentation_id"]);
  await freeDuplicates(db, "vxlan", ["segmentation_id"]);
  await db.schema
    .alterTable("ports")
    .addColumn("ready_from_revision", "integer", (column) => column.notNull().defaultTo(0))
    .execute();
}

/** Of networks that share a carrier the first keeps it. The others become local, which they always were in effect. */
async function freeDuplicates(db: Kysely<unknown>, type: "flat" | "vlan" | "vxlan", columns: readonly string[]): Promise<void> {
  const same = sql.join(
    columns.map((column) => sql`${sql.ref(`earlier.${column}`)} = ${sql.ref(`networks.${column}`)}`),
    sql` and `,
  );
  await sql`update networks set network_type = 'local', physical_network = null, segmentation_id = null
    where network_type = ${type} and exists (select 1 from networks earlier where earlier.network_type = ${type} and ${same}
      and (earlier.created_at < networks.created_at or (earlier.created_at = networks.created_at and earlier.id < networks.id)))`.execute(
    db,
  );
  const named = sql.join(columns.map((column) => sql.ref(column)));
  await sql`create unique index ${sql.ref(`networks_${type}`)} on networks (${named}) where network_type = ${sql.lit(type)}`.execute(
    db,
  );
}
