// The only place that knows the error numbers of SQLite and PostgreSQL.
import { ApiFault } from "../../types/api-faults.ts";
import { NetloomError } from "../../base/errors.ts";
import { isOutdated } from "./postgres-statements.ts";

/**
 * `race`: a constraint decided against this transaction; run again, it sees what the winner did.
 * `contention`: the engine asks to run it again. `unreachable`: the engine is not there. `full`: it has no room left.
 */
export type EngineFailure = "race" | "contention" | "unreachable" | "full";

const sqliteRaces = new Set([787, 1555, 2067]); // foreign key, primary key, unique
const sqliteBusy = new Set([5, 6]); // busy, locked: the low byte of the extended code
const sqliteFull = 13;
const sqliteUnusable = new Set([8, 10, 14]); // read-only, I/O error, cannot open
const postgresRaces = new Set(["23503", "23505"]);
const postgresContention = new Set(["40001", "40P01", "55P03"]);
const postgresFull = new Set(["53100"]);
const unreachable = /^(08|57P|53[23]00|25006)|^E(CONNREFUSED|CONNRESET|NOENT|HOSTUNREACH|TIMEDOUT|PIPE|AI_AGAIN)$|^ENOTFOUND$/;

/**
 * Words of the driver, which gives them no code. The last is what is left of a connection that died while COMMIT was answered: kysely
 * takes back what failed, and what that says replaces the reason.
 */
const lostConnection = /Connection terminated|timeout exceeded when trying to connect|connection error and is not queryable/;

/** `undefined`: not a failure that the engine reports, or one that only a programmer can mend. */
export function classifyEngineError(thrown: unknown): EngineFailure | undefined {
  if (!(thrown instanceof Error) || thrown instanceof ApiFault || thrown instanceof NetloomError) return undefined;
  const { code, errcode } = thrown as Error & { readonly code?: unknown; readonly errcode?: unknown };
  if (typeof errcode === "number") {
    if (sqliteRaces.has(errcode)) return "race";
    const primary = errcode & 0xff;
    if (sqliteBusy.has(primary)) return "contention";
    if (primary === sqliteFull) return "full";
    return sqliteUnusable.has(primary) ? "unreachable" : undefined;
  }
  if (typeof code !== "string") return lostConnection.test(thrown.message) ? "unreachable" : undefined;
  if (postgresRaces.has(code)) return "race";
  if (postgresContention.has(code) || isOutdated(thrown)) return "contention";
  if (postgresFull.has(code)) return "full";
  return unreachable.test(code) ? "unreachable" : undefined;
}

/**
 * What the callers of the store get to see: our codes for what may be tried again, everything else as it was. What the engine
 * said is the cause, for the log: clients are told nothing of our insides.
 */
export function translateEngineError(thrown: unknown): unknown {
  switch (classifyEngineError(thrown)) {
    case "race":
      return new NetloomError("CONFLICT", "Others changed the same thing at the same time, again and again.", {}, thrown);
    case "contention":
      return new NetloomError("UNAVAILABLE", "The database is busy, nothing was changed.", {}, thrown);
    case "full":
      return new ApiFault("InsufficientStorage", "The database has no room left, nothing was changed.", thrown);
    case "unreachable":
      return new NetloomError("UNAVAILABLE", "The database cannot be used at the moment.", {}, thrown);
    case undefined:
      return thrown;
  }
}

/** For reads outside a transaction. */
export async function translated<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    throw translateEngineError(thrown);
  }
}
