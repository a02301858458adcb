// The real API over fake services, asked through inject(): no port, no database.
import type { FastifyInstance, InjectOptions } from "fastify";
import type { LogFields, Logger } from "../../src/base/logger.ts";
import { createApi } from "../../src/server/api/api.ts";
import type { Authenticator } from "../../src/server/identity/authenticator.ts";
import type { ReadinessCheck } from "../../src/server/api/api-deps.ts";
import { FakeClock } from "./fake-clock.ts";
import { fakeL3Agents, fakeRouterService } from "./fake-l3-services.ts";
import { FakeAgentService, FakeResourceService } from "./fake-resource-service.ts";

export interface LogLine extends LogFields {
  readonly level: string;
  readonly message: string;
}

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly text: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

export interface Ask {
  readonly method?: string;
  readonly body?: unknown;
  /** Bytes as they are, sent as JSON unless the headers say otherwise. */
  readonly raw?: string | Buffer;
  /** Without a Content-Type. */
  readonly isTypeless?: true;
  readonly headers?: Readonly<Record<string, string>>;
}

export class FakeApi {
  readonly networks = new FakeResourceService();
  readonly subnets = new FakeResourceService();
  readonly ports = new FakeResourceService();
  readonly routers = fakeRouterService();
  readonly floatingIps = new FakeResourceService();
  readonly portForwardings = new FakeResourceService();
  readonly agents = new FakeAgentService();
  readonly leases = new FakeResourceService();
  readonly availabilityZones = new FakeResourceService();
  readonly clock = new FakeClock();
  readonly lines: LogLine[] = [];
  checks: readonly ReadinessCheck[] = [];
  readonly app: FastifyInstance;

  constructor(metrics?: () => Promise<string>, authenticator?: Authenticator, linkPrefix = "") {
    const { networks, subnets, ports, routers, floatingIps, agents, leases, availabilityZones, clock } = this;
    const portForwardings = (): FakeResourceService => this.portForwardings;
    this.app = createApi({
      linkPrefix,
      services: {
        networks,
        subnets,
        ports,
        routers,
        floatingIps,
        portForwardings,
        agents,
        l3Agents: fakeL3Agents,
        leases,
        availabilityZones,
      },
      log: this.#logger(),
      clock,
      version: "1.2.3",
      allowedHosts: ["api.example.org", "192.0.2.7", "2001:db8::7"],
      readiness: () => this.checks,
      ...(metrics === undefined ? {} : { metrics }),
      ...(authenticator === undefined ? {} : { authenticator }),
    });
  }

  async ask(url: string, { method = "GET", body, raw, isTypeless, headers = {} }: Ask = {}): Promise<Answer> {
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await this.app.inject({
      // inject() has a list of verbs; tests also send others.
      method: method as NonNullable<InjectOptions["method"]>,
      url,
      headers: { ...(payload === undefined || isTypeless ? {} : { "content-type": "application/json" }), ...headers },
      ...(payload === undefined ? {} : { payload }),
    });
    const isJson = String(response.headers["content-type"]).startsWith("application/json") && response.body !== "";
    const parsed: unknown = isJson ? JSON.parse(response.body) : {};
    return {
      status: response.statusCode,
      body: (parsed ?? {}) as Record<string, unknown>,
      text: response.body,
      headers: response.headers,
    };
  }

  /** A service by the name of its collection. */
  service(collection: string): FakeResourceService {
    const all: Readonly<Record<string, FakeResourceService>> = {
      networks: this.networks,
      subnets: this.subnets,
      ports: this.ports,
      routers: this.routers,
      floatingips: this.floatingIps,
      port_forwardings: this.portForwardings,
      agents: this.agents.resource,
      leases: this.leases,
      availability_zones: this.availabilityZones,
    };
    const found = all[collection];
    if (found === undefined) throw new Error(`no service for ${collection}`);
    return found;
  }

  close(): Promise<void> {
    return this.app.close();
  }

  #logger(): Logger {
    const at = (level: string) => (fields: LogFields, message: string) => {
      this.lines.push({ ...fields, level, message });
    };
    const logger: Logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error"), child: () => logger };
    return logger;
  }
}

export interface Fault {
  readonly status: number;
  readonly type: string;
  readonly message: string;
}

/** The error of an answer, or a failure that shows what came instead. */
export function faultOf(answer: Answer): Fault {
  const fault = answer.body["NeutronError"] as
    | { readonly type: string; readonly message: string; readonly detail: string }
    | undefined;
  if (fault === undefined || fault.detail !== "") throw new Error(`no fault: ${answer.status} ${answer.text.slice(0, 300)}`);
  return { status: answer.status, type: fault.type, message: fault.message };
}
