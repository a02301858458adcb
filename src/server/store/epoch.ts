// The epoch names one unbroken history of the streams. Agents that know another one start over from a snapshot.
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Kysely } from "kysely";
import type { Database } from "./schema.ts";

export async function readEpoch(db: Kysely<Database>): Promise<string> {
  const row = await db.selectFrom("meta").select("value").where("key", "=", "epoch").executeTakeFirstOrThrow();
  return row.value;
}

/** One value from one start of the kernel to the next; proc(5). */
export async function readBootId(): Promise<string> {
  return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
}

/**
 * For a database that does not wait for the disk: when the kernel was started since, commits that agents know of may be
 * lost, and their sequence numbers and revisions be given out again. A killed process loses nothing and changes nothing here.
 *
 * @returns whether a new epoch began
 */
export async function renewEpochAfterBoot(db: Kysely<Database>, bootId: string): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    const known = await trx.selectFrom("meta").select("value").where("key", "=", "boot_id").executeTakeFirst();
    if (known?.value === bootId) return false;
    await trx
      .insertInto("meta")
      .values({ key: "boot_id", value: bootId })
      .onConflict((conflict) => conflict.column("key").doUpdateSet({ value: bootId }))
      .execute();
    if (known === undefined) return false;
    await renewEpoch(trx);
    return true;
  });
}

/** For a database whose history is not the one that agents know: restored from a copy. */
export async function renewEpoch(db: Kysely<Database>): Promise<void> {
  await db.updateTable("meta").set({ value: randomUUID() }).where("key", "=", "epoch").execute();
}
