// Puts the server together: store, services, scheduler, publisher, what agents may ask, and the REST API.
import { type Clock, systemClock } from "../base/clock.ts";
import { NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { connectBus, type NatsBus } from "../messaging/nats-bus.ts";
import { createApi } from "./api/api.ts";
import type { ApiDeps, ApiServices } from "./api/api-deps.ts";
import { lazyMetrics } from "./metrics.ts";
import { OutboxPruner } from "./publisher/outbox-pruner.ts";
import { OutboxPublisher } from "./publisher/outbox-publisher.ts";
import { controlSender, serveAgents } from "./rpc/agent-rpc.ts";
import { DhcpScheduler } from "./scheduler/dhcp-scheduler.ts";
import { AgentAdmin } from "./services/agent-admin.ts";
import { AgentStatus } from "./services/agent-status.ts";
import { AgentSync } from "./services/agent-sync.ts";
import { DhcpPortClaims } from "./services/dhcp-port-claims.ts";
import { HeartbeatService } from "./services/heartbeat-service.ts";
import { LeaseService } from "./services/lease-service.ts";
import { LivenessTable } from "./services/liveness.ts";
import { createNetworkService } from "./services/network-service.ts";
import { createPortService } from "./services/port-service.ts";
import type { ServiceDeps } from "./services/service-deps.ts";
import { createSubnetService } from "./services/subnet-service.ts";
import { openStore, type Store } from "./store/database.ts";
import { readEpoch, recordItems } from "./store/outbox.ts";

/** The part of the server's settings that this file needs; `ServerConfig` of config/server-config.ts has it. */
export interface ServerSettings {
  readonly listen: { readonly address: string; readonly port: number };
  readonly db: string;
  readonly nats: { readonly url: string; readonly nkeySeedFile?: string | undefined };
  readonly dhcp: { readonly agentsPerNetwork: number };
}

export interface RunningServer {
  /** As it really listens, also when port 0 was asked for. */
  readonly url: string;
  /** Takes nothing new, ends what is under way, and closes everything; at most 4.5 s. */
  close(): Promise<void>;
}

const firstConnectTimeoutMs = 10_000;
const apiDrainMs = 3000;
const version = "0.1.0";
/** What DHCP agents use, too, where a network has no domain of its own. */
const defaultDnsDomain = "openstacklocal";

/** Rejects with one clear line when the database, NATS or the listening port is not to be had; then nothing stays open. */
export async function startServer(settings: ServerSettings, log: Logger, clock: Clock = systemClock): Promise<RunningServer> {
  const closers: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    for (const step of closers.splice(0).reverse()) {
      try {
        await step();
      } catch (err) {
        log.warn({ err }, "part of the server did not close");
      }
    }
  };
  try {
    const store = await openStore(settings.db, log);
    closers.push(() => store.close());
    const bus = await connect(settings, log);
    closers.push(() => bus.close());
    const url = await compose({ settings, log, clock, store, bus, closers });
    return { url, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

function connect({ nats }: ServerSettings, log: Logger): Promise<NatsBus> {
  return connectBus({
    url: nats.url,
    inboxPrefix: "_INBOX_server",
    name: "netloom server",
    firstConnectTimeoutMs,
    log,
    ...(nats.nkeySeedFile === undefined ? {} : { nkeySeedFile: nats.nkeySeedFile }),
  });
}

interface Parts {
  readonly settings: ServerSettings;
  readonly log: Logger;
  readonly clock: Clock;
  readonly store: Store;
  readonly bus: NatsBus;
  readonly closers: (() => Promise<void> | void)[];
}

async function compose({ settings, log, clock, store, bus, closers }: Parts): Promise<string> {
  const epoch = await readEpoch(store.db);
  const liveness = new LivenessTable(clock);
  const control = controlSender(bus, log);
  const scheduler = new DhcpScheduler({
    agentsPerNetwork: settings.dhcp.agentsPerNetwork,
    liveness: (agent) => liveness.of(agent),
  });
  const events = { recordItems, scheduleNetwork: scheduler.scheduleNetwork.bind(scheduler) };
  const deps: ServiceDeps = { store, clock, events, defaultDnsDomain };
  const publisher = new OutboxPublisher({ store, bus, epoch, clock, log });
  const heartbeats = new HeartbeatService({ store, clock, log, epoch, liveness, control });
  const pruner = new OutboxPruner({ store, clock, log, seen: () => heartbeats.seen() });
  const networks = createNetworkService(deps);
  const services: ApiServices = {
    networks,
    subnets: createSubnetService(deps),
    ports: createPortService(deps),
    agents: new AgentAdmin({ store, scheduler, liveness, networks, services: deps, control }),
    leases: new LeaseService(store),
  };
  await publisher.start();
  closers.push(() => publisher.close());
  heartbeats.start();
  closers.push(() => heartbeats.close());
  pruner.start();
  closers.push(() => pruner.close());
  const sync = new AgentSync({ store, clock, epoch, scheduler, liveness });
  const claims = new DhcpPortClaims(deps);
  const rpc = serveAgents({ bus, log, sync, claims, status: new AgentStatus(store, clock), heartbeats });
  closers.push(() => rpc.close());
  const metrics = lazyMetrics({ store, bus, publisher });
  return listen({ services, log, clock, version, metrics, readiness: () => readiness(bus, publisher) }, settings, closers);
}

function readiness(bus: NatsBus, publisher: OutboxPublisher): ReturnType<ApiDeps["readiness"]> {
  return [
    bus.isConnected ? { check: "nats", ok: true } : { check: "nats", ok: false, reason: "not connected to NATS" },
    publisher.canRead
      ? { check: "database", ok: true }
      : { check: "database", ok: false, reason: "the database does not answer" },
  ];
}

async function listen(deps: ApiDeps, { listen: at }: ServerSettings, closers: Parts["closers"]): Promise<string> {
  const api = createApi(deps);
  closers.push(async () => {
    const limit = setTimeout(() => api.server.closeAllConnections(), apiDrainMs);
    await api.close();
    clearTimeout(limit);
  });
  try {
    return await api.listen({ host: at.address, port: at.port });
  } catch (thrown) {
    throw listenError(thrown, `${at.address}:${at.port}`);
  }
}

function listenError(thrown: unknown, where: string): unknown {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  if (code === "EADDRINUSE") return new NetloomError("UNAVAILABLE", `${where} is taken by another program`, {}, thrown);
  if (code === "EACCES") return new NetloomError("UNAVAILABLE", `${where} may not be listened on by this user`, {}, thrown);
  if (code === "EADDRNOTAVAIL")
    return new NetloomError("UNAVAILABLE", `${where} is not an address of this machine`, {}, thrown);
  return thrown;
}
