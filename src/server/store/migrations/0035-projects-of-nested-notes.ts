import type { Kysely } from "kysely";
import { forgetChanges, noteChanges, type NotedTable } from "./notification-triggers.ts";

const tables: readonly NotedTable[] = [
  {
    table: "port_forwardings",
    resource: "port_forwarding",
    owner: { table: "floating_ips", column: "floatingip_id" },
    news: ["revision_number"],
  },
  {
    table: "qos_rules",
    resource: "qos_rule",
    owner: { table: "qos_policies", column: "qos_policy_id" },
    hasNoRevision: true,
  },
  {
    table: "conntrack_helpers",
    resource: "conntrack_helper",
    owner: { table: "routers", column: "router_id" },
    hasNoRevision: true,
  },
];

/** Objects inside others are noted with the project of what they are in. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await forgetChanges(db, tables);
  await noteChanges(db, tables);
}
