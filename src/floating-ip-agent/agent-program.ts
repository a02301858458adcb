// Puts the parts of the floating-IP agent together and takes them apart again. Which driver and bus is the caller's choice:
// main.ts for a process of its own, beside.ts for one that shares the L3 agent's.
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { FloatingIpDriver } from "../drivers/floating-ip-driver.ts";
import { Heartbeat } from "../heartbeat/heartbeat.ts";
import type { Bus } from "../messaging/bus.ts";
import { openHealthSocket } from "../runtime/health-socket.ts";
import { ItemStream } from "../runtime/item-stream.ts";
import { ReportQueue } from "../runtime/report-queue.ts";
import { openSelfFence } from "../runtime/self-fence.ts";
import { serveRouterStates } from "../runtime/router-states.ts";
import type { Stop } from "../runtime/stop.ts";
import type { Timers } from "../runtime/timers.ts";
import { type FloatingIpItem, floatingIpStreamMessageSchema } from "../types/l3-messages.ts";
import { AgentReport } from "./agent-report.ts";
import { FloatingIpAgent } from "./floating-ip-agent.ts";
import { formatFloatingIpMetrics } from "./floating-ip-metrics.ts";
import { FloatingIpPluginApi } from "./floating-ip-plugin-api.ts";
import { RouterPlaces } from "./router-places.ts";
import type { FloatingIpStatus } from "./status-memory.ts";

export interface FloatingIpAgentSettings {
  readonly host: string;
  readonly stateDir: string;
  readonly availabilityZone: string;
  readonly reportIntervalMs: number;
  readonly concurrency: number;
  readonly resyncIntervalMs: number;
  readonly resyncThrottleMs: number;
  /** 0 or absent: never. */
  readonly fenceAfterMs?: number | undefined;
}

export interface FloatingIpEnvironment {
  readonly settings: FloatingIpAgentSettings;
  /** Signed in as role `fip`. */
  readonly bus: Bus;
  readonly driver: FloatingIpDriver;
  /** Tools started so far, for the metrics. */
  readonly countStarts?: (() => number) | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  readonly stop: Pick<Stop, "onStop">;
}

export interface RunningFloatingIpAgent {
  readonly agent: FloatingIpAgent;
  /** Resolves when every router of the first sync had its turn. */
  readonly ready: Promise<void>;
}

/** As many as the server takes in one message. */
const reportBatch = 1000;

/** Starts everything; what was started is closed in the reverse order by `stop`. */
export async function startFloatingIpAgent(environment: FloatingIpEnvironment): Promise<RunningFloatingIpAgent> {
  const { settings, bus, clock, timers, log, stop } = environment;
  const { host, stateDir, reportIntervalMs } = settings;
  const api = new FloatingIpPluginApi({ bus, host });
  const reports = new ReportQueue<FloatingIpStatus>({
    send: (floatingIps) => api.reportStatus({ floatingIps: [...floatingIps] }),
    ...{ batch: reportBatch, timers, log },
  });
  const places = new RouterPlaces({ stateDir, log });
  const agent = new FloatingIpAgent({
    ...{ driver: environment.driver, places, clock, timers, log },
    ...{ concurrency: settings.concurrency, verifyEveryMs: settings.resyncIntervalMs },
    report: (status) => reports.add(status.id, status),
  });
  const fence = openSelfFence(settings.fenceAfterMs, {
    ...{ agent, clock, timers, log },
    renew: (timeoutMs) => api.renewServing(timeoutMs),
    requestSync: (reason) => stream.requestSync(reason),
  });
  const stream: ItemStream<FloatingIpItem> = new ItemStream<FloatingIpItem>({
    ...{ bus, role: "fip", host, clock, timers, log, sink: agent, throttleMs: settings.resyncThrottleMs },
    schema: floatingIpStreamMessageSchema,
    sync: (request) => api.sync({ agent: self.describe(), ...request }),
    onSynced: () => fence?.onSynced(),
  });
  const { availabilityZone } = settings;
  const self = new AgentReport({ host, availabilityZone, agent, clock, readSeen: () => stream.seen });
  const heartbeat = new Heartbeat({
    ...{ bus, role: "fip", host, timers, log, intervalMs: reportIntervalMs },
    read: () => self.readHeartbeat(),
  });
  const health = await openHealthSocket({
    path: join(stateDir, "run", "floating-ip-agent.sock"),
    notReadyReason: () => (heartbeat.phase === "ready" ? undefined : heartbeat.phase),
    metrics: async () =>
      formatFloatingIpMetrics({
        ...{ agent, queue: agent.queueStats, events: stream.events, starts: environment.countStarts?.() },
        ...{ reportsPending: reports.pending, isConnected: bus.isConnected, isFenced: fence?.isFenced === true },
      }),
    status: () => ({
      ...{ host, phase: heartbeat.phase, seen: stream.seen, ...agent.counts, statuses: agent.statusCounts },
      routers: Object.fromEntries(agent.journal.status),
    }),
  });
  bus.onReconnect(() => {
    reports.retryNow();
    void fence?.renewNow();
  });
  stop.onStop("floating IPs", () => agent.close());
  // Whoever still waits for an answer would hold up the agent's end.
  stop.onStop("floating IPs' bus", () => bus.close());
  stop.onStop("statuses", () => Promise.race([reports.close(), new Promise<void>((resolve) => timers.after(500, resolve))]));
  stop.onStop("floating IPs' stream", () => stream.close());
  stop.onStop("floating IPs' fence", () => fence?.close());
  stop.onStop("floating IPs' places", () => places.close());
  stop.onStop("floating IPs' health socket", () => health.close());
  stop.onStop("floating IPs' heartbeat", () => {
    heartbeat.setPhase("stopping");
    heartbeat.close();
  });
  const answers = serveRouterStates({
    ...{ bus, role: "fip", host, readPhase: () => heartbeat.phase },
    readRouters: () => agent.journal.states,
  });
  stop.onStop("floating IPs' answers", () => answers.close());
  await places.start((router) => agent.routerChanged(router));
  heartbeat.start();
  heartbeat.setPhase("syncing");
  agent.start();
  stream.start();
  fence?.start();
  return { agent, ready: agent.whenReady().then(() => heartbeat.setPhase("ready")) };
}
