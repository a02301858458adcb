// The real API over the real services and a database of its own; asked through inject(). Nothing here is a fake but the
// agents, which are rows that nobody stands behind.
import { type FastifyInstance, type InjectOptions } from "fastify";
import { silentLogger } from "../../src/base/logger.ts";
import { systemClock } from "../../src/base/clock.ts";
import { createApi } from "../../src/server/api/api.ts";
import type { ApiServices } from "../../src/server/api/api-deps.ts";
import { composeResources } from "../../src/server/compose-resources.ts";
import { composeServices } from "../../src/server/compose-services.ts";
import { DhcpScheduler } from "../../src/server/scheduler/dhcp-scheduler.ts";
import { L3Scheduler } from "../../src/server/scheduler/l3-scheduler.ts";
import { LivenessTable } from "../../src/server/services/liveness.ts";
import type { ServiceDeps } from "../../src/server/services/service-deps.ts";
import { openStore, type Store } from "../../src/server/store/database.ts";
import { recordItems } from "../../src/server/store/outbox.ts";
import type { Database } from "../../src/server/store/schema.ts";
import type { Answer, Ask } from "./fake-api.ts";
import { addAgent } from "./network-services.ts";

export type Body = Readonly<Record<string, unknown>> & { readonly id: string };

const tables = [
  "networks",
  "network_segments",
  "network_segment_ranges",
  "auto_allocated_topologies",
  "subnets",
  "ports",
  "fixed_ips",
  "agents",
  "network_dhcp_agents",
  "routers",
  "router_ports",
  "router_l3_agents",
  "floating_ips",
  "port_forwardings",
  "streams",
  "outbox",
  "leases",
  "address_scopes",
  "subnet_pools",
  "address_groups",
  "security_groups",
  "security_group_rules",
  "default_security_group_rules",
  "security_group_defaults",
  "port_security_groups",
  "qos_policies",
  "qos_rules",
  "trunks",
  "trunk_subports",
  "conntrack_helpers",
  "port_bindings",
  "meta",
] as const satisfies readonly (keyof Database)[];

export class RealApi {
  readonly app: FastifyInstance;
  readonly store: Store;

  /** @param services of a whole server over the store; without them, services that nobody hears */
  constructor(store: Store, services?: ApiServices, settings: Partial<ServiceDeps> = {}) {
    const clock = systemClock;
    const liveness = new LivenessTable(clock);
    const scheduler = new DhcpScheduler({ agentsPerNetwork: 1, liveness: (agent) => liveness.of(agent) });
    const events = {
      recordItems,
      scheduleNetwork: scheduler.scheduleNetwork.bind(scheduler),
    } satisfies ServiceDeps["events"];
    const l3 = new L3Scheduler({ liveness: (agent) => liveness.of(agent) });
    const told = { ...events, scheduleRouter: l3.scheduleRouter.bind(l3) };
    const deps: ServiceDeps = { store, clock, events: told, ...settings };
    this.store = store;
    this.app = createApi({
      services: services ?? composeServices({ deps, scheduler, l3, liveness, control: () => {}, ask: async () => "absent" }),
      parts: composeResources(deps),
      log: silentLogger,
      clock,
      version: "0",
      readiness: () => [],
    });
  }

  /** @param url as `openStore` takes it; a database in memory when absent. */
  static async open(url = "sqlite::memory:"): Promise<RealApi> {
    return new RealApi(await openStore(url, silentLogger));
  }

  async ask(url: string, { method = "GET", body, raw, headers = {} }: Ask = {}): Promise<Answer> {
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await this.app.inject({
      // inject() has a list of verbs; tests also send others.
      method: method as NonNullable<InjectOptions["method"]>,
      url,
      headers: { ...(payload === undefined ? {} : { "content-type": "application/json" }), ...headers },
      ...(payload === undefined ? {} : { payload }),
    });
    const parsed: unknown = response.body.startsWith("{") ? JSON.parse(response.body) : {};
    return {
      status: response.statusCode,
      body: parsed as Record<string, unknown>,
      text: response.body,
      headers: response.headers,
    };
  }

  /** @param path below /v2.0, where it is not the plural of `kind`. */
  async create(kind: string, attributes: object, headers: Ask["headers"] = {}, path = `${kind}s`): Promise<Body> {
    const answer = await this.ask(`/v2.0/${path}`, { method: "POST", body: { [kind]: attributes }, headers });
    if (answer.status !== 201) throw new Error(`${kind} was not created: ${answer.text}`);
    return answer.body[kind] as Body;
  }

  /** @param key of the list in the body, where the path is not the same. */
  async list(path: string, query = "", headers: Ask["headers"] = {}, key = path): Promise<readonly Body[]> {
    const answer = await this.ask(`/v2.0/${path}${query}`, { headers });
    if (answer.status !== 200) throw new Error(`${path}${query}: ${answer.text}`);
    return answer.body[key] as readonly Body[];
  }

  /** An agent that registered and is heard of no more. */
  registerDhcpAgent(host: string, configurations: object = {}): Promise<string> {
    return addAgent(this.store, host, configurations);
  }

  /** Every row of every table, as text: two of these are equal only when nothing at all has changed. */
  async dump(): Promise<string> {
    const lines: string[] = [];
    for (const table of tables) {
      const rows = await this.store.db.selectFrom(table).selectAll().execute();
      lines.push(...rows.map((row) => `${table} ${JSON.stringify(row)}`).sort());
    }
    return lines.join("\n");
  }

  async close(): Promise<void> {
    await this.app.close();
    await this.store.close();
  }
}
