import { randomUUID } from "node:crypto";
import { type CreateTableBuilder, type Kysely, sql } from "kysely";
import { standardColumns } from "./standard-columns.ts";

/** Address groups, security groups with their rules and the templates of these, and the groups of each port. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await createAddressGroups(db);
  await createSecurityGroups(db);
  await createRules(db);
  await createTemplates(db);
  await createPortGroups(db);
}

async function createAddressGroups(db: Kysely<unknown>): Promise<void> {
  await standardColumns(db.schema.createTable("address_groups"))
    .addColumn("addresses", "text", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("address_groups_project").on("address_groups").column("project_id").execute();
}

async function createSecurityGroups(db: Kysely<unknown>): Promise<void> {
  await standardColumns(db.schema.createTable("security_groups"))
    .addColumn("stateful", "integer", (column) => column.notNull())
    .addColumn("is_default", "integer", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("security_groups_project").on("security_groups").column("project_id").execute();
  // One default group per project, however many servers make it at once.
  await db.schema
    .createIndex("security_groups_one_default")
    .unique()
    .on("security_groups")
    .column("project_id")
    .where(sql<boolean>`is_default = 1`)
    .execute();
}

/** What a rule and a template of one have in common. */
function ruleColumns(table: CreateTableBuilder<string>): CreateTableBuilder<string, string> {
  return table
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("project_id", "text", (column) => column.notNull())
    .addColumn("description", "text", (column) => column.notNull())
    .addColumn("revision_number", "integer", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .addColumn("updated_at", "text", (column) => column.notNull())
    .addColumn("direction", "text", (column) => column.notNull())
    .addColumn("ethertype", "text", (column) => column.notNull())
    .addColumn("protocol", "text")
    .addColumn("port_range_min", "integer")
    .addColumn("port_range_max", "integer")
    .addColumn("remote_ip_prefix", "text")
    .addColumn("normalized_cidr", "text")
    .addColumn("match_key", "text", (column) => column.notNull())
    .addColumn("remote_address_group_id", "text", (column) => column.references("address_groups.id"));
}

async function createRules(db: Kysely<unknown>): Promise<void> {
  await ruleColumns(db.schema.createTable("security_group_rules"))
    .addColumn("security_group_id", "text", (column) => column.notNull().references("security_groups.id").onDelete("cascade"))
    .addColumn("remote_group_id", "text", (column) => column.references("security_groups.id").onDelete("cascade"))
    .addUniqueConstraint("security_group_rules_once", ["security_group_id", "match_key"])
    .execute();
  for (const column of ["project_id", "remote_group_id", "remote_address_group_id"]) {
    await db.schema.createIndex(`security_group_rules_${column}`).on("security_group_rules").column(column).execute();
  }
}

async function createTemplates(db: Kysely<unknown>): Promise<void> {
  await ruleColumns(db.schema.createTable("default_security_group_rules"))
    .addColumn("remote_group_id", "text")
    .addColumn("used_in_default_sg", "integer", (column) => column.notNull())
    .addColumn("used_in_non_default_sg", "integer", (column) => column.notNull())
    .addUniqueConstraint("default_security_group_rules_once", ["match_key"])
    .execute();
  const now = `${new Date().toISOString().slice(0, 19)}Z`;
  for (const ethertype of ["IPv4", "IPv6"]) {
    for (const direction of ["egress", "ingress"]) {
      const remote = direction === "ingress" ? "PARENT" : null;
      const key = JSON.stringify([direction, ethertype, null, null, null, remote, null, null]);
      await sql`insert into default_security_group_rules (
          id, project_id, description, revision_number, created_at, updated_at,
          direction, ethertype, match_key, remote_group_id, used_in_default_sg, used_in_non_default_sg
        ) values (
          ${randomUUID()}, '', '', 1, ${now}, ${now},
          ${direction}, ${ethertype}, ${key}, ${remote}, 1, ${remote === null ? 1 : 0}
        )`.execute(db);
    }
  }
}

async function createPortGroups(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("port_security_groups")
    .addColumn("port_id", "text", (column) => column.notNull().references("ports.id").onDelete("cascade"))
    .addColumn("security_group_id", "text", (column) => column.notNull().references("security_groups.id"))
    .addPrimaryKeyConstraint("port_security_groups_once", ["port_id", "security_group_id"])
    .execute();
  await db.schema.createIndex("port_security_groups_group").on("port_security_groups").column("security_group_id").execute();
}
