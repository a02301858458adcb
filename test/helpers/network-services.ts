// The three services on one store, with every event they record kept in a list.
import { formatTimestamp, type Clock } from "../../src/base/clock.ts";
import { registerAgent } from "../../src/server/store/agent-rows.ts";
import type { Store, Trx } from "../../src/server/store/database.ts";
import { createFloatingIpService } from "../../src/server/services/floating-ip-service.ts";
import { createNetworkService } from "../../src/server/services/network-service.ts";
import { createPortForwardingService } from "../../src/server/services/port-forwarding-service.ts";
import { createPortService } from "../../src/server/services/port-service.ts";
import type { Attributes, ListQuery, RequestContext, ResourceService } from "../../src/server/services/resource-service.ts";
import { createRouterService } from "../../src/server/services/router-service.ts";
import type { RouterService } from "../../src/server/services/router-service-types.ts";
import type { ServiceDeps } from "../../src/server/services/service-deps.ts";
import { createSubnetService } from "../../src/server/services/subnet-service.ts";
import type { StreamItem } from "../../src/types/agent-messages.ts";

export const admin: RequestContext = { requestId: "req-test", projectId: "operators", isAdmin: true };
export const member = (projectId: string): RequestContext => ({ requestId: "req-test", projectId, isAdmin: false });

export const everything: ListQuery = { filters: [], sorts: [], pageReverse: false };

/** Committed events only: those of a transaction that failed or ran again are dropped. */
export class EventLog {
  readonly items: StreamItem[] = [];
  readonly scheduled: string[] = [];
  readonly #open = new Map<Trx, (StreamItem | string)[]>();

  readonly events = {
    recordItems: async (trx: Trx, _networkId: string, items: readonly StreamItem[]): Promise<undefined> => {
      this.#of(trx).push(...items);
    },
    scheduleNetwork: async (trx: Trx, networkId: string): Promise<void> => {
      this.#of(trx).push(networkId);
    },
  };

  #of(trx: Trx): (StreamItem | string)[] {
    const open = this.#open.get(trx) ?? [];
    this.#open.set(trx, open);
    return open;
  }

  watch(store: Store): Store {
    const transaction = async <T>(work: (trx: Trx) => Promise<T>): Promise<T> => {
      let own: Trx | undefined;
      const result = await store.transaction((trx) => {
        own = trx;
        return work(trx);
      });
      for (const entry of (own && this.#open.get(own)) ?? []) {
        if (typeof entry === "string") this.scheduled.push(entry);
        else this.items.push(entry);
      }
      return result;
    };
    return {
      db: store.db,
      dialect: store.dialect,
      figures: store.figures,
      transaction,
      onCommitted: (listener) => store.onCommitted(listener),
      close: () => store.close(),
    };
  }

  clear(): void {
    this.items.length = 0;
    this.scheduled.length = 0;
  }
}

export interface TestServices {
  readonly store: Store;
  readonly deps: ServiceDeps;
  readonly log: EventLog;
  readonly clock: SteppingClock;
  readonly networks: ResourceService;
  readonly subnets: ResourceService;
  readonly ports: ResourceService;
  readonly routers: RouterService;
  readonly floatingIps: ResourceService;
  readonly portForwardings: (floatingIpId: string) => ResourceService;
}

/** Stands still until it is told to step. */
export class SteppingClock implements Clock {
  #nowMs = Date.parse("2026-01-02T03:04:05Z");

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  step(seconds: number): string {
    this.#nowMs += seconds * 1000;
    return formatTimestamp(this.#nowMs);
  }
}

export function servicesOn(store: Store, settings: Partial<ServiceDeps> = {}): TestServices {
  const log = new EventLog();
  const clock = new SteppingClock();
  const watched = log.watch(store);
  const usual = { clock, events: log.events, defaultDnsDomain: "example.internal" };
  const deps: ServiceDeps = { store: watched, ...usual, ...settings };
  return {
    store: watched,
    deps,
    log,
    clock,
    networks: createNetworkService(deps),
    subnets: createSubnetService(deps),
    ports: createPortService(deps),
    routers: createRouterService(deps),
    floatingIps: createFloatingIpService(deps),
    portForwardings: (floatingIpId) => createPortForwardingService(deps, floatingIpId),
  };
}

/** The only one of a list; everything that a service made, as a plain record. */
export async function createOne(service: ResourceService, body: Attributes, context = admin): Promise<Record<string, unknown>> {
  const [made] = await service.create(context, [body]);
  if (made === undefined) throw new Error("nothing was created");
  return { ...made };
}

export const idOf = (object: Attributes): string => String(object["id"]);

/** A network with one IPv4 subnet, the start of most tests. */
export async function networkWithSubnet(
  services: TestServices,
  { network = {}, subnet = {}, context = admin }: { network?: Attributes; subnet?: Attributes; context?: RequestContext } = {},
): Promise<{ networkId: string; subnetId: string }> {
  const networkId = idOf(await createOne(services.networks, network, context));
  const body = { network_id: networkId, ip_version: 4, cidr: "10.0.0.0/24", ...subnet };
  return { networkId, subnetId: idOf(await createOne(services.subnets, body, context)) };
}

export interface PortAddress {
  readonly subnet_id: string;
  readonly ip_address: string;
}

/** The cast: it is what presentPort makes. */
export const addressesOf = (port: Attributes): readonly string[] =>
  (port["fixed_ips"] as readonly PortAddress[]).map((ip) => ip.ip_address);

/** The row of an agent that registered and is heard of no more; answers its id. */
export async function addAgent(store: Store, host: string, configurations: object = {}): Promise<string> {
  const description = {
    agentType: "DHCP agent",
    binary: "netloom-dhcp-agent",
    host,
    bootId: `boot of ${host}`,
    availabilityZone: "nova",
    startedAtMs: Date.now(),
    configurations: { namespaces: true, ...configurations },
  };
  const heard = { role: "dhcp", phase: "ready", heartbeatAtMs: Date.now() };
  return (await store.transaction((trx) => registerAgent(trx, { ...heard, description }))).id;
}
