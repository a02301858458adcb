// The Prometheus page. prom-client is loaded when somebody first asks for it: most small installations never do.
import type { Bus } from "../messaging/bus.ts";
import type { OutboxPublisher } from "./publisher/outbox-publisher.ts";
import type { RequestFigures } from "./request-figures.ts";
import type { Store } from "./store/database.ts";
import type { StreamKey } from "./store/outbox.ts";
import type { Database } from "./store/schema.ts";

export interface MetricsSources {
  readonly store: Store;
  readonly bus: Bus;
  readonly publisher: OutboxPublisher;
  readonly requests: RequestFigures;
  /** How far each agent is, by its own words. */
  readonly seen: () => readonly (StreamKey & { readonly upTo: number })[];
}

/** What is counted on the way of a request are a few additions; everything else is read at the moment of the scrape. */
export function lazyMetrics(sources: MetricsSources): () => Promise<string> {
  let page: Promise<() => Promise<string>> | undefined;
  return async () => {
    page ??= createPage(sources);
    return (await page)();
  };
}

async function createPage({ store, bus, publisher, requests, seen }: MetricsSources): Promise<() => Promise<string>> {
  const { Registry, Gauge, collectDefaultMetrics } = await import("prom-client");
  const register = new Registry();
  const registers = [register];
  collectDefaultMetrics({ register });
  const gauge = (name: string, help: string, read: () => number | Promise<number>): void => {
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        this.set(await read());
      },
    });
  };
  gauge("netloom_nats_connected", "1 while connected to NATS", () => (bus.isConnected ? 1 : 0));
  gauge("netloom_events_published_total", "Outbox rows handed to NATS since the start", () => publisher.publishedRows);
  gauge("netloom_events_unpublished", "Outbox rows that wait for NATS", () => publisher.waitingRows);
  const { sql, pool } = store.figures;
  gauge("netloom_sql_statements_total", "Statements that the database was asked", () => sql.statements);
  gauge("netloom_sql_failed_total", "Those that it refused: mostly races that are run again", () => sql.failed);
  gauge("netloom_sql_seconds_total", "Time that it took over them", () => sql.seconds);
  if (pool() !== undefined) {
    gauge("netloom_sql_connections", "Connections to PostgreSQL", () => pool()?.all ?? 0);
    gauge("netloom_sql_connections_idle", "Those that nobody uses", () => pool()?.idle ?? 0);
    gauge("netloom_sql_connections_awaited", "Requests that wait for one", () => pool()?.waiting ?? 0);
  }
  gauge("netloom_notifications_waiting", "Changes that users outside were not told of yet", () =>
    countRows(store, "notifications"),
  );
  new Gauge({
    name: "netloom_stream_lag",
    help: "Messages that an agent has not seen yet, by its last heartbeat",
    labelNames: ["role", "host"],
    registers,
    collect() {
      this.reset();
      for (const { role, host, upTo } of seen()) {
        this.set({ role, host }, Math.max(0, (publisher.headOf({ role, host }) ?? upTo) - upTo));
      }
    },
  });
  for (const table of ["networks", "subnets", "ports", "agents", "leases"] as const) {
    gauge(`netloom_${table}`, `Rows of ${table}`, () => countRows(store, table));
  }
  return async () => `${await register.metrics()}\n${requests.format()}`;
}

async function countRows(store: Store, table: keyof Database): Promise<number> {
  const { rows } = await store.db
    .selectFrom(table)
    .select((eb) => eb.fn.countAll().as("rows"))
    .executeTakeFirstOrThrow();
  return Number(rows);
}
