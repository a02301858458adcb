// Triggers that note every change of an object in the transaction of the change, whoever makes it. Migrations share this: what it
// makes for one of them stays as it is, because a migration that has run once never changes.
import { type Kysely, PostgresAdapter, sql } from "kysely";

export interface NotedTable {
  readonly table: string;
  /** As the API calls one: `port`. */
  readonly resource: string;
  /** Where its project is; absent when it has none of its own. */
  readonly project?: string;
  /** What it is inside of, for one without a project of its own: the table, and the column that has the id. */
  readonly owner?: { readonly table: string; readonly column: string };
  /** Columns whose change is news; absent: any change of a row is. */
  readonly news?: readonly string[];
  /** Without a column revision_number. */
  readonly hasNoRevision?: true;
}

const actions = [
  { action: "create", event: "insert", row: "new" },
  { action: "update", event: "update", row: "new" },
  { action: "delete", event: "delete", row: "old" },
] as const;

type Action = (typeof actions)[number];

export async function noteChanges(db: Kysely<unknown>, tables: readonly NotedTable[]): Promise<void> {
  const isPostgres = db.getExecutor().adapter instanceof PostgresAdapter;
  for (const table of tables) {
    for (const action of actions) await (isPostgres ? onPostgres(db, table, action) : onSqlite(db, table, action));
  }
}

/** Takes the triggers away, for others in their place. */
export async function forgetChanges(db: Kysely<unknown>, tables: readonly NotedTable[]): Promise<void> {
  const isPostgres = db.getExecutor().adapter instanceof PostgresAdapter;
  for (const { table } of tables) {
    for (const { action } of actions) {
      const name = `${table}_${action}_noted`;
      await sql.raw(isPostgres ? `drop function ${name}() cascade` : `drop trigger ${name}`).execute(db);
    }
  }
}

function projectOf({ project, owner }: NotedTable, row: string): string {
  if (project !== undefined) return `${row}.${project}`;
  if (owner === undefined) return "null";
  return `(select project_id from ${owner.table} where id = ${row}.${owner.column})`;
}

function insertion(table: NotedTable, { action, row }: Action): string {
  const { resource, hasNoRevision } = table;
  const projectId = projectOf(table, row);
  const revision = hasNoRevision === true ? "null" : `${row}.revision_number`;
  return `insert into notifications (resource, object_id, action, project_id, revision_number)
    values ('${resource}', ${row}.id, '${action}', ${projectId}, ${revision})`;
}

/** Names come from this program, never from a client. */
async function onSqlite(db: Kysely<unknown>, table: NotedTable, action: Action): Promise<void> {
  const isNews = action.action === "update" ? condition(table, "is not") : "";
  await sql
    .raw(
      `create trigger ${table.table}_${action.action}_noted after ${action.event} on ${table.table}${isNews}
      begin ${insertion(table, action)}; end`,
    )
    .execute(db);
}

async function onPostgres(db: Kysely<unknown>, table: NotedTable, action: Action): Promise<void> {
  const name = `${table.table}_${action.action}_noted`;
  const isNews = action.action === "update" ? condition(table, "is distinct from") : "";
  await sql
    .raw(
      `create function ${name}() returns trigger language plpgsql as
      $body$ begin ${insertion(table, action)}; return null; end $body$`,
    )
    .execute(db);
  await sql
    .raw(`create trigger ${name} after ${action.event} on ${table.table} for each row${isNews} execute function ${name}()`)
    .execute(db);
}

function condition({ news }: NotedTable, differs: string): string {
  if (news === undefined) return "";
  return ` when (${news.map((column) => `new.${column} ${differs} old.${column}`).join(" or ")})`;
}
