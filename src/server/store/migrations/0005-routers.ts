import { type Kysely, sql } from "kysely";

async function createRouters(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("routers")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("project_id", "text", (column) => column.notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("description", "text", (column) => column.notNull())
    .addColumn("revision_number", "integer", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .addColumn("updated_at", "text", (column) => column.notNull())
    .addColumn("admin_state_up", "integer", (column) => column.notNull())
    .addColumn("status", "text", (column) => column.notNull())
    .addColumn("status_reason", "text")
    .addColumn("status_from_revision", "integer", (column) => column.notNull())
    .addColumn("enable_snat", "integer", (column) => column.notNull())
    .addColumn("ha", "integer", (column) => column.notNull())
    .addColumn("is_parked", "integer", (column) => column.notNull())
    .addColumn("routes", "text", (column) => column.notNull())
    .addColumn("availability_zone_hints", "text", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("router_ports")
    .addColumn("port_id", "text", (column) => column.primaryKey().references("ports.id"))
    .addColumn("router_id", "text", (column) => column.notNull().references("routers.id"))
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("agent_id", "text", (column) => column.references("agents.id"))
    .execute();
  await db.schema.createIndex("router_ports_router").on("router_ports").column("router_id").execute();
  // One way out each.
  await sql`create unique index router_ports_gateway on router_ports (router_id) where kind = 'gateway'`.execute(db);
  await db.schema
    .createTable("router_l3_agents")
    .addColumn("router_id", "text", (column) => column.notNull().references("routers.id").onDelete("cascade"))
    .addColumn("agent_id", "text", (column) => column.notNull().references("agents.id").onDelete("cascade"))
    .addColumn("slot", "integer", (column) => column.notNull())
    .addColumn("ha_state", "text")
    .addPrimaryKeyConstraint("router_l3_agents_primary", ["router_id", "agent_id"])
    .addUniqueConstraint("router_l3_agents_slot", ["router_id", "slot"])
    .execute();
  await db.schema.createIndex("router_l3_agents_agent").on("router_l3_agents").column("agent_id").execute();
}

async function createFloatingIps(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("floating_ips")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("project_id", "text", (column) => column.notNull())
    .addColumn("description", "text", (column) => column.notNull())
    .addColumn("revision_number", "integer", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .addColumn("updated_at", "text", (column) => column.notNull())
    .addColumn("floating_network_id", "text", (column) => column.notNull().references("networks.id"))
    .addColumn("floating_port_id", "text", (column) => column.notNull().unique().references("ports.id"))
    .addColumn("floating_ip_address", "text", (column) => column.notNull())
    .addColumn("fixed_port_id", "text", (column) => column.references("ports.id"))
    .addColumn("fixed_ip_address", "text")
    .addColumn("router_id", "text", (column) => column.references("routers.id"))
    .addColumn("last_known_router_id", "text")
    .addColumn("status", "text", (column) => column.notNull())
    .addColumn("status_reason", "text")
    .addColumn("status_from_revision", "integer", (column) => column.notNull())
    .addColumn("dns_name", "text", (column) => column.notNull())
    .addColumn("dns_domain", "text", (column) => column.notNull())
    .execute();
  // Two floating IPs of one external network never lead to the same place.
  await db.schema
    .createIndex("floating_ips_fixed")
    .unique()
    .on("floating_ips")
    .columns(["fixed_port_id", "fixed_ip_address", "floating_network_id"])
    .execute();
  await db.schema.createIndex("floating_ips_router").on("floating_ips").column("router_id").execute();
  await db.schema.createIndex("floating_ips_network").on("floating_ips").column("floating_network_id").execute();
  await db.schema
    .createTable("port_forwardings")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("floatingip_id", "text", (column) => column.notNull().references("floating_ips.id"))
    .addColumn("description", "text", (column) => column.notNull())
    .addColumn("revision_number", "integer", (column) => column.notNull())
    .addColumn("protocol", "text", (column) => column.notNull())
    .addColumn("internal_port_id", "text", (column) => column.notNull().references("ports.id"))
    .addColumn("internal_ip_address", "text", (column) => column.notNull())
    .addColumn("internal_first", "integer")
    .addColumn("internal_last", "integer")
    .addColumn("external_first", "integer")
    .addColumn("external_last", "integer")
    .execute();
  await db.schema.createIndex("port_forwardings_fip").on("port_forwardings").column("floatingip_id").execute();
  await db.schema.createIndex("port_forwardings_port").on("port_forwardings").column("internal_port_id").execute();
}

/** Routers and what stands on them. Their ports cannot go while they are in use: the database itself refuses. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await createRouters(db);
  await createFloatingIps(db);
}
