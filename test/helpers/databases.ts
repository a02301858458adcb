// Runs one suite on every engine: SQLite in a temporary file, and a real PostgreSQL where it is installed.
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe } from "node:test";
import { silentLogger } from "../../src/base/logger.ts";
import { openStore, type Store, type StoreOptions } from "../../src/server/store/database.ts";
import { startPostgres, type TestPostgres, whyNoPostgres } from "./postgres.ts";

/** An empty database for the running test. After the test it is emptied and given to a later one: that is ten times as fast. */
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
    const opener = recyclingOpener(freshUrl);
    afterEach(() => opener.recycle());
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
    const opener = recyclingOpener(freshUrl);
    afterEach(() => opener.recycle());
    after(async () => {
      await opener.close();
      await server?.close();
    });
    suite("postgres", opener.open, freshUrl);
  });
}

interface Opener {
  readonly open: OpenFresh;
  readonly recycle: () => Promise<void>;
  readonly close: () => Promise<void>;
}

function recyclingOpener(freshUrl: FreshUrl): Opener {
  const all: Store[] = [];
  const empty: Store[] = [];
  let inUse: Store[] = [];
  return {
    async open(options) {
      const recycled = options === undefined ? empty.pop() : undefined;
      const store = recycled ?? (await openStore(await freshUrl(), silentLogger, options));
      if (recycled === undefined) all.push(store);
      // With options of its own it is for one test only.
      if (options === undefined) inUse.push(store);
      return store;
    },
    async recycle() {
      const used = inUse;
      inUse = [];
      // A test may have closed its store; then the next one gets a new database.
      for (const store of used) if (await removeRows(store).catch(() => false)) empty.push(store);
    },
    async close() {
      await Promise.all(all.map((store) => store.close()));
    },
  };
}

/** In an order in which nothing is left that refers to what goes. */
const tables = [
  "rbac_policies",
  "quotas",
  "port_forwardings",
  "floating_ips",
  "router_ports",
  "router_l3_agents",
  "ha_routers",
  "ha_networks",
  "routers",
  "trunks",
  "fixed_ips",
  "ports",
  "security_group_rules",
  "security_groups",
  "security_group_defaults",
  "address_groups",
  "subnets",
  "subnet_pools",
  "address_scopes",
  "leases",
  "network_dhcp_agents",
  "auto_allocated_topologies",
  "networks",
  "qos_policies",
  "network_segment_ranges",
  "agents",
  "outbox",
  "streams",
  "jobs",
  // Last: the rows that went were noted.
  "notifications",
] as const;

async function removeRows(store: Store): Promise<true> {
  await store.transaction(async (trx) => {
    for (const table of tables) await trx.deleteFrom(table).execute();
    await trx.deleteFrom("meta").where("key", "!=", "epoch").execute();
  });
  return true;
}
