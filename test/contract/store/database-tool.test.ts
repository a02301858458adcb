// `netloom db`: databases of released versions come up to date with all they hold; a damaged one is told; a backup is whole,
// private and restorable.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import pg from "pg";
import { silentLogger } from "../../../src/base/logger.ts";
import { backUpDatabase, beginEpoch, checkDatabase, upgradeDatabase } from "../../../src/server/database-tool.ts";
import { openEngine, openStore } from "../../../src/server/store/database.ts";
import { readEpoch } from "../../../src/server/store/epoch.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { RealApi } from "../../helpers/real-api.ts";

const fixture = (engine: string): Promise<string> =>
  readFile(new URL(`../../fixtures/schema-0.1.0-${engine}.sql`, import.meta.url), "utf8");
const isCode = (code: string) => (thrown: unknown) => (thrown as { readonly code?: string }).code === code;

let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "netloom-db-tool-"));
});
after(() => rm(directory, { recursive: true, force: true }));

async function fill(url: string, engine: string): Promise<void> {
  const text = await fixture(engine);
  if (engine === "sqlite") {
    const database = new DatabaseSync(url.slice("sqlite:".length));
    database.exec(text);
    return database.close();
  }
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(text);
  await client.end();
}

async function epochOf(url: string): Promise<string> {
  const db = openEngine(url, silentLogger);
  const epoch = await readEpoch(db);
  await db.destroy();
  return epoch;
}

forEachDatabase((engine, _openFresh, freshUrl) => {
  test("a database of 0.1.0 is upgraded with all its rows, and a server serves them", async () => {
    const url = await freshUrl();
    await fill(url, engine);
    const before = await checkDatabase(url);
    assert.equal(before.version, "0006-ha");
    assert.ok(before.pending.includes("0007-standard"));
    assert.deepEqual(before.problems, []);

    const upgraded = await upgradeDatabase(url);

    assert.deepEqual(upgraded.applied, before.pending);
    const report = await checkDatabase(url);
    assert.deepEqual([report.pending, report.problems], [[], []]);
    assert.equal(report.version, before.pending.at(-1));
    for (const [table, count] of Object.entries(before.rows)) {
      if (!table.startsWith("kysely_")) assert.ok((report.rows[table] ?? 0) >= count, table);
    }
    const api = new RealApi(await openStore(url, silentLogger));
    const [port] = await api.list("ports", "?device_id=vm-1");
    assert.deepEqual(
      [port?.["fixed_ips"], port?.["mac_address"], port?.["revision_number"]],
      [[{ subnet_id: "00000011-1111-4111-8111-111111111111", ip_address: "10.0.0.21" }], "fa:16:3e:00:00:21", 3],
    );
    const networks = await api.list("networks", "?sort_key=name");
    assert.deepEqual(
      networks.map((network) => [network["name"], network["shared"], network["router:external"], network["mtu"]]),
      [
        ["everybody", true, false, 1450],
        ["inside", false, false, 1500],
        ["outside", false, true, 1500],
      ],
    );
    const [floating] = await api.list("floatingips");
    assert.deepEqual([floating?.["floating_ip_address"], floating?.["status"]], ["203.0.113.24", "ACTIVE"]);
    const [router] = await api.list("routers");
    assert.equal(
      (await api.ask(`/v2.0/routers/${router?.id}`, { method: "PUT", body: { router: { name: "new" } } })).status,
      200,
    );
    await api.close();
    assert.deepEqual((await upgradeDatabase(url)).applied, []);
  });

  test("a stream that would give a number out twice is a problem", async () => {
    const url = await freshUrl();
    await fill(url, engine);
    await upgradeDatabase(url);
    const db = openEngine(url, silentLogger);
    await db.updateTable("streams").set({ head: 4 }).execute();
    await db.destroy();

    const { problems } = await checkDatabase(url);

    assert.deepEqual(problems, ["stream dhcp of node-1 has message 5, beyond its head 4"]);
  });

  test("an empty database has no version, and nothing to back up", async () => {
    const url = await freshUrl();
    const db = openEngine(url, silentLogger);
    await db.introspection.getTables();
    await db.destroy();

    assert.equal((await checkDatabase(url)).version, null);
    await assert.rejects(backUpDatabase(url, join(directory, `${engine}-empty`)), isCode("NOT_FOUND"));
    await assert.rejects(beginEpoch(url), isCode("NOT_FOUND"));
  });

  test("a backup of a database that is being written holds what was committed before, and overwrites nothing", async () => {
    const url = await freshUrl();
    const api = new RealApi(await openStore(url, silentLogger));
    await api.create("network", { name: "before" });
    let isDone = false;
    const writing = (async () => {
      for (let n = 0; !isDone; n++) await api.create("network", { name: `while-${n}` });
    })();
    const file = join(directory, `${engine}-backup`);

    const backedUp = await backUpDatabase(url, file);

    isDone = true;
    await writing;
    const { size, mode } = await stat(file);
    assert.deepEqual([backedUp.file, backedUp.bytes, mode & 0o777], [file, size, 0o600]);
    await assert.rejects(backUpDatabase(url, file), isCode("CONFLICT"));
    const restored = engine === "sqlite" ? `sqlite:${file}` : await restorePostgres(file, freshUrl);
    const report = await checkDatabase(restored);
    assert.deepEqual([report.problems, report.pending], [[], []]);
    const copy = new RealApi(await openStore(restored, silentLogger));
    assert.equal((await copy.list("networks", "?name=before")).length, 1);
    await copy.close();
    if (engine === "postgres") await beginEpoch(restored);
    assert.notEqual(await epochOf(restored), await readEpoch(api.store.db));
    await api.close();
  });
});

/** As docs say it to be done. */
async function restorePostgres(file: string, freshUrl: () => Promise<string>): Promise<string> {
  const url = await freshUrl();
  const { database, user, host } = new pg.Client({ connectionString: url });
  const env = { ...process.env, PGUSER: user, PGHOST: host };
  await promisify(execFile)("pg_restore", ["--no-owner", `--dbname=${database}`, file], { env });
  return url;
}

describe("what cannot be done", () => {
  test("a file that is not there is not made by looking", async () => {
    const file = join(directory, "nothing.db");
    for (const work of [checkDatabase, beginEpoch]) await assert.rejects(work(`sqlite:${file}`), isCode("NOT_FOUND"));
    await assert.rejects(backUpDatabase(`sqlite:${file}`, join(directory, "copy")), isCode("NOT_FOUND"));
    await assert.rejects(stat(file), { code: "ENOENT" });
  });

  test("a file that is no database, and one whose pages are damaged, are told", async () => {
    const text = join(directory, "text.db");
    await writeFile(text, "this is no database, but long enough to be read as one. ".repeat(100));
    await assert.rejects(checkDatabase(`sqlite:${text}`), /cannot open the database .*text\.db: file is not a database/);
    const file = join(directory, "damaged.db");
    await fill(`sqlite:${file}`, "sqlite");
    const bytes = await readFile(file);
    const at = bytes.lastIndexOf("subnet-11");
    bytes.fill(0, at - (at % 4096), at - (at % 4096) + 8);
    await writeFile(file, bytes);
    const outcome = await checkDatabase(`sqlite:${file}`).then(
      ({ problems }) => problems.length > 0,
      (thrown: unknown) => isCode("UNAVAILABLE")(thrown),
    );
    assert.equal(outcome, true);
  });

  test("nothing half-written is left where a backup cannot be written", async () => {
    const url = `sqlite:${join(directory, "whole.db")}`;
    await fill(url, "sqlite");
    await assert.rejects(backUpDatabase(url, join(directory, "no", "such", "place")), isCode("UNAVAILABLE"));
  });
});
