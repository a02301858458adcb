// Work that only one of several servers may do: who holds a job's lease does it, until it lets go or its time is over.
import type { Kysely } from "kysely";
import type { Trx } from "./database.ts";
import { hasRowLocks } from "./rows.ts";
import type { Database } from "./schema.ts";

export interface JobLease {
  readonly name: string;
  /** Unique to one running server. */
  readonly holder: string;
}

/**
 * Takes the lease or prolongs it. False while another server holds it.
 *
 * @param nowMs wall clock, milliseconds since the epoch. The servers' clocks must agree to within the lease's time.
 */
export async function takeJobLease(
  db: Kysely<Database>,
  { name, holder }: JobLease,
  { nowMs, forMs }: { readonly nowMs: number; readonly forMs: number },
): Promise<boolean> {
  const expires_at = new Date(nowMs + forMs).toISOString();
  const taken = await db
    .insertInto("jobs")
    .values({ name, holder, expires_at })
    .onConflict((conflict) =>
      conflict
        .column("name")
        .doUpdateSet({ holder, expires_at })
        .where((eb) => eb.or([eb("jobs.holder", "=", holder), eb("jobs.expires_at", "<", new Date(nowMs).toISOString())])),
    )
    .returning("holder")
    .executeTakeFirst();
  return taken !== undefined;
}

/** In the transaction of the work itself: until it ends nobody else takes the lease, and a server that was paused notices. */
export async function holdsJobLease(trx: Trx, { name, holder }: JobLease, nowMs: number): Promise<boolean> {
  const row = await trx
    .selectFrom("jobs")
    .select(["holder", "expires_at"])
    .where("name", "=", name)
    .$if(hasRowLocks(trx), (query) => query.forShare())
    .executeTakeFirst();
  return row !== undefined && row.holder === holder && Date.parse(row.expires_at) > nowMs;
}

/** So that a successor need not wait. */
export async function releaseJobLease(db: Kysely<Database>, { name, holder }: JobLease): Promise<void> {
  await db.deleteFrom("jobs").where("name", "=", name).where("holder", "=", holder).execute();
}
