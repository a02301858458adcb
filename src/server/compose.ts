// The parts of a server between the database and NATS, joined; who listens for REST is the caller's choice.
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Bus } from "../messaging/bus.ts";
import type { ApiDeps, ApiServices } from "./api/api-deps.ts";
import type { ApiPart } from "./api/api-part.ts";
import { composeResources } from "./compose-resources.ts";
import { composeServices } from "./compose-services.ts";
import { lazyMetrics } from "./metrics.ts";
import { outboxPruner } from "./publisher/outbox-pruner.ts";
import { OutboxPublisher } from "./publisher/outbox-publisher.ts";
import { agentAsker } from "./rpc/agent-asker.ts";
import { AgentEventNotifier } from "./rpc/agent-event-notifier.ts";
import { controlSender, serveAgents } from "./rpc/agent-rpc.ts";
import { serveL3Agents } from "./rpc/l3-rpc.ts";
import { LeaseNotifier } from "./rpc/lease-notifier.ts";
import { RequestFigures } from "./request-figures.ts";
import { DhcpScheduler } from "./scheduler/dhcp-scheduler.ts";
import { L3Scheduler } from "./scheduler/l3-scheduler.ts";
import { AgentAutoSchedule, type Placement } from "./services/agent-auto-schedule.ts";
import { AgentEvents } from "./services/agent-events.ts";
import { AgentFailover, defaultFailover, type FailoverSettings, type Hosted } from "./services/agent-failover.ts";
import { AgentRegistration } from "./services/agent-registration.ts";
import { AgentServing } from "./services/agent-serving.ts";
import { AgentStatus } from "./services/agent-status.ts";
import { AgentSync } from "./services/agent-sync.ts";
import { DhcpPortClaims } from "./services/dhcp-port-claims.ts";
import { ensureDefaultRanges } from "./services/default-segment-ranges.ts";
import { HeartbeatService } from "./services/heartbeat-service.ts";
import { hostedNetworks, networkPlacement } from "./services/hosted-networks.ts";
import { hostedRouters, routerPlacement } from "./services/hosted-routers.ts";
import { InstanceFinder } from "./services/instance-finder.ts";
import { L3Status } from "./services/l3-status.ts";
import { L3Sync } from "./services/l3-sync.ts";
import { leasePruner } from "./services/lease-pruner.ts";
import { LivenessTable } from "./services/liveness.ts";
import { prepareHaPort } from "./services/router-ha.ts";
import { defaultNetworkSettings, type NetworkSettings } from "./services/network-settings.ts";
import type { ServiceDeps } from "./services/service-deps.ts";
import type { Store } from "./store/database.ts";
import { readEpoch } from "./store/epoch.ts";
import type { StreamKey } from "./store/outbox.ts";

export interface ServerBase {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly agentsPerNetwork: number;
  /** What the operator says about the wires; without it networks are local. */
  readonly network?: NetworkSettings;
  /** Hosts of a router of high availability; 0: all. */
  readonly maxL3AgentsPerRouter?: number;
  /** How agents get networks and lose them; see the settings of the same names. */
  readonly scheduler?: "weight" | "chance";
  readonly defaultAvailabilityZones?: readonly string[];
  readonly enableNewAgents?: boolean;
  readonly servicesOnDisabledAgents?: boolean;
  readonly agentDownMs?: number;
  readonly failover?: Partial<FailoverSettings>;
  /** Of networks without a domain of their own; the DHCP agents must be told the same. */
  readonly dnsDomain: string;
  /** Limits of projects without their own, by what is counted; what is not named has none. */
  readonly quotaDefaults?: Readonly<Record<string, number>>;
  /** Above this a page of a snapshot ends. */
  readonly maxPageBytes?: number;
}

export interface ServerParts {
  readonly services: ApiServices;
  readonly parts: readonly ApiPart[];
  readonly readiness: ApiDeps["readiness"];
  readonly metrics: () => Promise<string>;
  /** To be told of each answered request. */
  readonly requests: RequestFigures;
  /** For tests and tools; it looks by itself from time to time. */
  readonly failover: Pick<AgentFailover, "pass">;
  /** The same for routers. */
  readonly l3Failover: Pick<AgentFailover, "pass">;
  /** Stops answering agents and publishes what is committed; store and bus stay open. */
  close(): Promise<void>;
}

export async function composeServer(base: ServerBase): Promise<ServerParts> {
  const { store, bus, clock, log } = base;
  const epoch = await readEpoch(store.db);
  if (base.network !== undefined) await ensureDefaultRanges(store, clock, base.network);
  const control = controlSender(bus, log);
  const scheduling = composeScheduling(base);
  const { liveness, scheduler, deps, autoSchedule, failover, l3 } = scheduling;
  const requests = new RequestFigures();
  const publisher = new OutboxPublisher({ store, bus, epoch, clock, log });
  const { enableNewAgents = true } = base;
  const recentHead = (stream: StreamKey): number | undefined => publisher.headOf(stream);
  const heartbeats = new HeartbeatService({ store, clock, log, epoch, liveness, control, enableNewAgents, recentHead });
  const pruner = outboxPruner({ store, clock, log, seen: () => heartbeats.seen() });
  await publisher.start();
  heartbeats.start();
  pruner.start();
  const paging = base.maxPageBytes === undefined ? {} : { maxPageBytes: base.maxPageBytes };
  const registration = new AgentRegistration({ store, clock, liveness, enableNewAgents });
  const sync = new AgentSync({ store, epoch, scheduler, autoSchedule, registration, ...paging });
  const claims = new DhcpPortClaims(deps);
  const notifier = new LeaseNotifier({ bus, log });
  const leasePruning = leasePruner({ store, clock, log, onChanges: (changes) => notifier.add(changes) });
  leasePruning.start();
  const eventNotifier = new AgentEventNotifier({ bus, log });
  const status = new AgentStatus(store, clock, {
    onLeases: (changes) => notifier.add(changes),
    onEvents: (agent, events) => eventNotifier.tell(agent, events),
  });
  const serving = new AgentServing({ store, liveness, settings: { ...defaultFailover, ...base.failover } });
  const rpc = serveAgents({ bus, log, registration, sync, claims, serving, status, heartbeats });
  const l3Rpc = serveL3Agents({
    bus,
    registration,
    serving,
    sync: new L3Sync({ store, epoch, scheduler: l3.scheduler, autoSchedule: l3.autoSchedule, registration, ...paging }),
    status: new L3Status(store, clock, l3.scheduler.audience),
    instances: new InstanceFinder(store),
  });
  failover.start();
  l3.failover.start();
  return {
    services: composeServices({ deps, scheduler, l3: l3.scheduler, liveness, control, ask: agentAsker(bus) }),
    parts: composeResources(deps),
    readiness: () => readiness(bus, publisher),
    metrics: lazyMetrics({ store, bus, publisher, requests, seen: () => heartbeats.seen() }),
    requests,
    failover,
    l3Failover: l3.failover,
    async close() {
      rpc.close();
      l3Rpc.close();
      await leasePruning.close();
      notifier.close();
      await failover.close();
      await l3.failover.close();
      await pruner.close();
      await heartbeats.close();
      await publisher.close();
    },
  };
}

/** Who is there, who gets what, and what becomes of the networks of those that are gone. */
function composeScheduling(base: ServerBase) {
  const { store, bus, clock, log, agentsPerNetwork, defaultAvailabilityZones = [], servicesOnDisabledAgents = false } = base;
  const liveness = new LivenessTable(clock, base.agentDownMs);
  // While we were away from NATS we heard nobody.
  bus.onReconnect(() => liveness.listenAnew());
  const scheduler = new DhcpScheduler({
    agentsPerNetwork,
    liveness: (agent) => liveness.of(agent),
    order: base.scheduler ?? "weight",
    defaultZones: defaultAvailabilityZones,
    servesDisabled: servicesOnDisabledAgents,
  });
  const l3Scheduler = new L3Scheduler({
    liveness: (agent) => liveness.of(agent),
    order: base.scheduler ?? "weight",
    defaultZones: defaultAvailabilityZones,
    servesDisabled: servicesOnDisabledAgents,
    ...(base.maxL3AgentsPerRouter === undefined ? {} : { agentsPerHaRouter: base.maxL3AgentsPerRouter }),
    prepareHaHost: (trx, hosting) => prepareHaPort(trx, deps, hosting),
  });
  const servesDisabled = servicesOnDisabledAgents;
  const events = new AgentEvents({ scheduler, l3: l3Scheduler, liveness, log, servesDisabled });
  const network = base.network ?? defaultNetworkSettings;
  const limits = base.quotaDefaults === undefined ? {} : { quotaDefaults: base.quotaDefaults };
  const deps: ServiceDeps = { store, clock, events, defaultDnsDomain: base.dnsDomain, network, servesDisabled, ...limits };
  const settings = { ...defaultFailover, ...base.failover };
  const isConnected = (): boolean => bus.isConnected;
  const watch = (hosted: Hosted, placement: Placement) => {
    const autoSchedule = new AgentAutoSchedule(store, placement);
    const failover = new AgentFailover({ store, clock, log, liveness, hosted, autoSchedule, isConnected, settings });
    return { autoSchedule, failover };
  };
  return {
    liveness,
    scheduler,
    deps,
    ...watch(hostedNetworks(deps, scheduler), networkPlacement(store, scheduler)),
    l3: { scheduler: l3Scheduler, ...watch(hostedRouters(store, l3Scheduler), routerPlacement(store, l3Scheduler)) },
  };
}

function readiness(bus: Bus, publisher: OutboxPublisher): ReturnType<ApiDeps["readiness"]> {
  return [
    bus.isConnected ? { check: "nats", ok: true } : { check: "nats", ok: false, reason: "not connected to NATS" },
    publisher.canRead
      ? { check: "database", ok: true }
      : { check: "database", ok: false, reason: "the database does not answer" },
  ];
}
