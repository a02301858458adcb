// The only place that knows the error numbers of SQLite and PostgreSQL.
import { ApiFault } from "../../types/api-faults.ts";
import { NetloomError, errorText } from "../../base/errors.ts";

/**
 * `race`: a constraint decided against this transaction; run again, it sees what the winner did.
 * `contention`: the engine asks to run it again. `unreachable`: the engine is not there.
 */
export type EngineFailure = "race" | "contention" | "unreachable";

const sqliteRaces = new Set([787, 1555, 2067]); // foreign key, primary key, unique
const sqliteBusy = new Set([5, 6]); // busy, locked: the low byte of the extended code
const sqliteUnusable = new Set([8, 10, 13, 14]); // read-only, I/O error, disk full, cannot open
const postgresRaces = new Set(["23503", "23505"]);
const postgresContention = new Set(["40001", "40P01", "55P03"]);
const unreachable = /^(08|57P|53300)|^E(CONNREFUSED|CONNRESET|NOENT|HOSTUNREACH|TIMEDOUT|PIPE|AI_AGAIN)$|^ENOTFOUND$/;

/** `undefined`: not a failure that the engine reports, or one that only a programmer can mend. */
export function classifyEngineError(thrown: unknown): EngineFailure | undefined {
  if (!(thrown instanceof Error) || thrown instanceof ApiFault || thrown instanceof NetloomError) return undefined;
  const { code, errcode } = thrown as Error & { readonly code?: unknown; readonly errcode?: unknown };
  if (typeof errcode === "number") {
    if (sqliteRaces.has(errcode)) return "race";
    const primary = errcode & 0xff;
    if (sqliteBusy.has(primary)) return "contention";
    return sqliteUnusable.has(primary) ? "unreachable" : undefined;
  }
  if (typeof code !== "string")
    return /Connection terminated|timeout exceeded when trying to connect/.test(thrown.message) ? "unreachable" : undefined;
  if (postgresRaces.has(code)) return "race";
  if (postgresContention.has(code)) return "contention";
  return unreachable.test(code) ? "unreachable" : undefined;
}

/** What the callers of the store get to see: our codes for what may be tried again, everything else as it was. */
export function translateEngineError(thrown: unknown): unknown {
  switch (classifyEngineError(thrown)) {
    case "race":
      return new NetloomError("CONFLICT", `the database refused the change: ${errorText(thrown)}`, {}, thrown);
    case "contention":
      return new NetloomError("UNAVAILABLE", "the database is busy", {}, thrown);
    case "unreachable":
      return new NetloomError("UNAVAILABLE", `the database cannot be used: ${errorText(thrown)}`, {}, thrown);
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
