// The parts of a server between the database and NATS, joined; who listens for REST is the caller's choice.
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Bus } from "../messaging/bus.ts";
import type { ApiDeps, ApiServices } from "./api/api-deps.ts";
import { lazyMetrics } from "./metrics.ts";
import { OutboxPruner } from "./publisher/outbox-pruner.ts";
import { OutboxPublisher } from "./publisher/outbox-publisher.ts";
import { controlSender, serveAgents } from "./rpc/agent-rpc.ts";
import { LeaseNotifier } from "./rpc/lease-notifier.ts";
import { DhcpScheduler } from "./scheduler/dhcp-scheduler.ts";
import { AgentAdmin } from "./services/agent-admin.ts";
import { AgentAutoSchedule } from "./services/agent-auto-schedule.ts";
import { AgentEvents } from "./services/agent-events.ts";
import { AgentFailover, defaultFailover, type FailoverSettings } from "./services/agent-failover.ts";
import { AgentStatus } from "./services/agent-status.ts";
import { AgentSync } from "./services/agent-sync.ts";
import { DhcpPortClaims } from "./services/dhcp-port-claims.ts";
import { HeartbeatService } from "./services/heartbeat-service.ts";
import { LeasePruner } from "./services/lease-pruner.ts";
import { LeaseService } from "./services/lease-service.ts";
import { LivenessTable } from "./services/liveness.ts";
import { createNetworkService } from "./services/network-service.ts";
import { createPortService } from "./services/port-service.ts";
import type { ServiceDeps } from "./services/service-deps.ts";
import { createSubnetService } from "./services/subnet-service.ts";
import type { Store } from "./store/database.ts";
import { readEpoch } from "./store/epoch.ts";

export interface ServerBase {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly agentsPerNetwork: number;
  /** How agents get networks and lose them; see the settings of the same names. */
  readonly scheduler?: "weight" | "chance";
  readonly defaultAvailabilityZones?: readonly string[];
  readonly enableNewAgents?: boolean;
  readonly servicesOnDisabledAgents?: boolean;
  readonly agentDownMs?: number;
  readonly failover?: Partial<FailoverSettings>;
  /** Of networks without a domain of their own; the DHCP agents must be told the same. */
  readonly dnsDomain: string;
  /** Above this a page of a snapshot ends. */
  readonly maxPageBytes?: number;
}

export interface ServerParts {
  readonly services: ApiServices;
  readonly readiness: ApiDeps["readiness"];
  readonly metrics: () => Promise<string>;
  /** For tests and tools; it looks by itself from time to time. */
  readonly failover: Pick<AgentFailover, "pass">;
  /** Stops answering agents and publishes what is committed; store and bus stay open. */
  close(): Promise<void>;
}

export async function composeServer(base: ServerBase): Promise<ServerParts> {
  const { store, bus, clock, log } = base;
  const epoch = await readEpoch(store.db);
  const control = controlSender(bus, log);
  const { liveness, scheduler, deps, autoSchedule, failover } = composeScheduling(base);
  const publisher = new OutboxPublisher({ store, bus, epoch, clock, log });
  const { enableNewAgents = true } = base;
  const heartbeats = new HeartbeatService({ store, clock, log, epoch, liveness, control, enableNewAgents });
  const pruner = new OutboxPruner({ store, clock, log, seen: () => heartbeats.seen() });
  await publisher.start();
  heartbeats.start();
  pruner.start();
  const paging = base.maxPageBytes === undefined ? {} : { maxPageBytes: base.maxPageBytes };
  const sync = new AgentSync({ store, clock, epoch, scheduler, autoSchedule, liveness, enableNewAgents, ...paging });
  const claims = new DhcpPortClaims(deps);
  const notifier = new LeaseNotifier({ bus, log });
  const leasePruner = new LeasePruner({ store, clock, log, onChanges: (changes) => notifier.add(changes) });
  leasePruner.start();
  const status = new AgentStatus(store, clock, (changes) => notifier.add(changes));
  const rpc = serveAgents({ bus, log, sync, claims, status, heartbeats });
  const networks = createNetworkService(deps);
  failover.start();
  return {
    services: {
      networks,
      subnets: createSubnetService(deps),
      ports: createPortService(deps),
      agents: new AgentAdmin({ store, scheduler, liveness, networks, services: deps, control }),
      leases: new LeaseService(store),
    },
    readiness: () => readiness(bus, publisher),
    metrics: lazyMetrics({ store, bus, publisher }),
    failover,
    async close() {
      rpc.close();
      await leasePruner.close();
      notifier.close();
      await failover.close();
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
  const events = new AgentEvents({ scheduler, liveness, log, servesDisabled: servicesOnDisabledAgents });
  const deps: ServiceDeps = { store, clock, events, defaultDnsDomain: base.dnsDomain };
  const autoSchedule = new AgentAutoSchedule(store, scheduler);
  const settings = { ...defaultFailover, ...base.failover };
  const isConnected = (): boolean => bus.isConnected;
  const shared = { store, clock, log, liveness, scheduler, autoSchedule };
  return { ...shared, deps, failover: new AgentFailover({ ...shared, services: deps, isConnected, settings }) };
}

function readiness(bus: Bus, publisher: OutboxPublisher): ReturnType<ApiDeps["readiness"]> {
  return [
    bus.isConnected ? { check: "nats", ok: true } : { check: "nats", ok: false, reason: "not connected to NATS" },
    publisher.canRead
      ? { check: "database", ok: true }
      : { check: "database", ok: false, reason: "the database does not answer" },
  ];
}
