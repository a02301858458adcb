// Puts the parts of the DHCP agent together and takes them apart again. Which driver, bus and relay is main.ts' choice.
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { NetworkCache } from "../cache/network-cache.ts";
import type { DhcpDeviceManager, DhcpDriver } from "../drivers/dhcp-driver.ts";
import { Heartbeat } from "../heartbeat/heartbeat.ts";
import type { Bus } from "../messaging/bus.ts";
import { openHealthSocket } from "../runtime/health-socket.ts";
import type { Stop } from "../runtime/stop.ts";
import type { Timers } from "../runtime/timers.ts";
import type { AgentDescription, Heartbeat as HeartbeatMessage, LeaseReport } from "../types/agent-messages.ts";
import { formatMetrics } from "./agent-metrics.ts";
import { DhcpAgent } from "./dhcp-agent.ts";
import { DhcpPluginApi } from "./dhcp-plugin-api.ts";
import { StatusReporter } from "./status-reporter.ts";
import { StreamConsumer } from "./stream-consumer.ts";

export interface AgentSettings {
  readonly host: string;
  readonly stateDir: string;
  readonly availabilityZone: string;
  readonly reportIntervalMs: number;
  readonly concurrency: number;
  readonly dhcp: { readonly leaseSeconds: number };
}

/** Where leases come from: each change once, also those of the time in which nobody listened. */
export interface LeaseSource {
  onLease(listener: (lease: LeaseReport) => void): void;
  start(): Promise<void>;
  close(): Promise<void>;
}

export interface AgentEnvironment {
  readonly settings: AgentSettings;
  readonly bus: Bus;
  readonly driver: DhcpDriver;
  readonly deviceManager: DhcpDeviceManager;
  readonly leases: LeaseSource;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  readonly stop: Pick<Stop, "onStop">;
}

export interface RunningAgent {
  readonly agent: DhcpAgent;
  readonly consumer: StreamConsumer;
  /** Resolves when every network of the first sync had its turn. */
  readonly ready: Promise<void>;
}

/** Starts everything; what was started is closed in the reverse order by `stop`. */
export async function startAgent(environment: AgentEnvironment): Promise<RunningAgent> {
  const { settings, bus, clock, timers, log, stop } = environment;
  const { host } = settings;
  const cache = new NetworkCache({ clock });
  const api = new DhcpPluginApi({ bus, host });
  const reporter = new StatusReporter({ send: (report) => api.reportStatus(report), timers, log });
  const agent = new DhcpAgent({
    ...environment,
    cache,
    api,
    reporter,
    concurrency: settings.concurrency,
  });
  const describe = agentDescriber(settings, clock, cache);
  const consumer = new StreamConsumer({
    ...{ bus, role: "dhcp", host, clock, timers, log, describe, sink: agent },
    sync: (request) => api.sync(request),
  });
  const heartbeat = new Heartbeat({
    ...{ bus, role: "dhcp", host, timers, log, intervalMs: settings.reportIntervalMs },
    read: () => ({ ...readHeartbeat(describe(), agent, consumer, cache), sentAtMs: clock.nowMs() }),
  });
  const health = await openHealthSocket({
    path: join(settings.stateDir, "run", "dhcp-agent.sock"),
    notReadyReason: () => (heartbeat.phase === "ready" ? undefined : heartbeat.phase),
    metrics: () =>
      formatMetrics({
        ...{ counts: cache.counts(), queue: agent.queueStats, outcomes: agent.journal.outcomes, isConnected: bus.isConnected },
        ...{ reportsPending: reporter.pending, reportsDropped: reporter.dropped },
      }),
    status: () => ({ host, phase: heartbeat.phase, seen: consumer.seen, networks: Object.fromEntries(agent.journal.status) }),
  });
  environment.leases.onLease((lease) => reporter.addLease(lease));
  await environment.leases.start();
  bus.onReconnect(() => reporter.retryNow());
  stop.onStop("agent", () => agent.close());
  // Whoever still waits for an answer would hold up the agent's end.
  stop.onStop("bus", () => bus.close());
  stop.onStop("reporter", () => Promise.race([reporter.close(), new Promise<void>((resolve) => timers.after(500, resolve))]));
  stop.onStop("leases", () => environment.leases.close());
  stop.onStop("consumer", () => consumer.close());
  stop.onStop("health socket", () => health.close());
  stop.onStop("heartbeat", () => {
    heartbeat.setPhase("stopping");
    heartbeat.close();
  });
  heartbeat.start();
  heartbeat.setPhase("syncing");
  agent.start();
  consumer.start();
  const ready = agent.whenReady().then(() => heartbeat.setPhase("ready"));
  return { agent, consumer, ready };
}

function agentDescriber(settings: AgentSettings, clock: Clock, cache: NetworkCache): () => AgentDescription {
  const fixed = {
    agentType: "DHCP agent",
    binary: "netloom-dhcp-agent",
    host: settings.host,
    bootId: randomUUID(),
    availabilityZone: settings.availabilityZone,
    startedAtMs: clock.nowMs(),
  };
  return () => ({
    ...fixed,
    configurations: { dhcp_driver: "dnsmasq", dhcp_lease_duration: settings.dhcp.leaseSeconds, ...cache.counts() },
  });
}

function readHeartbeat(
  description: AgentDescription,
  agent: DhcpAgent,
  consumer: StreamConsumer,
  cache: NetworkCache,
): Omit<HeartbeatMessage, "phase"> {
  const counts = cache.counts();
  const { dirty, oldestDirtyMs } = agent.queueStats;
  return {
    agent: description,
    progress: { done: Math.max(0, counts.networks - dirty), total: counts.networks },
    seen: consumer.seen,
    load: { ...counts, dirty, oldestDirtyMs },
  };
}
