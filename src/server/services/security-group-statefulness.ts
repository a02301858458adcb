// Whether new security groups are stateful that do not say it themselves.
import type { Kysely } from "kysely";
import { inChunks } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import type { Flag } from "../store/schema-columns.ts";

/** What a setting has for a project that is about all projects without one of their own. */
export const allProjects = "";

/** By project: its own setting, else that of all projects, else stateful. */
export async function readStatefulness(
  db: Kysely<Database>,
  projectIds: readonly string[],
): Promise<(projectId: string) => Flag> {
  const rows = await inChunks([...new Set([allProjects, ...projectIds])], (piece) =>
    db.selectFrom("security_group_defaults").select(["project_id", "stateful"]).where("project_id", "in", piece).execute(),
  );
  const known = new Map(rows.map((row) => [row.project_id, row.stateful]));
  return (projectId) => known.get(projectId) ?? known.get(allProjects) ?? 1;
}
