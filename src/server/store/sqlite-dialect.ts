// kysely on node:sqlite: kysely asks for the shape of better-sqlite3, this gives it that shape.
import { closeSync, constants, openSync } from "node:fs";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import {
  type BinaryOperationNode,
  type Dialect,
  SqliteAdapter,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import type { SqliteDatabase, SqliteStatement } from "kysely";
import { listOf } from "./listed-values.ts";

export interface SqliteOptions {
  /** `normal` survives every crash of the program; `full` also a power cut without losing the last commits. */
  readonly synchronous: "normal" | "full";
  /** How long a writer waits for another process to commit. The wait blocks the whole program. */
  readonly busyTimeoutMs: number;
}

/** Opens at once, so that an unusable file is known before the first query. */
export function openSqliteFile(file: string, options: SqliteOptions): DatabaseSync {
  makePrivate(file);
  const database = new DatabaseSync(file, { timeout: options.busyTimeoutMs });
  try {
    database.exec("pragma journal_mode = wal");
    database.exec(`pragma synchronous = ${options.synchronous}`);
    database.exec("pragma foreign_keys = on");
    // Reads the schema: a file that is not a database fails here and not in the middle of something.
    database.exec("select count(*) from sqlite_schema");
    return database;
  } catch (thrown) {
    database.close();
    throw thrown;
  }
}

/**
 * A new file is ours alone from its first moment; SQLite would make it as the umask says, and gives its own two files the same
 * mode. One that is there is not even opened: closing a file drops all locks that this process has on it.
 */
function makePrivate(file: string): void {
  if (file === ":memory:") return;
  try {
    closeSync(openSync(file, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR, 0o600));
  } catch {
    // It exists, or SQLite says in a moment why it cannot.
  }
}

export function sqliteDialect(database: DatabaseSync): Dialect {
  const adapter = new SqliteAdapter();
  // kysely is careful for all SQLite drivers; this one runs DDL in a transaction, so a killed migration leaves nothing.
  Object.defineProperty(adapter, "supportsTransactionalDdl", { value: true });
  return {
    createDriver: () => new SqliteDriver({ database: new CachingDatabase(database) }),
    createQueryCompiler: () => new ListCompiler(),
    createAdapter: () => adapter,
    createIntrospector: (db) => new SqliteIntrospector(db),
  };
}

/** From so many values on it is faster to look up what JSON says. */
const listedFrom = 8;

/**
 * `column in (?, ?, …)` is another statement for every number of values; each is prepared, and kept with a program as long as the
 * list. As JSON a list is one value: https://sqlite.org/json1.html#jeach.
 */
class ListCompiler extends SqliteQueryCompiler {
  protected override visitBinaryOperation(node: BinaryOperationNode): void {
    const list = listOf(node);
    if (list === undefined || list.length < listedFrom) {
      super.visitBinaryOperation(node);
      return;
    }
    this.visitNode(node.leftOperand);
    this.append(" in (select value from json_each(");
    this.appendValue(JSON.stringify(list));
    this.append("))");
  }
}

const statementLimit = 512;
const changesSchema = /^\s*(?:alter|create|drop)\b/i;

/**
 * Keeps the most recently used statements prepared, and a transaction whole: SQLite itself takes one back when the disk is full,
 * for example. What came after that would be committed statement by statement, and the rollback by kysely would fail and hide
 * the reason.
 */
class CachingDatabase implements SqliteDatabase {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, SqliteStatement>();
  /** Begun, and neither committed nor taken back by us. */
  #isBegun = false;
  readonly #schemaVersion: StatementSync;
  #knownVersion: unknown;
  /** In this transaction the schema was looked at, and only we change it from then on. */
  #isVersionSure = false;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#schemaVersion = database.prepare("pragma schema_version");
  }

  prepare(sql: string): SqliteStatement {
    this.#forgetIfChanged(sql);
    const known = this.#statements.get(sql);
    if (known !== undefined) {
      this.#statements.delete(sql);
      this.#statements.set(sql, known);
      return known;
    }
    // A plain `begin` takes the write lock at its first write, where a second process gets SQLITE_BUSY at once and without
    // waiting, because its snapshot is old. Taking the lock at the start waits its turn.
    const statement = this.#guard(sql, this.#database.prepare(sql === "begin" ? "begin immediate" : sql));
    this.#statements.set(sql, statement);
    if (this.#statements.size > statementLimit) this.#forgetOldest();
    return statement;
  }

  /**
   * What was prepared before a change of the schema, by us or by another process (`netloom db upgrade`), knows the columns of then.
   * Rows come as bare values, so they would be given the wrong names.
   */
  #forgetIfChanged(sql: string): void {
    const isSure = this.#isVersionSure;
    this.#isVersionSure = this.#isBegun && !changesSchema.test(sql);
    if (isSure) return;
    const version = this.#schemaVersion.get()?.["schema_version"];
    if (version === this.#knownVersion) return;
    this.#statements.clear();
    // Only a statement that runs makes the connection read the schema anew; those prepared before it would have the old columns.
    this.#database.exec("select 1 from sqlite_schema limit 1");
    this.#knownVersion = version;
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  #guard(sql: string, prepared: StatementSync): SqliteStatement {
    const statement = asKyselyStatement(prepared);
    if (sql === "begin" || sql === "commit" || sql === "rollback") {
      return { ...statement, run: () => this.#control(sql, statement) };
    }
    return {
      reader: statement.reader,
      all: (parameters) => this.#inside(() => statement.all(parameters)),
      run: (parameters) => this.#inside(() => statement.run(parameters)),
      iterate: (parameters) => this.#inside(() => statement.iterate(parameters)),
    };
  }

  #control(sql: "begin" | "commit" | "rollback", statement: SqliteStatement): ReturnType<SqliteStatement["run"]> {
    if (sql === "rollback") this.#isBegun = false;
    if (sql === "rollback" && !this.#database.isTransaction) return { changes: 0, lastInsertRowid: 0 };
    const result = this.#inside(() => statement.run([]));
    this.#isBegun = sql === "begin";
    this.#isVersionSure = false;
    return result;
  }

  #inside<T>(work: () => T): T {
    if (this.#isBegun && !this.#database.isTransaction) throw new Error("the transaction was taken back by the engine");
    return work();
  }

  #forgetOldest(): void {
    const [oldest] = this.#statements.keys();
    if (oldest !== undefined) this.#statements.delete(oldest);
  }
}

function asKyselyStatement(statement: StatementSync): SqliteStatement {
  const names = statement.columns().map(({ name }) => name);
  const reader = names.length > 0;
  if (reader) statement.setReturnArrays(true);
  const toRow = rowMaker(names);
  // The casts: kysely types parameters as unknown, of which only values of our tables' column types get here; rows are arrays.
  return {
    reader,
    all: (parameters) => toRows(statement.all(...(parameters as readonly SQLInputValue[])), toRow),
    run: (parameters) => statement.run(...(parameters as readonly SQLInputValue[])),
    iterate: (parameters) => mapped(statement.iterate(...(parameters as readonly SQLInputValue[])), toRow),
  };
}

type Values = readonly unknown[];

/**
 * Objects of one shape. Those that SQLite's binding makes are hash tables: twice as slow to make with many columns, several times
 * as large, and forty times as slow to read.
 */
function rowMaker(names: readonly string[]): (values: Values) => Record<string, unknown> {
  // Parsed, because an object that is filled column by column may end as a hash table itself.
  const empty = JSON.parse(JSON.stringify(Object.fromEntries(names.map((name) => [name, null])))) as Record<string, unknown>;
  return (values) => {
    const row = { ...empty };
    let at = 0;
    for (const name of names) row[name] = values[at++];
    return row;
  };
}

/** In place: what was a row before is garbage at once, and not when the last one is made. */
function toRows(rows: unknown[], toRow: (values: Values) => unknown): unknown[] {
  rows.forEach((values, index) => {
    rows[index] = toRow(values as Values);
  });
  return rows;
}

function* mapped(rows: Iterable<unknown>, toRow: (values: Values) => unknown): IterableIterator<unknown> {
  for (const values of rows) yield toRow(values as Values);
}
