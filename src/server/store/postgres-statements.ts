// Statements that come again and again are prepared once for each connection: to read the text and to plan it costs PostgreSQL
// more than most of ours cost to run.
import type { PostgresPool, PostgresPoolClient } from "kysely";
import type pg from "pg";

/** More would cost memory in each connection's backend for what hardly anybody asks. */
const maxNames = 128;
/** Looked at when there are this many texts that came only once: lists with filters, bulks of all sizes. */
const maxTexts = 512;
/** Bulks: they come in too many lengths. */
const maxLength = 2000;
/**
 * Never prepared: after five times PostgreSQL would plan for any list whatever, and compare each row with each value where it
 * looks values up that it knows.
 */
const listed = " = any(";

/** The names by which all connections of a pool know the statements; a text gets one when it comes for the second time. */
export class StatementNames {
  readonly #names = new Map<string, string>();
  readonly #once = new Set<string>();
  #generation = 0;

  nameOf(text: string): string | undefined {
    const known = this.#names.get(text);
    if (known !== undefined || text.length > maxLength || text.includes(listed) || this.#names.size >= maxNames) return known;
    if (!this.#once.delete(text)) {
      if (this.#once.size >= maxTexts) this.#once.clear();
      this.#once.add(text);
      return undefined;
    }
    const name = `n${this.#generation}-${this.#names.size}`;
    this.#names.set(text, name);
    return name;
  }

  /** All are prepared anew, under other names: another server has changed a table that some of them answer all columns of. */
  renew(): void {
    this.#generation += 1;
    this.#names.clear();
  }
}

class PreparingClient implements PostgresPoolClient {
  readonly #client: pg.PoolClient;
  readonly #names: StatementNames;

  constructor(client: pg.PoolClient, names: StatementNames) {
    this.#client = client;
    this.#names = names;
  }

  release(destroy?: boolean): void {
    this.#client.release(destroy);
  }

  // The cast: of cursors, which this program has none of.
  query = (async (text: string, values: readonly unknown[]): Promise<unknown> => {
    const name = values.length === 0 ? undefined : this.#names.nameOf(text);
    if (name === undefined) return this.#client.query(text, [...values]);
    try {
      return await this.#client.query({ name, text, values: [...values] });
    } catch (thrown) {
      if (!isOutdated(thrown)) throw thrown;
      this.#names.renew();
      // In a transaction nothing more can be asked, and the whole of it runs again; see classifyEngineError.
      return this.#client.query(text, [...values]).catch(() => {
        throw thrown;
      });
    }
  }) as PostgresPoolClient["query"];
}

/** PostgreSQL's words for a prepared statement whose columns are no longer what they were. */
export const isOutdated = (thrown: unknown): boolean =>
  thrown instanceof Error && (thrown as Error & { code?: unknown }).code === "0A000" && /cached plan/.test(thrown.message);

export function preparingPool(pool: pg.Pool): PostgresPool {
  const names = new StatementNames();
  // kysely knows connections by the object that it was given.
  const clients = new WeakMap<pg.PoolClient, PreparingClient>();
  return {
    options: pool.options,
    end: () => pool.end(),
    async connect() {
      const client = await pool.connect();
      const known = clients.get(client) ?? new PreparingClient(client, names);
      clients.set(client, known);
      return known;
    },
  };
}
