// The agent's figures as Prometheus text. prom-client is loaded at the first scrape: most hosts are never scraped.
import type { CacheCounts } from "../cache/network-cache.ts";
import type { DriverFigures } from "../drivers/dhcp-driver.ts";
import type { LeaseFigures } from "../leases/agent-leases.ts";
import type { QueueStats } from "../runtime/reconcile-queue.ts";
import type { ReconcileJournal } from "./reconcile-journal.ts";

export interface AgentFigures {
  readonly counts: CacheCounts;
  readonly queue: QueueStats;
  readonly journal: Pick<ReconcileJournal, "outcomes" | "reconcileMs" | "effectMs">;
  readonly reportsPending: number;
  readonly reportsDropped: number;
  readonly crashes: number;
  /** Changes that came as events. */
  readonly events: number;
  /** Tools that were started; undefined where nobody counts. */
  readonly forks: number | undefined;
  readonly driver: DriverFigures | undefined;
  readonly leases: LeaseFigures | undefined;
  readonly isConnected: boolean;
}

const prefix = "netloom_dhcp_agent_";

/** Of the changes of running servers, the share that needed no signal; NaN before the first. */
function quietShare(outcomes: ReadonlyMap<string, number>): number {
  const of = (outcome: string): number => outcomes.get(outcome) ?? 0;
  const quiet = of("added") + of("changed");
  return quiet / (quiet + of("reloaded"));
}

export async function formatMetrics(figures: AgentFigures): Promise<string> {
  const { Counter, Gauge, Registry } = await import("prom-client");
  const registry = new Registry();
  const gauge = (name: string, help: string, value: number): void =>
    new Gauge({ name: `${prefix}${name}`, help, registers: [registry] }).set(value);
  const counter = (name: string, help: string, value: number): void =>
    new Counter({ name: `${prefix}${name}`, help, registers: [registry] }).inc(value);
  const { counts, queue, journal, driver, leases } = figures;
  gauge("networks", "Networks that this host should serve", counts.networks);
  gauge("subnets", "Subnets of these networks", counts.subnets);
  gauge("ports", "Ports of these networks", counts.ports);
  gauge("dirty_networks", "Networks that are not known to be as they should be", queue.dirty);
  gauge("failing_networks", "Networks whose last reconcile failed", queue.failing);
  gauge("oldest_dirty_seconds", "Age of the oldest change that is not in effect", queue.oldestDirtyMs / 1000);
  gauge("reports_pending", "Ready ports and leases that the server has not stored yet", figures.reportsPending);
  gauge("nats_connected", "1 while connected to NATS", figures.isConnected ? 1 : 0);
  gauge("quiet_change_ratio", "Share of changes of running servers that needed no signal", quietShare(journal.outcomes));
  counter("reports_dropped_total", "Reports given up because too many waited", figures.reportsDropped);
  counter("events_total", "Changes that came as events", figures.events);
  counter("servers_died_total", "DHCP servers that died", figures.crashes);
  if (figures.forks !== undefined) {
    counter("forks_total", "Tools that were started", figures.forks);
    gauge("forks_per_event", "Tools that were started, by changes that came as events", figures.forks / figures.events);
  }
  if (driver !== undefined) {
    counter("change_cpu_seconds_total", "CPU that DHCP servers spent on taking changes in", driver.changeCpuMs / 1000);
    counter("udp_dropped_total", "Packets that DHCP servers' sockets had no room for", driver.droppedPackets);
  }
  if (leases !== undefined) {
    gauge("leases", "Leases that DHCP servers of this host have given out", leases.leases);
    gauge("servers_on_bus", "DHCP servers that tell of leases at once", leases.serversOnBus);
    for (const [name, value] of leases.counters)
      gauge(`dnsmasq_${name}`, `dnsmasq's counter ${name}, of the servers on the bus`, value);
  }
  const reconciles = new Counter({
    name: `${prefix}reconciles_total`,
    help: "Reconciles by outcome",
    labelNames: ["outcome"] as const,
    registers: [registry],
  });
  for (const [outcome, count] of journal.outcomes) reconciles.inc({ outcome }, count);
  return [
    await registry.metrics(),
    journal.reconcileMs.format(`${prefix}reconcile_seconds`, "How long reconciles took"),
    journal.effectMs.format(`${prefix}effect_seconds`, "From the first change that is not in effect until all are"),
  ].join("\n");
}
