// Puts the parts of the L3 agent together and takes them apart again. Which driver and bus is main.ts' choice.
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { errorText } from "../base/errors.ts";
import type { RouterDriver } from "../drivers/router-driver.ts";
import { Heartbeat } from "../heartbeat/heartbeat.ts";
import type { Bus } from "../messaging/bus.ts";
import type { RouterId } from "../model/ids.ts";
import { openHealthSocket } from "../runtime/health-socket.ts";
import { ItemStream, type PageRequest } from "../runtime/item-stream.ts";
import { ReportQueue } from "../runtime/report-queue.ts";
import { openSelfFence } from "../runtime/self-fence.ts";
import { serveRouterStates } from "../runtime/router-states.ts";
import type { Stop } from "../runtime/stop.ts";
import type { Timers } from "../runtime/timers.ts";
import { type RouterItem, routerStreamMessageSchema, type RouterSyncReply } from "../types/l3-messages.ts";
import { type HaStateReport, HaStates } from "./ha-states.ts";
import { L3Agent } from "./l3-agent.ts";
import type { RouterMetadata } from "./router-serving.ts";
import { type DescribedSettings, L3AgentReport } from "./l3-agent-report.ts";
import { formatL3Metrics } from "./l3-metrics.ts";
import { L3PluginApi } from "./l3-plugin-api.ts";
import type { RouterStatus } from "./status-memory.ts";

export interface L3AgentSettings extends DescribedSettings {
  readonly stateDir: string;
  readonly reportIntervalMs: number;
  readonly concurrency: number;
  readonly resyncThrottleMs: number;
  readonly resyncIntervalMs: number;
  /** So long a state of high availability must last before it is told; an advertisement's interval. */
  readonly haConfirmMs?: number | undefined;
  /** 0 or absent: never. */
  readonly fenceAfterMs?: number | undefined;
}

export interface L3AgentEnvironment {
  readonly settings: L3AgentSettings;
  readonly bus: Bus;
  readonly driver: RouterDriver;
  readonly metadata?: RouterMetadata | undefined;
  /** Tools started so far, for the metrics. */
  readonly countForks: () => number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  readonly stop: Pick<Stop, "onStop">;
  readonly random?: (() => number) | undefined;
}

export interface RunningL3Agent {
  readonly agent: L3Agent;
  readonly stream: ItemStream<RouterItem>;
  /** Resolves when every router of the first sync had its turn. */
  readonly ready: Promise<void>;
}

const reportBatch = 256;
/** One advertisement. */
const usualHaConfirmMs = 1000;

/** Starts everything; what was started is closed in the reverse order by `stop`. */
export async function startL3Agent(environment: L3AgentEnvironment): Promise<RunningL3Agent> {
  const { settings, bus, clock, timers, log, random } = environment;
  const { host } = settings;
  const api = new L3PluginApi({ bus, host });
  const reports = new ReportQueue<RouterStatus>({
    send: (routers) => api.reportStatus({ routers: [...routers] }),
    ...{ batch: reportBatch, timers, log, random },
  });
  const haReports = new ReportQueue<HaStateReport>({
    send: (haStates) => api.reportStatus({ haStates: [...haStates] }),
    ...{ batch: reportBatch, timers, log },
  });
  const haStates = new HaStates({
    ...{ stateDir: settings.stateDir, timers, log, confirmMs: settings.haConfirmMs ?? usualHaConfirmMs },
    report: (state) => haReports.add(state.routerId, state),
  });
  const agent = new L3Agent({
    ...environment,
    haStates,
    report: (status) => reports.add(status.id, status),
    concurrency: settings.concurrency,
    verifyEveryMs: settings.resyncIntervalMs,
    handlesInternalOnly: settings.handleInternalOnlyRouters,
  });
  const fence = openSelfFence(settings.fenceAfterMs, {
    ...{ agent, clock, timers, log },
    renew: (timeoutMs) => api.renewServing(timeoutMs),
    requestSync: (reason) => stream.requestSync(reason),
  });
  const stream: ItemStream<RouterItem> = new ItemStream<RouterItem>({
    ...{ bus, role: "l3", host, clock, timers, log, random, sink: agent, throttleMs: settings.resyncThrottleMs },
    schema: routerStreamMessageSchema,
    sync: (request) => sync({ api, agent, self, log }, request),
    onSynced: () => fence?.onSynced(),
  });
  const self = new L3AgentReport({ settings, agent, clock, readSeen: () => stream.seen });
  const heartbeat = new Heartbeat({
    ...{ bus, role: "l3", host, timers, log, intervalMs: settings.reportIntervalMs },
    read: () => self.readHeartbeat(),
  });
  const health = await openHealthSocket({
    path: join(settings.stateDir, "run", "l3-agent.sock"),
    notReadyReason: () => (heartbeat.phase === "ready" ? undefined : heartbeat.phase),
    metrics: async () =>
      formatL3Metrics({
        ...{ routers: agent.routers, queue: agent.queueStats, journal: agent.journal, isConnected: bus.isConnected },
        ...{ reportsPending: reports.pending, events: stream.events, requests: api.requests },
        ...{ forks: environment.countForks(), isFenced: fence?.isFenced === true },
      }),
    status: () => ({ host, phase: heartbeat.phase, seen: stream.seen, routers: Object.fromEntries(agent.journal.status) }),
  });
  bus.onReconnect(() => {
    reports.retryNow();
    haReports.retryNow();
    void fence?.renewNow();
  });
  closeOnStop(environment, { agent, reports: [reports, haReports], haStates, stream, fence, health, heartbeat });
  const answers = serveRouterStates({
    ...{ bus, role: "l3", host, readPhase: () => heartbeat.phase },
    readRouters: () => agent.journal.states,
  });
  environment.stop.onStop("answers", () => answers.close());
  await haStates.start((router) => agent.haChanged(router));
  heartbeat.start();
  heartbeat.setPhase("syncing");
  agent.start();
  stream.start();
  fence?.start();
  const ready = agent.whenReady().then(() => heartbeat.setPhase("ready"));
  return { agent, stream, ready };
}

interface Opened {
  readonly agent: L3Agent;
  readonly reports: readonly { close(): Promise<void> }[];
  readonly haStates: HaStates;
  readonly stream: ItemStream<RouterItem>;
  readonly fence: { close(): void } | undefined;
  readonly health: { close(): Promise<void> };
  readonly heartbeat: Heartbeat;
}

function closeOnStop({ stop, bus, timers }: L3AgentEnvironment, opened: Opened): void {
  const { agent, reports, haStates, stream, fence, health, heartbeat } = opened;
  stop.onStop("agent", () => agent.close());
  stop.onStop("states", () => haStates.close());
  // Whoever still waits for an answer would hold up the agent's end.
  stop.onStop("bus", () => bus.close());
  stop.onStop("reports", async () => {
    const sent = Promise.all(reports.map((one) => one.close()));
    await Promise.race([sent, new Promise<void>((resolve) => timers.after(500, resolve))]);
  });
  stop.onStop("stream", () => stream.close());
  stop.onStop("fence", () => fence?.close());
  stop.onStop("health socket", () => health.close());
  stop.onStop("heartbeat", () => {
    heartbeat.setPhase("stopping");
    heartbeat.close();
  });
}

interface SyncParts {
  readonly api: L3PluginApi;
  readonly agent: L3Agent;
  readonly self: L3AgentReport;
  readonly log: Logger;
}

async function sync({ api, agent, self, log }: SyncParts, request: PageRequest): Promise<RouterSyncReply> {
  if (request.cursor !== undefined) return api.sync({ agent: self.describe(), ...request });
  // Without it the snapshot says the same, only later.
  const inventory = await agent.readInventory().catch((thrown: unknown): readonly RouterId[] => {
    log.warn({ err: errorText(thrown) }, "inventory failed, will be repeated");
    return [];
  });
  return api.sync({ agent: self.describe(), ...request, inventory: [...inventory] });
}
