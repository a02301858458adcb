import { randomUUID } from "node:crypto";
import type { Kysely } from "kysely";

const counted = ["networks", "subnets", "ports", "routers", "floating_ips", "rbac_policies"] as const;

interface Tables {
  networks: { id: string; project_id: string; shared: number; is_external: number };
  rbac_policies: {
    id: string;
    project_id: string;
    object_type: string;
    object_id: string;
    action: string;
    target_project: string;
  };
}

/** Who may use a network is told by RBAC policies; what projects have is counted. */
export async function up(db: Kysely<Tables>): Promise<void> {
  for (const table of counted) {
    await db.schema.createIndex(`${table}_project`).on(table).column("project_id").execute();
  }
  await db.schema.createIndex("rbac_policies_target").on("rbac_policies").columns(["object_type", "target_project"]).execute();
  const networks = await db.selectFrom("networks").selectAll().execute();
  for (const { id, project_id, shared, is_external } of networks) {
    const policy = { project_id, object_type: "network", object_id: id, target_project: "*" };
    const add = (action: string) =>
      db
        .insertInto("rbac_policies")
        .values({ ...policy, id: randomUUID(), action })
        .execute();
    if (shared === 1) await add("access_as_shared");
    if (is_external === 1) await add("access_as_external");
  }
}
