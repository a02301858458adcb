// Whether a database is whole: what the engine says of it, and what must hold between our own rows.
import { type Kysely, sql } from "kysely";
import type { Dialect } from "./database.ts";
import type { Database } from "./schema.ts";

const maxProblems = 20;

/** Each a line for people; none when all is well. */
export async function findProblems(db: Kysely<Database>, dialect: Dialect): Promise<readonly string[]> {
  const ofEngine = await (dialect === "sqlite" ? sqliteProblems(db) : postgresProblems(db));
  // What the engine has lost cannot be asked about.
  return ofEngine.length > 0 ? ofEngine : streamProblems(db);
}

async function sqliteProblems(db: Kysely<Database>): Promise<readonly string[]> {
  const { rows: pages } = await sql<{ integrity_check: string }>`pragma integrity_check(${sql.lit(maxProblems)})`.execute(db);
  const { rows: keys } = await sql<{ table: string; rowid: number; parent: string }>`pragma foreign_key_check`.execute(db);
  return [
    ...pages.map((row) => row.integrity_check).filter((text) => text !== "ok"),
    ...keys.slice(0, maxProblems).map((row) => `row ${row.rowid} of ${row.table} refers to nothing in ${row.parent}`),
  ];
}

async function postgresProblems(db: Kysely<Database>): Promise<readonly string[]> {
  const constraints = await sql<{ name: string }>`select conname as name from pg_constraint
    where not convalidated and connamespace = current_schema()::regnamespace`.execute(db);
  const indexes = await sql<{ name: string }>`select indexrelid::regclass::text as name from pg_index
    join pg_class on pg_class.oid = indrelid where not indisvalid and relnamespace = current_schema()::regnamespace`.execute(
    db,
  );
  return [
    ...constraints.rows.map(({ name }) => `constraint ${name} was never validated`),
    ...indexes.rows.map(({ name }) => `index ${name} is not valid`),
  ].slice(0, maxProblems);
}

/** A number beyond the head of its stream would be given out a second time. */
async function streamProblems(db: Kysely<Database>): Promise<readonly string[]> {
  const rows = await db
    .selectFrom("outbox")
    .leftJoin("streams", (join) => join.onRef("streams.role", "=", "outbox.role").onRef("streams.host", "=", "outbox.host"))
    .select(["outbox.role", "outbox.host", (eb) => eb.fn.max("outbox.seq").as("last"), (eb) => eb.fn.max("head").as("head")])
    .groupBy(["outbox.role", "outbox.host"])
    .execute();
  return rows
    .filter(({ last, head }) => head === null || Number(last) > Number(head))
    .map(({ role, host, last, head }) => `stream ${role} of ${host} has message ${last}, beyond its head ${head ?? 0}`);
}

/** Rows of every table, by name. */
export async function countRows(db: Kysely<Database>): Promise<Readonly<Record<string, number>>> {
  const tables = await db.introspection.getTables();
  const counts: Record<string, number> = {};
  for (const { name } of tables.filter((table) => !table.isView)) {
    const { rows } = await sql<{ count: number }>`select count(*) as count from ${sql.table(name)}`.execute(db);
    counts[name] = Number(rows[0]?.count ?? 0);
  }
  return counts;
}
