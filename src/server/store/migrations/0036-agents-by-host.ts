import type { Kysely } from "kysely";

/** Every heartbeat is written by role and host; without it each one looked at every agent of its role. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.createIndex("agents_role_host").on("agents").columns(["role", "host"]).execute();
}
