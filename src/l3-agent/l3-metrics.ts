// The agent's figures as Prometheus text.
import type { QueueStats } from "../runtime/reconcile-queue.ts";
import type { RouterJournal } from "./router-journal.ts";

export interface L3Figures {
  readonly routers: number;
  readonly queue: QueueStats;
  readonly journal: Pick<RouterJournal, "outcomes" | "reconcileMs" | "effectMs" | "failing" | "foreignChanges">;
  readonly reportsPending: number;
  /** Changes that came as events. */
  readonly events: number;
  /** Requests to servers, reports included. */
  readonly requests: number;
  /** Tools that were started. */
  readonly forks: number;
  readonly isConnected: boolean;
  readonly isFenced: boolean;
}

const prefix = "netloom_l3_agent_";

function line(kind: "gauge" | "counter", name: string, help: string, value: number): string {
  return [`# HELP ${prefix}${name} ${help}`, `# TYPE ${prefix}${name} ${kind}`, `${prefix}${name} ${value}`].join("\n");
}

export function formatL3Metrics({ routers, queue, journal, isConnected, ...figures }: L3Figures): string {
  const outcomes = [...journal.outcomes].map(([outcome, count]) => `${prefix}reconciles_total{outcome="${outcome}"} ${count}`);
  return [
    line("gauge", "routers", "Routers that this host should serve", routers),
    line("gauge", "dirty_routers", "Routers that are not known to be as they should be", queue.dirty),
    line("gauge", "failing_routers", "Routers whose last reconcile failed", journal.failing),
    line("gauge", "oldest_dirty_seconds", "Age of the oldest change that is not in effect", queue.oldestDirtyMs / 1000),
    line("gauge", "reports_pending", "Statuses that the server has not stored yet", figures.reportsPending),
    line("gauge", "nats_connected", "1 while connected to NATS", isConnected ? 1 : 0),
    line(
      "gauge",
      "fenced",
      "1 while plain routers are not served because no server hears this agent",
      figures.isFenced ? 1 : 0,
    ),
    line("counter", "foreign_changes_total", "Changes by others that were repaired", journal.foreignChanges),
    line("counter", "events_total", "Changes that came as events", figures.events),
    line("counter", "rpc_total", "Requests to servers, reports included", figures.requests),
    line("counter", "forks_total", "Tools that were started", figures.forks),
    `# HELP ${prefix}reconciles_total Reconciles by outcome`,
    `# TYPE ${prefix}reconciles_total counter`,
    ...outcomes,
    journal.reconcileMs.format(`${prefix}reconcile_seconds`, "How long reconciles took"),
    journal.effectMs.format(`${prefix}effect_seconds`, "From the first change that is not in effect until all are"),
  ].join("\n");
}
