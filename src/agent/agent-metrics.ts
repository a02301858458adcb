// The agent's figures as Prometheus text. prom-client is loaded at the first scrape: most hosts are never scraped.
import type * as prom from "prom-client";
import type { CacheCounts } from "../cache/network-cache.ts";
import type { DriverFigures } from "../drivers/dhcp-driver.ts";
import type { LeaseFigures } from "../leases/agent-leases.ts";
import type { MetadataMetrics } from "../metadata-proxy/metadata-proxy.ts";
import type { QueueStats } from "../runtime/reconcile-queue.ts";
import type { NetworkStatus, ReconcileJournal } from "./reconcile-journal.ts";

export interface AgentFigures {
  readonly counts: CacheCounts;
  readonly queue: QueueStats;
  readonly journal: Pick<ReconcileJournal, "outcomes" | "reconcileMs" | "effectMs" | "status" | "failing">;
  readonly reportsPending: number;
  readonly reportsDropped: number;
  readonly crashes: number;
  /** Changes that came as events. */
  readonly events: number;
  /** Requests to servers, reports included. */
  readonly requests: number;
  /** Tools that were started; undefined where nobody counts. */
  readonly forks: number | undefined;
  readonly driver: DriverFigures | undefined;
  readonly leases: LeaseFigures | undefined;
  /** Undefined where no metadata are served. */
  readonly metadata: MetadataMetrics | undefined;
  readonly isConnected: boolean;
  /** No server hears this agent: nothing is served. */
  readonly isFenced: boolean;
}

type LabelledCounts = readonly [label: string, values: ReadonlyMap<string | number, number>];

const prefix = "netloom_dhcp_agent_";

/** Of the changes of running servers, those that needed no signal, and all. */
function quietChanges(outcomes: ReadonlyMap<string, number>): readonly [quiet: number, all: number] {
  const of = (outcome: string): number => outcomes.get(outcome) ?? 0;
  const quiet = of("added") + of("changed");
  return [quiet, quiet + of("reloaded")];
}

type NetworkStates = AgentFigures["journal"]["status"];

const allStates = ["served", "off", "degraded", "failing", "fenced"] as const satisfies readonly NetworkStatus["state"][];

/** Every state, also those that no network is in. */
function countStates(status: NetworkStates): ReadonlyMap<string, number> {
  const counts = new Map<string, number>(allStates.map((state) => [state, 0]));
  for (const { state } of status.values()) counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts;
}

/** Networks that have a server, whatever it can be asked. */
const countServed = (status: NetworkStates): number => countStates(status).get("served") ?? 0;

type PromClient = Pick<typeof prom, "Counter" | "Gauge" | "Registry">;

class Page {
  readonly #client: PromClient;
  readonly #registry: prom.Registry;

  constructor(client: PromClient) {
    this.#client = client;
    this.#registry = new client.Registry();
  }

  gauge(name: string, help: string, value: number): void {
    new this.#client.Gauge({ name: `${prefix}${name}`, help, registers: [this.#registry] }).set(value);
  }

  counter(name: string, help: string, value: number): void {
    new this.#client.Counter({ name: `${prefix}${name}`, help, registers: [this.#registry] }).inc(value);
  }

  /** Before the first of what it is a ratio of, there is none. */
  ratio(name: string, help: string, [part, whole]: readonly [number, number]): void {
    if (whole > 0) this.gauge(name, help, part / whole);
  }

  countsBy(name: string, help: string, [label, counts]: LabelledCounts): void {
    const registers = [this.#registry];
    const labelled = new this.#client.Counter({ name: `${prefix}${name}`, help, labelNames: [label], registers });
    for (const [value, count] of counts) labelled.inc({ [label]: value }, count);
  }

  gaugesBy(name: string, help: string, [label, counts]: LabelledCounts): void {
    const registers = [this.#registry];
    const labelled = new this.#client.Gauge({ name: `${prefix}${name}`, help, labelNames: [label], registers });
    for (const [value, count] of counts) labelled.set({ [label]: value }, count);
  }

  format(): Promise<string> {
    return this.#registry.metrics();
  }
}

export async function formatMetrics(figures: AgentFigures): Promise<string> {
  const page = new Page(await import("prom-client"));
  const { journal, driver, leases, metadata } = figures;
  addState(page, figures);
  addWork(page, figures);
  if (driver !== undefined) {
    page.counter("change_cpu_seconds_total", "CPU that DHCP servers spent on taking changes in", driver.changeCpuMs / 1000);
    page.counter("udp_dropped_total", "Packets that DHCP servers' sockets had no room for", driver.droppedPackets);
  }
  if (leases !== undefined) addLeases(page, leases, countServed(journal.status));
  if (metadata !== undefined) addMetadata(page, metadata);
  return [
    await page.format(),
    journal.reconcileMs.format(`${prefix}reconcile_seconds`, "How long reconciles took"),
    journal.effectMs.format(`${prefix}effect_seconds`, "From the first change that is not in effect until all are"),
  ].join("\n");
}

function addState(page: Page, { counts, queue, journal, reportsPending, isConnected, isFenced }: AgentFigures): void {
  page.gauge("networks", "Networks that this host should serve", counts.networks);
  page.gauge("subnets", "Subnets of these networks", counts.subnets);
  page.gauge("ports", "Ports of these networks", counts.ports);
  page.gauge("dirty_networks", "Networks that are not known to be as they should be", queue.dirty);
  page.gauge("failing_networks", "Networks whose last reconcile failed, or whose server died and is not back", journal.failing);
  page.gauge("oldest_dirty_seconds", "Age of the oldest change that is not in effect", queue.oldestDirtyMs / 1000);
  page.gauge("reports_pending", "Ready ports and leases that the server has not stored yet", reportsPending);
  page.gaugesBy("networks_by_state", "Networks by what became of their last reconcile", ["state", countStates(journal.status)]);
  page.gauge("nats_connected", "1 while connected to NATS", isConnected ? 1 : 0);
  page.gauge("fenced", "1 while nothing is served because no server hears this agent", isFenced ? 1 : 0);
}

function addWork(page: Page, { journal, reportsDropped, crashes, events, requests, forks }: AgentFigures): void {
  page.ratio("quiet_change_ratio", "Share of changes of running servers that needed no signal", quietChanges(journal.outcomes));
  page.countsBy("reconciles_total", "Reconciles by outcome", ["outcome", journal.outcomes]);
  page.counter("reports_dropped_total", "Reports given up because too many waited", reportsDropped);
  page.counter("events_total", "Changes that came as events", events);
  page.counter("servers_died_total", "DHCP servers that died", crashes);
  page.counter("rpc_total", "Requests to servers, reports included", requests);
  page.ratio("rpc_per_event", "Requests to servers, by changes that came as events", [requests, events]);
  if (forks === undefined) return;
  page.counter("forks_total", "Tools that were started", forks);
  page.ratio("forks_per_event", "Tools that were started, by changes that came as events", [forks, events]);
}

/** Only a server on the bus can be asked for what it counts: a DHCPNAK leaves no other trace that is cheap to find. */
function addLeases(page: Page, { leases, serversOnBus, counters }: LeaseFigures, served: number): void {
  const silent = Math.max(0, served - serversOnBus);
  page.gauge("leases", "Leases that DHCP servers of this host have given out", leases);
  page.gauge("servers_on_bus", "DHCP servers that tell of leases at once", serversOnBus);
  page.gauge("servers_without_counters", "DHCP servers that NAKs and other dnsmasq_ figures lack: not on the bus", silent);
  for (const [name, value] of counters)
    page.gauge(`dnsmasq_${name}`, `dnsmasq's counter ${name}, of the servers on the bus`, value);
}

function addMetadata(page: Page, { networks, listeners, connections, opened, requests }: MetadataMetrics): void {
  page.gauge("metadata_networks", "Networks whose instances are served metadata", networks);
  page.gauge("metadata_listeners", "Sockets that listen for metadata requests", listeners);
  page.gauge("metadata_connections", "Connections of instances that are open", connections);
  page.counter("metadata_listeners_opened_total", "Sockets that were opened for metadata requests", opened);
  page.countsBy("metadata_requests_total", "Metadata requests by status of the answer", ["status", requests]);
}
