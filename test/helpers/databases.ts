// Runs one suite on every engine: SQLite in a temporary file, and a real PostgreSQL where it is installed.
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { silentLogger } from "../../src/base/logger.ts";
import { openStore, type Store, type StoreOptions } from "../../src/server/store/database.ts";
import { startPostgres, type TestPostgres, whyNoPostgres } from "./postgres.ts";

/** An empty database; what was opened is closed, and removed, after the suite. */
export type OpenFresh = (options?: StoreOptions) => Promise<Store>;
/** The URL of an empty database that nobody has opened, for tests that open one several times. */
export type FreshUrl = () => Promise<string>;

export function forEachDatabase(suite: (name: string, openFresh: OpenFresh, freshUrl: FreshUrl) => void): void {
  describe("on SQLite", () => {
    let directory = "";
    before(async () => {
      directory = await mkdtemp(join(tmpdir(), "netloom-db-"));
    });
    const freshUrl = async (): Promise<string> => `sqlite:${join(directory, `${randomBytes(6).toString("hex")}.db`)}`;
    const opener = closingOpener(freshUrl);
    after(async () => {
      await opener.close();
      await rm(directory, { recursive: true, force: true });
    });
    suite("sqlite", opener.open, freshUrl);
  });

  const skip = whyNoPostgres();
  describe("on PostgreSQL", skip === undefined ? {} : { skip }, () => {
    let server: TestPostgres | undefined;
    before(async () => {
      server = await startPostgres();
    });
    const freshUrl = async (): Promise<string> => {
      if (server === undefined) throw new Error("PostgreSQL has not been started");
      return server.createDatabase();
    };
    const opener = closingOpener(freshUrl);
    after(async () => {
      await opener.close();
      await server?.close();
    });
    suite("postgres", opener.open, freshUrl);
  });
}

function closingOpener(freshUrl: FreshUrl): { readonly open: OpenFresh; readonly close: () => Promise<void> } {
  const opened: Store[] = [];
  return {
    async open(options) {
      const store = await openStore(await freshUrl(), silentLogger, options);
      opened.push(store);
      return store;
    },
    async close() {
      await Promise.all(opened.map((store) => store.close()));
    },
  };
}
