import { type Kysely, sql } from "kysely";

const columns = [
  "network_id",
  "ip_address",
  "ip_key",
  "port_id",
  "mac_address",
  "hostname",
  "expires_at",
  "last_seen_at",
  "host",
] as const;

/** Leases have an id of their own, by which lists go page by page, and go with their port as they go with their network. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable("leases").renameTo("leases_before").execute();
  await db.schema
    .createTable("leases")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("network_id", "text", (column) => column.notNull().references("networks.id").onDelete("cascade"))
    .addColumn("ip_address", "text", (column) => column.notNull())
    .addColumn("ip_key", "text", (column) => column.notNull())
    .addColumn("port_id", "text", (column) => column.references("ports.id").onDelete("cascade"))
    .addColumn("mac_address", "text")
    .addColumn("hostname", "text")
    .addColumn("expires_at", "text")
    .addColumn("last_seen_at", "text", (column) => column.notNull())
    .addColumn("host", "text", (column) => column.notNull())
    .execute();
  const named = sql.join(columns.map((column) => sql.ref(column)));
  await sql`insert into leases (id, ${named}) select network_id || '_' || ip_address, ${named} from leases_before
    where port_id is null or port_id in (select id from ports)`.execute(db);
  await db.schema.dropTable("leases_before").execute();
  for (const column of ["network_id", "port_id", "expires_at"]) {
    await db.schema.createIndex(`leases_${column}`).on("leases").column(column).execute();
  }
}
