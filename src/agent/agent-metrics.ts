// The agent's figures as Prometheus text. prom-client is loaded at the first scrape: most hosts are never scraped.
import type { CacheCounts } from "../cache/network-cache.ts";
import type { QueueStats } from "../runtime/reconcile-queue.ts";

export interface AgentFigures {
  readonly counts: CacheCounts;
  readonly queue: QueueStats;
  readonly outcomes: ReadonlyMap<string, number>;
  readonly reportsPending: number;
  readonly reportsDropped: number;
  readonly isConnected: boolean;
}

export async function formatMetrics(figures: AgentFigures): Promise<string> {
  const { Counter, Gauge, Registry } = await import("prom-client");
  const registry = new Registry();
  const gauge = (name: string, help: string, value: number): void =>
    new Gauge({ name: `netloom_dhcp_agent_${name}`, help, registers: [registry] }).set(value);
  gauge("networks", "Networks that this host should serve", figures.counts.networks);
  gauge("subnets", "Subnets of these networks", figures.counts.subnets);
  gauge("ports", "Ports of these networks", figures.counts.ports);
  gauge("dirty_networks", "Networks that are not known to be as they should be", figures.queue.dirty);
  gauge("failing_networks", "Networks whose last reconcile failed", figures.queue.failing);
  gauge("oldest_dirty_seconds", "Age of the oldest change that is not in effect", figures.queue.oldestDirtyMs / 1000);
  gauge("reports_pending", "Ready ports and leases that the server has not stored yet", figures.reportsPending);
  gauge("nats_connected", "1 while connected to NATS", figures.isConnected ? 1 : 0);
  const dropped = { name: "netloom_dhcp_agent_reports_dropped_total", help: "Reports given up because too many waited" };
  new Counter({ ...dropped, registers: [registry] }).inc(figures.reportsDropped);
  const reconciles = {
    name: "netloom_dhcp_agent_reconciles_total",
    help: "Reconciles by outcome",
    labelNames: ["outcome"] as const,
  };
  const counter = new Counter({ ...reconciles, registers: [registry] });
  for (const [outcome, count] of figures.outcomes) counter.inc({ outcome }, count);
  return registry.metrics();
}
