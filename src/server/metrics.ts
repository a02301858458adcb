// The Prometheus page. prom-client is loaded when somebody first asks for it: most small installations never do.
import type { Bus } from "../messaging/bus.ts";
import type { OutboxPublisher } from "./publisher/outbox-publisher.ts";
import type { Store } from "./store/database.ts";

export interface MetricsSources {
  readonly store: Store;
  readonly bus: Bus;
  readonly publisher: OutboxPublisher;
}

/** Values are read at the moment of the scrape; nothing is counted on the way of a request. */
export function lazyMetrics(sources: MetricsSources): () => Promise<string> {
  let page: Promise<() => Promise<string>> | undefined;
  return async () => {
    page ??= createPage(sources);
    return (await page)();
  };
}

async function createPage({ store, bus, publisher }: MetricsSources): Promise<() => Promise<string>> {
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
  for (const table of ["networks", "subnets", "ports", "agents", "leases"] as const) {
    gauge(`netloom_${table}`, `Rows of ${table}`, async () => {
      const { rows } = await store.db
        .selectFrom(table)
        .select((eb) => eb.fn.countAll().as("rows"))
        .executeTakeFirstOrThrow();
      return Number(rows);
    });
  }
  return () => register.metrics();
}
