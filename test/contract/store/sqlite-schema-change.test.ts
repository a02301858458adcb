// Another process migrates the file of a server that runs: what was prepared before must not give rows the names of then.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { silentLogger } from "../../../src/base/logger.ts";
import { openStore } from "../../../src/server/store/database.ts";

const directory = await mkdtemp(join(tmpdir(), "netloom-schema-"));
after(() => rm(directory, { recursive: true, force: true }));

test("columns that come, go and change places elsewhere keep their names here, in transactions and outside", async () => {
  const file = join(directory, "netloom.db");
  const store = await openStore(`sqlite:${file}`, silentLogger);
  after(() => store.close());
  const other = new DatabaseSync(file);
  after(() => other.close());
  await store.db.insertInto("quotas").values({ project_id: "p", resource: "port", max_count: 7 }).execute();
  const read = () => store.db.selectFrom("quotas").selectAll().executeTakeFirstOrThrow();
  const readInside = () => store.transaction((trx) => trx.selectFrom("quotas").selectAll().executeTakeFirstOrThrow());
  const before = await read();
  assert.deepEqual(await readInside(), before);

  other.exec("alter table quotas add column note text not null default 'new'");
  assert.deepEqual(await read(), { ...before, note: "new" });
  assert.deepEqual(await readInside(), { ...before, note: "new" });

  other.exec(`create table rebuilt as select note, max_count, resource, project_id from quotas;
    drop table quotas; alter table rebuilt rename to quotas`);
  assert.deepEqual(await readInside(), { ...before, note: "new" });
  assert.deepEqual(await read(), { ...before, note: "new" });
});
