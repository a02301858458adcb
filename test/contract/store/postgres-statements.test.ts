// Statements that PostgreSQL keeps prepared go on working when another server's migration changes the tables under them.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { sql } from "kysely";
import { silentLogger } from "../../../src/base/logger.ts";
import { openStore, type Store } from "../../../src/server/store/database.ts";
import { startPostgres, type TestPostgres, whyNoPostgres } from "../../helpers/postgres.ts";

const skip = whyNoPostgres();

describe("prepared statements", skip === undefined ? {} : { skip }, () => {
  let postgres: TestPostgres;
  let store: Store;
  let other: Store;

  before(async () => {
    postgres = await startPostgres();
    const url = await postgres.createDatabase();
    store = await openStore(url, silentLogger, { poolSize: 1 });
    other = await openStore(url, silentLogger, { poolSize: 1 });
  });
  after(async () => {
    await other?.close();
    await store?.close();
    await postgres?.close();
  });

  const readMeta = (db: Store["db"]) => db.selectFrom("meta").selectAll().where("key", "=", "epoch").execute();
  const countPrepared = async (): Promise<number> => {
    const { rows } = await sql<{ count: string }>`select count(*) as count from pg_prepared_statements
      where statement like '%from "meta"%'`.execute(store.db);
    return Number(rows[0]?.count);
  };

  test("what is asked for the second time is prepared", async () => {
    await readMeta(store.db);
    assert.equal(await countPrepared(), 0);
    await readMeta(store.db);
    await readMeta(store.db);
    assert.equal(await countPrepared(), 1);
  });

  test("a column that another server adds does not break a read", async () => {
    for (let n = 0; n < 3; n++) await readMeta(store.db);
    await sql`alter table meta add column added_a text`.execute(other.db);
    const [row] = await readMeta(store.db);
    assert.ok(row !== undefined && "added_a" in row);
  });

  test("nor a transaction, which runs again", async () => {
    for (let n = 0; n < 4; n++) await readMeta(store.db);
    await sql`alter table meta add column added_b text`.execute(other.db);
    let runs = 0;
    const row = await store.transaction(async (trx) => {
      runs += 1;
      await trx.updateTable("streams").set({ head: 0 }).where("role", "=", "nobody").execute();
      return (await readMeta(trx))[0];
    });
    assert.ok(row !== undefined && "added_b" in row);
    assert.equal(runs, 2);
  });
});
