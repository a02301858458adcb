// What the API needs of the rest of the server.
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { RateLimit } from "../../base/rate-limit.ts";
import type { Authenticator } from "../identity/authenticator.ts";
import type { AgentService } from "../services/agent-admin-service-types.ts";
import type { L3AgentService } from "../services/l3-agent-service-types.ts";
import type { ResourceReader, ResourceService } from "../services/resource-service.ts";
import type { RouterService } from "../services/router-service-types.ts";
import type { ApiPart } from "./api-part.ts";
import type { NoticeListener } from "./request-notices.ts";

export interface ReadinessCheck {
  readonly check: string;
  readonly ok: boolean;
  /** Why not, for people. */
  readonly reason?: string;
}

export interface ApiServices {
  readonly networks: ResourceService;
  readonly subnets: ResourceService;
  readonly ports: ResourceService;
  readonly routers: RouterService;
  readonly floatingIps: ResourceService;
  /** Of one floating IP; whether there is one shows when it is asked. */
  readonly portForwardings: (floatingIpId: string) => ResourceService;
  readonly agents: AgentService;
  readonly l3Agents: L3AgentService;
  readonly leases: ResourceReader;
  readonly availabilityZones: ResourceReader;
}

export interface AnsweredRequest {
  readonly method: string;
  /** As it was registered: `/v2.0/ports/:id`; absent where no route took it. */
  readonly route: string | undefined;
  readonly status: number;
  readonly ms: number;
}

export interface ApiDeps {
  readonly services: ApiServices;
  readonly parts?: readonly ApiPart[];
  readonly log: Logger;
  readonly clock: Clock;
  readonly version: string;
  /** Names and addresses of this API beside those of loopback; requests with another `Host` are refused. */
  readonly allowedHosts?: readonly string[];
  /** Who a request is from; the headers are believed when absent. */
  readonly authenticator?: Authenticator;
  /** What one caller may ask for; any number when absent. */
  readonly rateLimit?: RateLimit;
  /** Most objects in one page of a list; 0 or absent: any number. */
  readonly maxPageSize?: number;
  /** What links begin with, before `/v2.0`; empty or absent: scheme and host of the request. */
  readonly linkPrefix?: string;
  /** Told of each change that somebody asks for. */
  readonly onRequest?: NoticeListener;
  /** Told of each request that was answered. */
  readonly onAnswered?: (request: AnsweredRequest) => void;
  /** Asked at every GET of /readyz; must be cheap. */
  readonly readiness: () => readonly ReadinessCheck[];
  /** Text of the Prometheus page; without it /metrics is 404. */
  readonly metrics?: () => Promise<string>;
}
