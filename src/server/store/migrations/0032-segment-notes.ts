import type { Kysely } from "kysely";
import { noteChanges } from "./notification-triggers.ts";

const news = ["revision_number"] as const;

/** Segments and their ranges are told of, as all objects are. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await noteChanges(db, [
    { table: "network_segments", resource: "segment", news },
    { table: "network_segment_ranges", resource: "network_segment_range", project: "project_id", news },
  ]);
}
