// What `netloom db` does: looks after a database without serving it. The server may run meanwhile.
import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, chmod, link, rm, stat } from "node:fs/promises";
import { promisify } from "node:util";
import { type Kysely, sql } from "kysely";
import pg from "pg";
import { errorText, NetloomError } from "../base/errors.ts";
import { silentLogger } from "../base/logger.ts";
import { dialectOf, displayUrl, openEngine, openingError } from "./store/database.ts";
import { renewEpoch } from "./store/epoch.ts";
import { countRows, findProblems } from "./store/integrity.ts";
import { migrate, readSchemaVersion } from "./store/migrate.ts";
import type { Database } from "./store/schema.ts";

export interface DatabaseReport {
  /** Without a password. */
  readonly database: string;
  readonly engine: "sqlite" | "postgres";
  /** Newest migration that has run; null in an empty database. */
  readonly version: string | null;
  /** Migrations that `upgrade`, or the next start of a server, would run. */
  readonly pending: readonly string[];
  /** Each a line for people; none when all is well. */
  readonly problems: readonly string[];
  /** Of each table. */
  readonly rows: Readonly<Record<string, number>>;
}

export interface Upgraded {
  readonly database: string;
  readonly version: string | null;
  /** Migrations that ran just now, in order. */
  readonly applied: readonly string[];
}

export interface BackedUp {
  readonly database: string;
  readonly file: string;
  readonly bytes: number;
}

/** Changes nothing. Throws NetloomError when there is no such database, or what is there is none of ours. */
export function checkDatabase(url: string): Promise<DatabaseReport> {
  return withExisting(url, async (db) => {
    const engine = dialectOf(url);
    const { current, pending } = await readSchemaVersion(db);
    const isOurs = current !== undefined;
    return {
      database: displayUrl(url),
      engine,
      version: current ?? null,
      pending,
      problems: isOurs ? await findProblems(db, engine) : [],
      rows: isOurs ? await countRows(db) : {},
    };
  });
}

/** Brings the schema to this program's version; repeated, it does nothing. A killed upgrade leaves the old version. */
export function upgradeDatabase(url: string): Promise<Upgraded> {
  return withEngine(url, async (db) => {
    const before = await readSchemaVersion(db);
    await migrate(db);
    const { current } = await readSchemaVersion(db);
    return { database: displayUrl(url), version: current ?? null, applied: before.pending };
  });
}

/**
 * One consistent state, while servers write on. SQLite: a database file, which begins a new epoch of its own. PostgreSQL: an
 * archive of pg_dump; after its pg_restore a new epoch has to be begun by hand.
 *
 * @param file must not exist; ours alone (mode 0600)
 */
export async function backUpDatabase(url: string, file: string): Promise<BackedUp> {
  if (await exists(file)) throw new NetloomError("CONFLICT", `${file} exists already; a backup overwrites nothing`);
  const part = `${file}.part-${process.pid}`;
  try {
    await withExisting(url, async (db) => {
      if ((await readSchemaVersion(db)).current === undefined) throw notOurs(url);
      if (dialectOf(url) === "sqlite") await copySqlite(db, part);
      else await dumpPostgres(url, part);
    });
    await chmod(part, 0o600);
    // Not renamed: that would overwrite what somebody has put there meanwhile.
    await link(part, file);
    return { database: displayUrl(url), file, bytes: (await stat(file)).size };
  } catch (thrown) {
    if (thrown instanceof NetloomError) throw thrown;
    throw new NetloomError("UNAVAILABLE", `cannot write the backup ${file}: ${errorText(thrown)}`, {}, thrown);
  } finally {
    for (const ending of ["", "-wal", "-shm", "-journal"]) await rm(`${part}${ending}`, { force: true });
  }
}

/** After a restore: agents start over from a snapshot instead of believing that they know what comes. */
export function beginEpoch(url: string): Promise<void> {
  return withExisting(url, async (db) => {
    if ((await readSchemaVersion(db)).current === undefined) throw notOurs(url);
    await renewEpoch(db);
  });
}

const exists = (file: string): Promise<boolean> =>
  access(file, constants.F_OK).then(
    () => true,
    () => false,
  );

const notOurs = (url: string): NetloomError =>
  new NetloomError("NOT_FOUND", `${displayUrl(url)} is an empty database, or not one of netloom`);

/** To look at a file must not make one. */
async function withExisting<T>(url: string, work: (db: Kysely<Database>) => Promise<T>): Promise<T> {
  if (dialectOf(url) === "sqlite" && !(await exists(url.slice("sqlite:".length)))) {
    throw new NetloomError("NOT_FOUND", `there is no database ${displayUrl(url)}`);
  }
  return withEngine(url, work);
}

async function withEngine<T>(url: string, work: (db: Kysely<Database>) => Promise<T>): Promise<T> {
  let db: Kysely<Database> | undefined;
  try {
    db = openEngine(url, silentLogger);
    return await work(db);
  } catch (thrown) {
    throw thrown instanceof NetloomError ? thrown : openingError(url, thrown);
  } finally {
    await db?.destroy();
  }
}

async function copySqlite(db: Kysely<Database>, file: string): Promise<void> {
  await sql`vacuum into ${file}`.execute(db);
  const copy = openEngine(`sqlite:${file}`, silentLogger);
  try {
    await renewEpoch(copy);
    // One file, without a log beside it.
    await sql`pragma journal_mode = delete`.execute(copy);
  } finally {
    await copy.destroy();
  }
}

const run = promisify(execFile);

/** The URL goes by the environment: arguments can be read by every user of the machine. */
async function dumpPostgres(url: string, file: string): Promise<void> {
  const { database, user, password, host, port } = new pg.Client({ connectionString: url });
  const settings = { PGDATABASE: database, PGUSER: user, PGPASSWORD: password, PGHOST: host, PGPORT: String(port) };
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined && value !== null));
  try {
    const args = ["--format=custom", "--no-owner", "--no-password", `--file=${file}`];
    await run("pg_dump", args, { env: { ...process.env, ...given } });
  } catch (thrown) {
    const { code, stderr } = thrown as { readonly code?: unknown; readonly stderr?: string };
    if (code === "ENOENT") {
      throw new NetloomError("UNAVAILABLE", "pg_dump is not installed (Debian: apt-get install postgresql-client)", {}, thrown);
    }
    const reason = (stderr ?? "").trim().split("\n")[0] ?? "";
    throw new NetloomError("COMMAND_FAILED", `pg_dump failed: ${reason || errorText(thrown)}`, {}, thrown);
  }
}
