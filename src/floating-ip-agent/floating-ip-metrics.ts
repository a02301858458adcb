// The agent's figures as Prometheus text. Few enough to be written by hand.
import type { QueueStats } from "../runtime/reconcile-queue.ts";
import type { FloatingIpAgent } from "./floating-ip-agent.ts";

export interface FloatingIpFigures {
  readonly agent: Pick<FloatingIpAgent, "counts" | "statusCounts" | "journal">;
  readonly queue: QueueStats;
  /** Changes that came as events. */
  readonly events: number;
  readonly reportsPending: number;
  readonly isConnected: boolean;
  readonly isFenced: boolean;
  /** Tools that were started; undefined where others share them. */
  readonly starts: number | undefined;
}

const prefix = "netloom_floating_ip_agent_";

type Sample = readonly [labels: string, value: number];

function format(kind: "gauge" | "counter", name: string, help: string, samples: readonly Sample[]): string {
  const lines = samples.map(([labels, value]) => `${prefix}${name}${labels} ${value}`);
  return [`# HELP ${prefix}${name} ${help}`, `# TYPE ${prefix}${name} ${kind}`, ...lines, ""].join("\n");
}

const gauge = (name: string, help: string, value: number): string => format("gauge", name, help, [["", value]]);
const counter = (name: string, help: string, value: number): string => format("counter", name, help, [["", value]]);

export function formatFloatingIpMetrics({ agent, queue, events, ...figures }: FloatingIpFigures): string {
  const { counts, statusCounts, journal } = agent;
  const states = (["served", "degraded", "waiting", "failing", "fenced"] as const).map(
    (state): Sample => [`{state="${state}"}`, journal.count(state)],
  );
  const statuses = Object.entries(statusCounts).map(([status, count]): Sample => [`{status="${status}"}`, count]);
  return [
    gauge("floating_ips", "Floating IPs that this host should serve", counts.floatingIps),
    gauge("port_forwardings", "Port forwardings that this host should serve", counts.portForwardings),
    format("gauge", "routers", "Routers of this host by state of their floating IPs", states),
    format("gauge", "statuses", "Floating IPs by the status that was told last", statuses),
    gauge("dirty_routers", "Routers that are not known to be as they should be", queue.dirty),
    gauge("oldest_dirty_seconds", "Age of the oldest change that is not in effect", queue.oldestDirtyMs / 1000),
    gauge("reports_pending", "Statuses that the server has not stored yet", figures.reportsPending),
    gauge("nats_connected", "1 while connected to NATS", figures.isConnected ? 1 : 0),
    gauge(
      "fenced",
      "1 while plain routers' floating IPs are not served because no server hears this agent",
      figures.isFenced ? 1 : 0,
    ),
    counter("events_total", "Changes that came as events", events),
    counter(
      "foreign_changes_total",
      "Elements and routes that others had changed, and that were repaired",
      journal.foreignChanges,
    ),
    ...(figures.starts === undefined ? [] : [counter("starts_total", "Tools that were started", figures.starts)]),
    journal.reconcileMs.format(`${prefix}reconcile_seconds`, "How long reconciles took"),
    journal.effectMs.format(`${prefix}effect_seconds`, "From the first change that is not in effect until all are"),
  ].join("\n");
}
