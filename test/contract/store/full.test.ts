// A database that takes nothing more: what clients are told, and that nothing is half done.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { sql } from "kysely";
import { silentLogger } from "../../../src/base/logger.ts";
import { ApiFault } from "../../../src/types/api-faults.ts";
import { openStore, type Store } from "../../../src/server/store/database.ts";
import { translateEngineError } from "../../../src/server/store/engine-errors.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { RealApi } from "../../helpers/real-api.ts";

async function open(t: TestContext): Promise<{ readonly api: RealApi; readonly store: Store; readonly file: string }> {
  const directory = await mkdtemp(join(tmpdir(), "netloom-full-"));
  const file = join(directory, "x.db");
  const store = await openStore(`sqlite:${file}`, silentLogger, { patienceMs: 100 });
  const api = new RealApi(store);
  t.after(async () => {
    await api.close();
    await rm(directory, { recursive: true, force: true });
  });
  return { api, store, file };
}

/** The file may grow by so many pages and no more, as on a disk that is nearly full. */
async function limitPages(store: Store, more: number): Promise<void> {
  const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(store.db);
  await sql.raw(`pragma max_page_count = ${(rows[0]?.page_count ?? 0) + more}`).execute(store.db);
}

const full = { status: 507, type: "InsufficientStorage", message: "The database has no room left, nothing was changed." };

test("a change that has no room is 507 in one line, and none of a bulk is there", async (t) => {
  const { api, store } = await open(t);
  await api.create("network", { name: "before" });
  await limitPages(store, 4);
  const networks = Array.from({ length: 200 }, (_, n) => ({ name: `n${n}`, description: "x".repeat(200) }));

  const fault = faultOf(await api.ask("/v2.0/networks", { method: "POST", body: { networks } }));

  assert.deepEqual(fault, full);
  assert.deepEqual(
    (await api.list("networks")).map(({ name }) => name),
    ["before"],
  );
  assert.equal((await api.list("networks")).length, 1, "reads go on");
  await limitPages(store, 1000);
  await api.create("network", { name: "after" });
});

test("SQLite takes a transaction back by itself: nothing that follows in it is committed, and the reason is told", async (t) => {
  const { store } = await open(t);
  await limitPages(store, 2);
  const write = (key: string, bytes: number) => store.db.insertInto("meta").values({ key, value: "x".repeat(bytes) });

  const attempt = store.transaction(async (trx) => {
    await trx.executeQuery(write("small", 10));
    // Whoever swallows a failure must not go on outside of the transaction.
    await trx.executeQuery(write("large", 1_000_000)).catch(() => {});
    await trx.executeQuery(write("later", 10));
  });

  await assert.rejects(attempt, /taken back by the engine/);
  const keys = await store.db.selectFrom("meta").select("key").where("key", "in", ["small", "large", "later"]).execute();
  assert.deepEqual(keys, []);
  await assert.rejects(
    store.transaction((trx) => trx.executeQuery(write("large", 1_000_000))),
    (thrown) => thrown instanceof ApiFault && thrown.status === 507,
  );
  await store.transaction((trx) => trx.executeQuery(write("small", 10)));
});

test("a database that another process holds is 503 in one line, and changes go on when it lets go", async (t) => {
  const { api, file } = await open(t);
  const other = new DatabaseSync(file);
  t.after(() => other.close());
  other.exec("begin immediate");

  const fault = faultOf(await api.ask("/v2.0/networks", { method: "POST", body: { network: {} } }));

  assert.deepEqual(fault, {
    status: 503,
    type: "ServiceUnavailable",
    message: "The database is busy, nothing was changed.",
  });
  assert.deepEqual(await api.list("networks"), []);
  other.exec("rollback");
  await api.create("network", {});
});

test("what the engine says stays inside, also where it is PostgreSQL", () => {
  const engineError = (code: string): Error => Object.assign(new Error("secret of 10.0.0.7"), { code });

  for (const code of ["53100", "53200", "25006", "ECONNREFUSED", "40001", "23505", "57P01"]) {
    const told = translateEngineError(engineError(code));
    assert.ok(told instanceof Error && told.message.length > 0 && !told.message.includes("secret"), code);
    assert.equal((told.cause as Error).message, "secret of 10.0.0.7", "the log has it");
  }
  assert.equal((translateEngineError(engineError("53100")) as ApiFault).status, 507);
});
