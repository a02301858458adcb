// Opens the database that a URL names, and runs transactions in it.
import { setTimeout as delay } from "node:timers/promises";
import { Kysely, PostgresDialect, type Transaction } from "kysely";
import pg from "pg";
import { NetloomError, errorText } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { classifyEngineError, translateEngineError } from "./engine-errors.ts";
import { migrate } from "./migrate.ts";
import type { Database } from "./schema.ts";
import { openSqliteFile, sqliteDialect, type SqliteOptions } from "./sqlite-dialect.ts";

export type Dialect = "sqlite" | "postgres";
export type Trx = Transaction<Database>;

export interface Store {
  /** For reads. Inside a transaction use only what `work` is given: SQLite has one connection and would wait for itself. */
  readonly db: Kysely<Database>;
  readonly dialect: Dialect;
  /**
   * Commits what `work` did, or nothing of it. Lost races and engine contention run `work` again from the start, so it
   * must not change anything but the database. PostgreSQL runs it at READ COMMITTED: lock rows that a decision rests on.
   */
  transaction<T>(work: (trx: Trx) => Promise<T>): Promise<T>;
  /** Called after every commit of this process; returns the way to stop it. */
  onCommitted(listener: () => void): () => void;
  close(): Promise<void>;
}

export interface StoreOptions {
  readonly sqliteSynchronous?: SqliteOptions["synchronous"];
  readonly busyTimeoutMs?: number;
  /** Connections to PostgreSQL. */
  readonly poolSize?: number;
}

const maxAttempts = 12;

/** @param url `sqlite:<file>`, `sqlite::memory:` or `postgres://…`. Throws NetloomError with one clear line. */
export async function openStore(url: string, log: Logger, options: StoreOptions = {}): Promise<Store> {
  const dialect = dialectOf(url);
  const db = dialect === "sqlite" ? openSqlite(url.slice("sqlite:".length), options) : openPostgres(url, log, options);
  try {
    await migrate(db);
  } catch (thrown) {
    await db.destroy().catch(() => {});
    throw openingError(url, thrown);
  }
  return new KyselyStore(db, dialect, log);
}

function dialectOf(url: string): Dialect {
  if (url.startsWith("sqlite:")) return "sqlite";
  if (/^postgres(ql)?:\/\//.test(url)) return "postgres";
  throw new NetloomError("INVALID", `database ${displayUrl(url)} is neither sqlite:<file> nor postgres://…`);
}

function openSqlite(file: string, options: StoreOptions): Kysely<Database> {
  try {
    const database = openSqliteFile(file, {
      synchronous: options.sqliteSynchronous ?? "normal",
      busyTimeoutMs: options.busyTimeoutMs ?? 2000,
    });
    return new Kysely<Database>({ dialect: sqliteDialect(database) });
  } catch (thrown) {
    throw openingError(`sqlite:${file}`, thrown);
  }
}

function openPostgres(url: string, log: Logger, options: StoreOptions): Kysely<Database> {
  const pool = new pg.Pool({ connectionString: url, max: options.poolSize ?? 10, connectionTimeoutMillis: 5000 });
  // Without a listener a connection that dies while idle would end the process; the pool opens another by itself.
  pool.on("error", (err) => log.warn({ err }, "idle database connection lost"));
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
}

function openingError(url: string, thrown: unknown): NetloomError {
  return new NetloomError("UNAVAILABLE", `cannot open the database ${displayUrl(url)}: ${reason(thrown)}`, {}, thrown);
}

/** Several addresses tried in vain come as an AggregateError without a message of its own. */
function reason(thrown: unknown): string {
  return thrown instanceof AggregateError ? thrown.errors.map(errorText).join("; ") : errorText(thrown);
}

/** Without the password. */
function displayUrl(url: string): string {
  return url.replace(/:\/\/([^:@/]*):[^@/]*@/, "://$1:…@");
}

class KyselyStore implements Store {
  readonly db: Kysely<Database>;
  readonly dialect: Dialect;
  readonly #log: Logger;
  readonly #listeners = new Set<() => void>();

  constructor(db: Kysely<Database>, dialect: Dialect, log: Logger) {
    this.db = db;
    this.dialect = dialect;
    this.#log = log;
  }

  async transaction<T>(work: (trx: Trx) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await this.db.transaction().execute(work);
        this.#notify();
        return result;
      } catch (thrown) {
        const failure = classifyEngineError(thrown);
        const again = failure === "race" || failure === "contention";
        if (!again || attempt === maxAttempts) throw translateEngineError(thrown);
        this.#log.debug({ err: thrown, attempt, outcome: failure }, "transaction runs again");
        // Losers of one race that all come back at once would meet again.
        await delay(Math.random() * 4 * attempt);
      }
    }
  }

  onCommitted(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    await this.db.destroy();
  }

  #notify(): void {
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (err) {
        // The commit stands, whatever a listener does.
        this.#log.error({ err }, "commit listener failed");
      }
    }
  }
}
