import { type Kysely, PostgresAdapter, sql } from "kysely";
import { noteChanges, type NotedTable } from "./notification-triggers.ts";

const withStatus = ["revision_number", "status"] as const;
const plain = ["revision_number"] as const;
const project = "project_id";

const tables: readonly NotedTable[] = [
  { table: "networks", resource: "network", project, news: withStatus },
  { table: "subnets", resource: "subnet", project, news: plain },
  { table: "ports", resource: "port", project, news: withStatus },
  { table: "routers", resource: "router", project, news: withStatus },
  { table: "floating_ips", resource: "floatingip", project, news: withStatus },
  { table: "port_forwardings", resource: "port_forwarding", news: plain },
  { table: "address_scopes", resource: "address_scope", project, news: plain },
  { table: "subnet_pools", resource: "subnetpool", project, news: plain },
  { table: "rbac_policies", resource: "rbac_policy", project, hasNoRevision: true },
];

/** Notes of changes for users outside; see notification-triggers.ts. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const isPostgres = db.getExecutor().adapter instanceof PostgresAdapter;
  await db.schema
    .createTable("notifications")
    .addColumn("id", isPostgres ? "bigserial" : "integer", (column) =>
      isPostgres ? column.primaryKey() : column.primaryKey().autoIncrement(),
    )
    .addColumn("resource", "text", (column) => column.notNull())
    .addColumn("object_id", "text", (column) => column.notNull())
    .addColumn("action", "text", (column) => column.notNull())
    .addColumn("project_id", "text")
    .addColumn("revision_number", "integer")
    .addColumn("request_id", "text")
    .addColumn("traceparent", "text")
    .addColumn("created_at", "text")
    .execute();
  await sql`create index notifications_unstamped on notifications (id) where created_at is null`.execute(db);
  await noteChanges(db, tables);
}
