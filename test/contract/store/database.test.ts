import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { NetloomError } from "../../../src/base/errors.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { openStore, type Store, type Trx } from "../../../src/server/store/database.ts";
import { forEachDatabase } from "../../helpers/databases.ts";

const setMeta = (trx: Trx, key: string, value: string): Promise<unknown> =>
  trx.insertInto("meta").values({ key, value }).execute();

async function readMeta(store: Store, key: string): Promise<string | undefined> {
  const row = await store.db.selectFrom("meta").select("value").where("key", "=", key).executeTakeFirst();
  return row?.value;
}

const isFailure = (code: string, text: RegExp) => (thrown: unknown) =>
  thrown instanceof NetloomError && thrown.code === code && text.test(thrown.message) && !thrown.message.includes("\n");

forEachDatabase((_name, openFresh, freshUrl) => {
  test("the epoch is made once and survives opening again", async () => {
    const url = await freshUrl();
    const first = await openStore(url, silentLogger);
    const epoch = await readMeta(first, "epoch");
    await first.close();

    const second = await openStore(url, silentLogger);

    assert.match(epoch ?? "", /^[0-9a-f-]{36}$/);
    assert.equal(await readMeta(second, "epoch"), epoch);
    await second.close();
  });

  test("a start of the machine begins a new epoch where commits may have been lost, and only there", async () => {
    const url = await freshUrl();
    const epochAfter = async (boot: string, synchronous: "normal" | "full" = "normal"): Promise<string | undefined> => {
      const store = await openStore(url, silentLogger, {
        readBootId: async () => boot,
        sqliteSynchronous: synchronous,
      });
      const epoch = await readMeta(store, "epoch");
      await store.close();
      return epoch;
    };
    const first = await epochAfter("boot-1");

    assert.equal(await epochAfter("boot-1"), first);
    assert.equal(await epochAfter("boot-2", "full"), first);
    const second = await epochAfter("boot-2");
    assert.equal(second === first, !url.startsWith("sqlite:"));
    assert.equal(await epochAfter("boot-2"), second);
  });

  test("several servers may open an empty database at the same moment", async () => {
    const url = await freshUrl();

    const stores = await Promise.all([1, 2, 3].map(() => openStore(url, silentLogger)));

    const epochs = await Promise.all(stores.map((store) => readMeta(store, "epoch")));
    assert.equal(new Set(epochs).size, 1);
    await Promise.all(stores.map((store) => store.close()));
  });

  test("a transaction that throws leaves nothing behind and nobody hears of it", async () => {
    const store = await openFresh();
    let heard = 0;
    store.onCommitted(() => heard++);

    const failing = store.transaction(async (trx) => {
      await setMeta(trx, "half", "done");
      throw new Error("changed my mind");
    });

    await assert.rejects(failing, /changed my mind/);
    assert.equal(await readMeta(store, "half"), undefined);
    assert.equal(heard, 0);
  });

  test("every commit is told to the listeners until they stop listening", async () => {
    const store = await openFresh();
    let heard = 0;
    const stop = store.onCommitted(() => heard++);

    await store.transaction((trx) => setMeta(trx, "a", "1"));
    stop();
    await store.transaction((trx) => setMeta(trx, "b", "1"));

    assert.equal(heard, 1);
  });

  test("whoever loses a unique race runs again and sees the winner", async () => {
    const store = await openFresh();
    let runs = 0;
    const take = (name: string) =>
      store.transaction(async (trx) => {
        runs++;
        const taken = await trx.selectFrom("meta").select("value").where("key", "=", "seat").executeTakeFirst();
        if (taken !== undefined) return `taken by ${taken.value}`;
        await setMeta(trx, "seat", name);
        return "mine";
      });

    const answers = await Promise.all(["a", "b", "c", "d"].map(take));

    assert.equal(answers.filter((answer) => answer === "mine").length, 1);
    assert.ok(runs >= 4);
  });

  test("a constraint that is broken however often it is tried ends as CONFLICT", async () => {
    const store = await openFresh();
    let runs = 0;

    const failing = store.transaction(async (trx) => {
      runs++;
      await setMeta(trx, "epoch", "another");
    });

    await assert.rejects(failing, isFailure("CONFLICT", /^Others changed/));
    assert.ok(runs > 1);
  });

  test("two stores on one database count to the same number together", async () => {
    const url = await freshUrl();
    const stores = await Promise.all([openStore(url, silentLogger), openStore(url, silentLogger)]);
    await stores[0]?.transaction((trx) => setMeta(trx, "count", "0"));
    const countUp = (store: Store) =>
      store.transaction(async (trx) => {
        const locked = trx.selectFrom("meta").select("value").where("key", "=", "count");
        const row = await (store.dialect === "postgres" ? locked.forUpdate() : locked).executeTakeFirstOrThrow();
        await trx
          .updateTable("meta")
          .set({ value: String(Number(row.value) + 1) })
          .where("key", "=", "count")
          .execute();
      });

    await Promise.all(stores.flatMap((store) => Array.from({ length: 10 }, () => countUp(store))));

    for (const store of stores) assert.equal(await readMeta(store, "count"), "20");
    await Promise.all(stores.map((store) => store.close()));
  });
});

describe("a database that cannot be opened ends in one clear line", () => {
  let directory = "";
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "netloom-open-"));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  test("a file that is not a database", async () => {
    const file = join(directory, "corrupt.db");
    await writeFile(file, "this is not a database, however long one looks at it\n".repeat(100));

    await assert.rejects(openStore(`sqlite:${file}`, silentLogger), isFailure("UNAVAILABLE", /corrupt\.db.*not a database/));
  });

  test("a directory that is not there", async () => {
    await assert.rejects(
      openStore(`sqlite:${directory}/no/where.db`, silentLogger),
      isFailure("UNAVAILABLE", /unable to open/),
    );
  });

  test("a file that may not be written", { skip: process.getuid?.() === 0 ? "root may write everywhere" : false }, async () => {
    const file = join(directory, "read-only.db");
    await (await openStore(`sqlite:${file}`, silentLogger)).close();
    await chmod(file, 0o400);

    await assert.rejects(openStore(`sqlite:${file}`, silentLogger), isFailure("UNAVAILABLE", /read-only\.db/));
  });

  test("a PostgreSQL that nobody runs, without its password in the message", async () => {
    const opening = openStore("postgres://netloom:secret@127.0.0.1:1/netloom", silentLogger);

    await assert.rejects(opening, isFailure("UNAVAILABLE", /^(?!.*secret).*ECONNREFUSED/));
  });

  test("a URL of another kind", async () => {
    await assert.rejects(openStore("mysql://localhost/x", silentLogger), isFailure("INVALID", /mysql/));
  });
});

describe("the files of a SQLite database", () => {
  let directory = "";
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "netloom-files-"));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  const modes = async (name: string): Promise<readonly string[]> => {
    const files = (await readdir(directory)).filter((file) => file.startsWith(name)).sort();
    return Promise.all(
      files.map(async (file) => `${file.slice(name.length)} ${((await stat(join(directory, file))).mode & 0o777).toString(8)}`),
    );
  };

  test("a new one is nobody else's to read, whatever the umask", async (t) => {
    const umask = process.umask(0);
    t.after(() => process.umask(umask));

    const store = await openStore(`sqlite:${join(directory, "new")}`, silentLogger);
    await store.transaction((trx) => setMeta(trx, "a", "b"));

    assert.deepEqual(await modes("new"), [" 600", "-shm 600", "-wal 600"]);
    await store.close();
  });

  test("one that is there keeps the mode that somebody gave it, and what is in it", async () => {
    const url = `sqlite:${join(directory, "old")}`;
    const first = await openStore(url, silentLogger);
    await first.transaction((trx) => setMeta(trx, "a", "b"));
    await first.close();
    await chmod(join(directory, "old"), 0o640);

    const store = await openStore(url, silentLogger);

    assert.equal(await readMeta(store, "a"), "b");
    assert.deepEqual(await modes("old"), [" 640", "-shm 640", "-wal 640"]);
    await store.close();
  });
});
