import type { CreateTableBuilder, Kysely } from "kysely";

function standardColumns<T extends string, C extends string>(table: CreateTableBuilder<T, C>) {
  return table
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("project_id", "text", (column) => column.notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("description", "text", (column) => column.notNull())
    .addColumn("revision_number", "integer", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .addColumn("updated_at", "text", (column) => column.notNull());
}

async function createNetworks(db: Kysely<unknown>): Promise<void> {
  await standardColumns(db.schema.createTable("networks"))
    .addColumn("admin_state_up", "integer", (column) => column.notNull())
    .addColumn("status", "text", (column) => column.notNull())
    .addColumn("shared", "integer", (column) => column.notNull())
    .addColumn("is_external", "integer", (column) => column.notNull())
    .addColumn("mtu", "integer", (column) => column.notNull())
    .addColumn("port_security_enabled", "integer", (column) => column.notNull())
    .addColumn("dns_domain", "text", (column) => column.notNull())
    .addColumn("network_type", "text")
    .addColumn("physical_network", "text")
    .addColumn("segmentation_id", "integer")
    .addColumn("availability_zone_hints", "text", (column) => column.notNull())
    .execute();
}

async function createSubnets(db: Kysely<unknown>): Promise<void> {
  await standardColumns(db.schema.createTable("subnets"))
    .addColumn("network_id", "text", (column) => column.notNull().references("networks.id").onDelete("cascade"))
    .addColumn("ip_version", "integer", (column) => column.notNull())
    .addColumn("cidr", "text", (column) => column.notNull())
    .addColumn("first_key", "text", (column) => column.notNull())
    .addColumn("last_key", "text", (column) => column.notNull())
    .addColumn("gateway_ip", "text")
    .addColumn("enable_dhcp", "integer", (column) => column.notNull())
    .addColumn("ipv6_ra_mode", "text")
    .addColumn("ipv6_address_mode", "text")
    .addColumn("allocation_pools", "text", (column) => column.notNull())
    .addColumn("dns_nameservers", "text", (column) => column.notNull())
    .addColumn("host_routes", "text", (column) => column.notNull())
    .addColumn("service_types", "text", (column) => column.notNull())
    .addColumn("dns_publish_fixed_ip", "integer", (column) => column.notNull())
    .addColumn("next_key", "text", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("subnets_network").on("subnets").column("network_id").execute();
}

async function createPorts(db: Kysely<unknown>): Promise<void> {
  await standardColumns(db.schema.createTable("ports"))
    .addColumn("network_id", "text", (column) => column.notNull().references("networks.id"))
    .addColumn("admin_state_up", "integer", (column) => column.notNull())
    .addColumn("mac_address", "text", (column) => column.notNull())
    .addColumn("status", "text", (column) => column.notNull())
    .addColumn("device_id", "text", (column) => column.notNull())
    .addColumn("device_owner", "text", (column) => column.notNull())
    .addColumn("binding_host_id", "text", (column) => column.notNull())
    .addColumn("binding_vnic_type", "text", (column) => column.notNull())
    .addColumn("binding_profile", "text", (column) => column.notNull())
    .addColumn("binding_vif_type", "text", (column) => column.notNull())
    .addColumn("binding_vif_details", "text", (column) => column.notNull())
    .addColumn("port_security_enabled", "integer", (column) => column.notNull())
    .addColumn("allowed_address_pairs", "text", (column) => column.notNull())
    .addColumn("extra_dhcp_opts", "text", (column) => column.notNull())
    .addColumn("dns_name", "text", (column) => column.notNull())
    .addColumn("ip_allocation", "text", (column) => column.notNull())
    .addColumn("dhcp_ready_revision", "integer", (column) => column.notNull())
    .addUniqueConstraint("ports_network_mac", ["network_id", "mac_address"])
    .execute();
  await db.schema.createIndex("ports_device").on("ports").column("device_id").execute();
  await db.schema
    .createTable("fixed_ips")
    .addColumn("port_id", "text", (column) => column.notNull().references("ports.id").onDelete("cascade"))
    .addColumn("network_id", "text", (column) => column.notNull())
    .addColumn("subnet_id", "text", (column) => column.notNull().references("subnets.id"))
    .addColumn("ip_address", "text", (column) => column.notNull())
    .addColumn("ip_key", "text", (column) => column.notNull())
    .addColumn("position", "integer", (column) => column.notNull())
    .addPrimaryKeyConstraint("fixed_ips_primary", ["subnet_id", "ip_key"])
    .execute();
  await db.schema.createIndex("fixed_ips_port").on("fixed_ips").column("port_id").execute();
}

async function createAgents(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("agents")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("agent_type", "text", (column) => column.notNull())
    .addColumn("role", "text", (column) => column.notNull())
    .addColumn("binary_name", "text", (column) => column.notNull())
    .addColumn("host", "text", (column) => column.notNull())
    .addColumn("topic", "text", (column) => column.notNull())
    .addColumn("availability_zone", "text", (column) => column.notNull())
    .addColumn("admin_state_up", "integer", (column) => column.notNull())
    .addColumn("description", "text")
    .addColumn("configurations", "text", (column) => column.notNull())
    .addColumn("boot_id", "text", (column) => column.notNull())
    .addColumn("phase", "text", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .addColumn("started_at", "text", (column) => column.notNull())
    .addColumn("heartbeat_at", "text", (column) => column.notNull())
    .addUniqueConstraint("agents_type_host", ["agent_type", "host"])
    .execute();
  await db.schema
    .createTable("network_dhcp_agents")
    .addColumn("network_id", "text", (column) => column.notNull().references("networks.id").onDelete("cascade"))
    .addColumn("agent_id", "text", (column) => column.notNull().references("agents.id").onDelete("cascade"))
    .addColumn("slot", "integer", (column) => column.notNull())
    .addPrimaryKeyConstraint("network_dhcp_agents_primary", ["network_id", "agent_id"])
    .addUniqueConstraint("network_dhcp_agents_slot", ["network_id", "slot"])
    .execute();
  await db.schema.createIndex("network_dhcp_agents_agent").on("network_dhcp_agents").column("agent_id").execute();
}

async function createStreams(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("streams")
    .addColumn("role", "text", (column) => column.notNull())
    .addColumn("host", "text", (column) => column.notNull())
    .addColumn("head", "integer", (column) => column.notNull())
    .addPrimaryKeyConstraint("streams_primary", ["role", "host"])
    .execute();
  await db.schema
    .createTable("outbox")
    .addColumn("role", "text", (column) => column.notNull())
    .addColumn("host", "text", (column) => column.notNull())
    .addColumn("seq", "integer", (column) => column.notNull())
    .addColumn("item", "text", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("outbox_primary", ["role", "host", "seq"])
    .execute();
  await db.schema.createIndex("outbox_created").on("outbox").column("created_at").execute();
}

async function createLeases(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("leases")
    .addColumn("network_id", "text", (column) => column.notNull().references("networks.id").onDelete("cascade"))
    .addColumn("ip_address", "text", (column) => column.notNull())
    .addColumn("ip_key", "text", (column) => column.notNull())
    .addColumn("port_id", "text")
    .addColumn("mac_address", "text")
    .addColumn("hostname", "text")
    .addColumn("expires_at", "text")
    .addColumn("last_seen_at", "text", (column) => column.notNull())
    .addColumn("host", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("leases_primary", ["network_id", "ip_address"])
    .execute();
}

export async function up(db: Kysely<unknown>): Promise<void> {
  await createNetworks(db);
  await createSubnets(db);
  await createPorts(db);
  await createAgents(db);
  await createStreams(db);
  await createLeases(db);
  await db.schema
    .createTable("meta")
    .addColumn("key", "text", (column) => column.primaryKey())
    .addColumn("value", "text", (column) => column.notNull())
    .execute();
}
