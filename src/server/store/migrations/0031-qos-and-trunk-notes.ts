import type { Kysely } from "kysely";
import { noteChanges } from "./notification-triggers.ts";

const project = "project_id";

/** Changes of policies, trunks and helpers are news, too. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await noteChanges(db, [
    { table: "qos_policies", resource: "policy", project, news: ["revision_number"] },
    { table: "qos_rules", resource: "qos_rule", hasNoRevision: true },
    { table: "trunks", resource: "trunk", project, news: ["revision_number", "status"] },
    { table: "conntrack_helpers", resource: "conntrack_helper", hasNoRevision: true },
  ]);
}
