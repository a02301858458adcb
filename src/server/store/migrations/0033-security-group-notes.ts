import type { Kysely } from "kysely";
import { noteChanges } from "./notification-triggers.ts";

const news = ["revision_number"] as const;
const project = "project_id";

/** Users outside hear of security groups, their rules and address groups, too. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await noteChanges(db, [
    { table: "security_groups", resource: "security_group", project, news },
    { table: "security_group_rules", resource: "security_group_rule", project, news },
    { table: "default_security_group_rules", resource: "default_security_group_rule", news },
    { table: "address_groups", resource: "address_group", project, news },
  ]);
}
