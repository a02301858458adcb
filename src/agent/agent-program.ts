// Puts the parts of the DHCP agent together and takes them apart again. Which driver, bus and relay is main.ts' choice.
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { NetworkCache } from "../cache/network-cache.ts";
import type { DhcpDeviceManager, DhcpDriver } from "../drivers/dhcp-driver.ts";
import { Heartbeat } from "../heartbeat/heartbeat.ts";
import type { Bus } from "../messaging/bus.ts";
import type { LeaseFigures } from "../leases/agent-leases.ts";
import { openHealthSocket } from "../runtime/health-socket.ts";
import { openSelfFence } from "../runtime/self-fence.ts";
import type { Stop } from "../runtime/stop.ts";
import type { Timers } from "../runtime/timers.ts";
import type { LeaseReport } from "../types/agent-messages.ts";
import { formatMetrics } from "./agent-metrics.ts";
import { AgentReport, type DescribedSettings } from "./agent-report.ts";
import { readAgentState, serveAgentState } from "./agent-state.ts";
import { DhcpAgent } from "./dhcp-agent.ts";
import { DhcpPluginApi } from "./dhcp-plugin-api.ts";
import type { MetadataService } from "./network-helpers.ts";
import { StatusReporter } from "./status-reporter.ts";
import { StreamConsumer } from "./stream-consumer.ts";

export interface AgentSettings extends DescribedSettings {
  readonly stateDir: string;
  readonly reportIntervalMs: number;
  readonly concurrency: number;
  readonly resyncThrottleMs?: number;
  readonly resyncIntervalMs?: number;
  /** 0 or absent: never. */
  readonly fenceAfterMs?: number;
}

/** Where leases come from: each change once, also those of the time in which nobody listened. */
export interface LeaseSource {
  onLease(listener: (lease: LeaseReport) => void): void;
  readFigures?(): Promise<LeaseFigures>;
  start(): Promise<void>;
  close(): Promise<void>;
}

export interface AgentEnvironment {
  readonly settings: AgentSettings;
  readonly bus: Bus;
  readonly driver: DhcpDriver;
  readonly deviceManager: DhcpDeviceManager;
  readonly leases: LeaseSource;
  readonly metadata?: MetadataService | undefined;
  /** Shared with those who look things up in it; made here when not given. */
  readonly cache?: NetworkCache | undefined;
  /** Tools started so far, for the metrics. */
  readonly countForks?: (() => number) | undefined;
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
  const cache = environment.cache ?? new NetworkCache({ clock });
  const api = new DhcpPluginApi({ bus, host });
  const reporter = new StatusReporter({ send: (report) => api.reportStatus(report), timers, log });
  const agent = new DhcpAgent({
    ...environment,
    host,
    cache,
    api,
    reporter,
    concurrency: settings.concurrency,
    verifyEveryMs: settings.resyncIntervalMs,
  });
  const fence = openSelfFence(settings.fenceAfterMs, {
    ...{ agent, clock, timers, log },
    renew: (timeoutMs) => api.renewServing(timeoutMs),
    requestSync: (reason) => consumer.requestSync(reason),
  });
  const consumer: StreamConsumer = new StreamConsumer({
    ...{ bus, role: "dhcp", host, clock, timers, log, sink: agent },
    ...(settings.resyncThrottleMs === undefined ? {} : { throttleMs: settings.resyncThrottleMs }),
    describe: () => self.describe(),
    onSynced: () => fence?.onSynced(),
    readInventory: () => agent.readInventory(),
    sync: (request) => api.sync(request),
  });
  const self = new AgentReport({ settings, cache, agent, clock, readSeen: () => consumer.seen });
  const heartbeat = new Heartbeat({
    ...{ bus, role: "dhcp", host, timers, log, intervalMs: settings.reportIntervalMs },
    read: () => self.readHeartbeat(),
  });
  const stateParts = { host, cache, readPhase: () => heartbeat.phase, statuses: agent.journal.status };
  const health = await openHealthSocket({
    path: join(settings.stateDir, "run", "dhcp-agent.sock"),
    notReadyReason: () => (heartbeat.phase === "ready" ? undefined : heartbeat.phase),
    metrics: async () =>
      formatMetrics({
        ...{
          counts: cache.counts(),
          queue: agent.queueStats,
          journal: agent.journal,
          isConnected: bus.isConnected,
          isFenced: fence?.isFenced === true,
        },
        ...{ reportsPending: reporter.pending, reportsDropped: reporter.dropped, crashes: agent.crashes },
        ...{
          requests: api.requests,
          events: consumer.events,
          forks: environment.countForks?.(),
          driver: await environment.driver.readFigures?.(),
        },
        ...{ leases: await environment.leases.readFigures?.(), metadata: environment.metadata?.readFigures?.() },
      }),
    status: () => ({ ...readAgentState(stateParts, { limit: Number.POSITIVE_INFINITY }), seen: consumer.seen }),
  });
  environment.leases.onLease((lease) => reporter.addLease(lease));
  await environment.leases.start();
  bus.onReconnect(() => {
    reporter.retryNow();
    void fence?.renewNow();
  });
  stop.onStop("agent", () => agent.close());
  // Whoever still waits for an answer would hold up the agent's end.
  stop.onStop("bus", () => bus.close());
  stop.onStop("reporter", () => Promise.race([reporter.close(), new Promise<void>((resolve) => timers.after(500, resolve))]));
  stop.onStop("leases", () => environment.leases.close());
  stop.onStop("consumer", () => consumer.close());
  stop.onStop("fence", () => fence?.close());
  stop.onStop("health socket", () => health.close());
  stop.onStop("heartbeat", () => {
    heartbeat.setPhase("stopping");
    heartbeat.close();
  });
  heartbeat.start();
  heartbeat.setPhase("syncing");
  const answers = serveAgentState(bus, stateParts);
  stop.onStop("answers", () => answers.close());
  agent.start();
  consumer.start();
  fence?.start();
  const ready = agent.whenReady().then(() => heartbeat.setPhase("ready"));
  return { agent, consumer, ready };
}
