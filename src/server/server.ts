// The server as one program: database, NATS, its parts and the REST API, opened in this order and closed in the other.
import { setTimeout as delay } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { type Clock, systemClock } from "../base/clock.ts";
import { NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { readVersion } from "../base/version.ts";
import { type NetworkKeys, readNetworkKeys } from "../config/network-keys.ts";
import { isLoopback } from "../config/shared-keys.ts";
import { quotaDefaults } from "../config/quota-keys.ts";
import { connectBus, type NatsBus } from "../messaging/nats-bus.ts";
import { serverInboxPrefix } from "../messaging/subjects.ts";
import { createApi } from "./api/api.ts";
import type { ApiDeps } from "./api/api-deps.ts";
import { noticeSender, startNotifications } from "./compose-notifications.ts";
import { composeServer, type ServerBase } from "./compose.ts";
import { type IdentitySettings, openAuthenticator } from "./identity/open-authenticator.ts";
import type { FailoverSettings } from "./services/agent-failover.ts";
import { openStore } from "./store/database.ts";

type SchedulingSettings = Pick<
  ServerBase,
  "scheduler" | "defaultAvailabilityZones" | "enableNewAgents" | "servicesOnDisabledAgents" | "agentDownMs"
>;

/** The part of the server's settings that this file needs; `ServerConfig` of config/server-config.ts has it. */
export interface ServerSettings extends IdentitySettings {
  readonly listen: { readonly address: string; readonly port: number };
  /** Names by which clients reach the API, beside localhost and the address that it listens on. */
  readonly allowedHosts?: readonly string[];
  readonly api?: {
    readonly rateLimit: number;
    readonly rateBurst: number;
    readonly paginationMaxLimit: number;
    readonly linkPrefix?: string;
    readonly drainMs: number;
  };
  readonly db: string;
  readonly nats: { readonly url: string; readonly nkeySeedFile?: string | undefined };
  readonly dhcp: Pick<ServerBase, "agentsPerNetwork" | "dnsDomain"> & Partial<FailoverSettings> & SchedulingSettings;
  readonly l3?: Pick<ServerBase, "maxL3AgentsPerRouter">;
  readonly network?: NetworkKeys;
  /** Limits of projects, as `quotaKeys` of config/quota-keys.ts has them; without them nothing is limited. */
  readonly quota?: Readonly<Record<string, number>>;
}

export interface RunningServer {
  /** As it really listens, also when port 0 was asked for. */
  readonly url: string;
  /** Serves for `api.drain_ms` more, then takes nothing new, ends what is under way, and closes everything. */
  close(): Promise<void>;
}

type Closer = () => Promise<void> | void;

const firstConnectTimeoutMs = 5000;
const apiDrainMs = 3000;
const stopping = { check: "stopping", ok: false, reason: "the server was told to stop" } as const;

/** Rejects with one clear line when the database, NATS or the listening port is not to be had; then nothing stays open. */
export async function startServer(settings: ServerSettings, log: Logger, clock: Clock = systemClock): Promise<RunningServer> {
  const closers: Closer[] = [];
  let isStopping = false;
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
    warnOfOpenApi(settings, log);
    log.warn({ outcome: "not enforced" }, "security groups are kept, but nothing filters the packets of ports");
    log.warn({ outcome: "not applied" }, "QoS policies, trunks and conntrack helpers are kept, but nothing applies them");
    const authenticator = await openAuthenticator(settings, { clock, log });
    const store = await openStore(settings.db, log);
    closers.push(() => store.close());
    const bus = await connect(settings, log);
    closers.push(() => bus.close());
    const network = settings.network === undefined ? {} : { network: readNetworkKeys(settings.network) };
    const schedule = { ...settings.dhcp, ...settings.l3, failover: settings.dhcp };
    const limits = { quotaDefaults: quotaDefaults(settings.quota ?? {}) };
    const composed = await composeServer({ store, bus, clock, log, ...schedule, ...network, ...limits });
    closers.push(() => composed.close());
    const { services, metrics, readiness } = composed;
    const allowedHosts = [settings.listen.address, ...(settings.allowedHosts ?? [])];
    const api: ApiDeps = {
      services,
      parts: composed.parts,
      log,
      clock,
      version: readVersion(),
      allowedHosts,
      authenticator,
      metrics,
      readiness: () => (isStopping ? [...readiness(), stopping] : readiness()),
      rateLimit: { perSecond: settings.api?.rateLimit ?? 0, burst: settings.api?.rateBurst ?? 1 },
      maxPageSize: settings.api?.paginationMaxLimit ?? 0,
      linkPrefix: settings.api?.linkPrefix ?? "",
      onRequest: noticeSender(bus, log),
      onAnswered: (request) => composed.requests.add(request),
    };
    const app = createApi(api);
    const stream = bus.notifications();
    const notifications = await startNotifications({ store, bus, stream, readers: app.readers, clock, log });
    closers.push(() => notifications.close());
    const url = await listen(app, settings, closers);
    const drainMs = settings.api?.drainMs ?? 0;
    if (drainMs > 0) {
      closers.push(async () => {
        isStopping = true;
        await delay(drainMs);
      });
    }
    return { url, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** It was asked for by --force-auth-none; who reads the log later should know. */
function warnOfOpenApi({ auth = "none", listen: { address, port } }: ServerSettings, log: Logger): void {
  if (auth !== "none" || isLoopback(address)) return;
  log.warn({ outcome: `${address}:${port}` }, "auth none: everybody who can reach the REST API is administrator");
}

function connect({ nats }: ServerSettings, log: Logger): Promise<NatsBus> {
  return connectBus({
    url: nats.url,
    inboxPrefix: serverInboxPrefix,
    name: "netloom server",
    firstConnectTimeoutMs,
    log,
    ...(nats.nkeySeedFile === undefined ? {} : { nkeySeedFile: nats.nkeySeedFile }),
  });
}

async function listen(api: FastifyInstance, { listen: at }: ServerSettings, closers: Closer[]): Promise<string> {
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
