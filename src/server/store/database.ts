// Opens the database that a URL names, and runs transactions in it.
import { setTimeout as delay } from "node:timers/promises";
import { Kysely, type LogEvent, type Transaction } from "kysely";
import pg from "pg";
import { systemClock } from "../../base/clock.ts";
import { NetloomError, errorText } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { classifyEngineError, translateEngineError } from "./engine-errors.ts";
import { readBootId, renewEpochAfterBoot } from "./epoch.ts";
import { migrate } from "./migrate.ts";
import type { Database } from "./schema.ts";
import { SqlFigures } from "./sql-figures.ts";
import { stampNotifications } from "./notifications.ts";
import { postgresDialect } from "./postgres-dialect.ts";
import { openSqliteFile, sqliteDialect, type SqliteOptions } from "./sqlite-dialect.ts";

export type Dialect = "sqlite" | "postgres";
type KyselyLogger = (event: LogEvent) => void;
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
  readonly figures: StoreFigures;
  /** Called after every commit of this process; returns the way to stop it. */
  onCommitted(listener: () => void): () => void;
  close(): Promise<void>;
}

export interface StoreFigures {
  readonly sql: SqlFigures;
  /** Connections: all, those that nobody uses, requests that wait for one. SQLite has one of its own kind and tells nothing. */
  readonly pool: () => { readonly all: number; readonly idle: number; readonly waiting: number } | undefined;
}

export interface StoreOptions {
  readonly sqliteSynchronous?: SqliteOptions["synchronous"];
  /** How long a transaction waits for other processes before it fails with UNAVAILABLE. */
  readonly patienceMs?: number;
  /** What tells one start of the machine from the next; the kernel's boot id unless given. */
  readonly readBootId?: () => Promise<string>;
  /** Connections to PostgreSQL. */
  readonly poolSize?: number;
}

/** Runs of one transaction that lost races; whoever loses so often is not racing. */
const maxRaces = 12;
const defaultPatienceMs = 5000;
// SQLite waits by blocking this thread, so it waits for a moment only and the rest is waited for here, where others can work.
const sqliteBusyTimeoutMs = 20;

/** @param url `sqlite:<file>`, `sqlite::memory:` or `postgres://…`. Throws NetloomError with one clear line. */
export async function openStore(url: string, log: Logger, options: StoreOptions = {}): Promise<Store> {
  const dialect = dialectOf(url);
  const patienceMs = options.patienceMs ?? defaultPatienceMs;
  try {
    // Another process may be at the same migration.
    const engine = await persist(() => openMigrated(url, log, options), { patienceMs, onAgain: () => {} });
    return new KyselyStore({ ...engine, dialect, log, patienceMs });
  } catch (thrown) {
    throw openingError(url, thrown);
  }
}

interface Engine {
  readonly db: Kysely<Database>;
  readonly figures: StoreFigures;
}

/** As it is, whatever its schema: for those who look after the database itself. */
export const openEngine = (url: string, log: Logger, options: StoreOptions = {}): Kysely<Database> =>
  openCounted(url, log, options).db;

function openCounted(url: string, log: Logger, options: StoreOptions): Engine {
  const sql = new SqlFigures();
  const count: KyselyLogger = ({ level, queryDurationMillis }) => sql.add(queryDurationMillis, level === "error");
  if (dialectOf(url) === "sqlite") {
    return { db: openSqlite(url.slice("sqlite:".length), options, count), figures: { sql, pool: () => undefined } };
  }
  const { db, pool } = openPostgres(url, log, { ...options, count });
  const connections = () => ({ all: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount });
  return { db, figures: { sql, pool: connections } };
}

async function openMigrated(url: string, log: Logger, options: StoreOptions): Promise<Engine> {
  const engine = openCounted(url, log, options);
  const { db } = engine;
  try {
    await migrate(db);
    if (dialectOf(url) === "sqlite" && options.sqliteSynchronous !== "full") {
      const isNew = await renewEpochAfterBoot(db, await (options.readBootId ?? readBootId)());
      if (isNew) log.info({ outcome: "new epoch" }, "the machine was started anew: agents get a snapshot");
    }
    return engine;
  } catch (thrown) {
    await db.destroy().catch(() => {});
    throw thrown;
  }
}

export function dialectOf(url: string): Dialect {
  if (url.startsWith("sqlite:")) return "sqlite";
  if (/^postgres(ql)?:\/\//.test(url)) return "postgres";
  throw new NetloomError("INVALID", `database ${displayUrl(url)} is neither sqlite:<file> nor postgres://…`);
}

function openSqlite(file: string, options: StoreOptions, log: KyselyLogger): Kysely<Database> {
  const synchronous = options.sqliteSynchronous ?? "normal";
  const database = openSqliteFile(file, { synchronous, busyTimeoutMs: sqliteBusyTimeoutMs });
  return new Kysely<Database>({ dialect: sqliteDialect(database), log });
}

function openPostgres(url: string, log: Logger, options: StoreOptions & { readonly count: KyselyLogger }) {
  const pool = new pg.Pool({ connectionString: url, max: options.poolSize ?? 10, connectionTimeoutMillis: 5000 });
  // Without a listener a connection that dies while idle would end the process; the pool opens another by itself.
  pool.on("error", (err) => log.warn({ err }, "idle database connection lost"));
  // The pool listens to idle ones only; whoever uses this one is told by its statement, or its next one.
  pool.on("connect", (client) => client.on("error", (err) => log.debug({ err }, "database connection lost")));
  return {
    db: new Kysely<Database>({ dialect: postgresDialect(pool), log: options.count }),
    pool,
  };
}

export function openingError(url: string, thrown: unknown): NetloomError {
  return new NetloomError("UNAVAILABLE", `cannot open the database ${displayUrl(url)}: ${reason(thrown)}`, {}, thrown);
}

/** Several addresses tried in vain come as an AggregateError without a message of its own. */
function reason(thrown: unknown): string {
  return thrown instanceof AggregateError ? thrown.errors.map(errorText).join("; ") : errorText(thrown);
}

/** Without the password. */
export function displayUrl(url: string): string {
  return url.replace(/:\/\/([^:@/]*):[^@/]*@/, "://$1:…@");
}

interface Patience {
  readonly patienceMs: number;
  readonly onAgain: (thrown: unknown, attempt: number) => void;
}

/** Runs `work` until it succeeds or fails for a reason that another run does not mend. */
async function persist<T>(work: () => Promise<T>, { patienceMs, onAgain }: Patience): Promise<T> {
  const endsAt = performance.now() + patienceMs;
  let races = 0;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (thrown) {
      const failure = classifyEngineError(thrown);
      if (failure === "race") races++;
      const again = (failure === "race" && races < maxRaces) || (failure === "contention" && performance.now() < endsAt);
      if (!again) throw thrown;
      onAgain(thrown, attempt);
      // Losers of one race that all come back at once would meet again.
      await delay(Math.random() * Math.min(4 * attempt, 50));
    }
  }
}

class KyselyStore implements Store {
  readonly db: Kysely<Database>;
  readonly dialect: Dialect;
  readonly #log: Logger;
  readonly #patienceMs: number;
  readonly figures: StoreFigures;
  readonly #listeners = new Set<() => void>();

  constructor(parts: Engine & { dialect: Dialect; log: Logger; patienceMs: number }) {
    this.db = parts.db;
    this.figures = parts.figures;
    this.dialect = parts.dialect;
    this.#log = parts.log;
    this.#patienceMs = parts.patienceMs;
  }

  async transaction<T>(work: (trx: Trx) => Promise<T>): Promise<T> {
    const onAgain = (err: unknown, attempt: number): void => this.#log.debug({ err, attempt }, "transaction runs again");
    try {
      const once = (): Promise<T> =>
        this.db.transaction().execute(async (trx) => {
          const outcome = await work(trx);
          await stampNotifications(trx, systemClock.nowMs());
          return outcome;
        });
      const result = await persist(once, { patienceMs: this.#patienceMs, onAgain });
      this.#notify();
      return result;
    } catch (thrown) {
      // Whoever asked is told that it was others; if it was not, this is the only trace.
      if (classifyEngineError(thrown) === "race") this.#log.warn({ err: thrown }, "transaction lost every race");
      throw translateEngineError(thrown);
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
