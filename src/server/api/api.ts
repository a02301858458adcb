// The REST API as one fastify instance: routes parse, call a service and present; rules live in the services.
import { randomUUID } from "node:crypto";
import fastify, { type FastifyInstance, type FastifyReply } from "fastify";
import { agentResource } from "../../types/resources/agents.ts";
import { availabilityZoneResource } from "../../types/resources/availability-zones.ts";
import { floatingIpResource } from "../../types/resources/floating-ips.ts";
import { leaseResource } from "../../types/resources/leases.ts";
import { networkResource } from "../../types/resources/networks.ts";
import { portForwardingResource } from "../../types/resources/port-forwardings.ts";
import { portResource } from "../../types/resources/ports.ts";
import { routerResource } from "../../types/resources/routers.ts";
import { subnetResource } from "../../types/resources/subnets.ts";
import { registerAgentRoutes } from "./agent-routes.ts";
import type { ApiDeps } from "./api-deps.ts";
import { registerCollection, registerSubCollection } from "./collection-routes.ts";
import { registerDiscovery } from "./discovery-routes.ts";
import { coreExtensions } from "./extensions.ts";
import { faultBody } from "./fault-answers.ts";
import { registerHealth } from "./health-routes.ts";
import { headerIdentity } from "../identity/header-identity.ts";
import { installHostCheck } from "./host-check.ts";
import { installIdentity } from "./identity.ts";
import { registerL3AgentRoutes } from "./l3-agent-routes.ts";
import { installOpenApi } from "./openapi.ts";
import { maxBodyBytes, parseRequestBody } from "./request-body.ts";
import { installRateLimit } from "./rate-limit.ts";
import { installRequestNotices } from "./request-notices.ts";
import { installNoRoute, installRequestScope } from "./request-scope.ts";
import { registerRouterActions } from "./router-action-routes.ts";
import { urlRewriter } from "./url-spellings.ts";

const requestTimeoutMs = 30_000;
// Clients name hundreds of ids in one query.
const maxHeaderBytes = 64 * 1024;

/** Not listening yet: the caller chooses where, or uses `inject()`. */
export function createApi(deps: ApiDeps): FastifyInstance {
  const parts = deps.parts ?? [];
  const core = [networkResource, subnetResource, portResource, routerResource, floatingIpResource];
  const resources = [...core, ...parts.flatMap((part) => part.resources)];
  const app = createBareApp(urlRewriter([...resources, availabilityZoneResource]));
  installRequestScope(app, deps);
  installHostCheck(app, deps.allowedHosts ?? []);
  installNoRoute(app);
  installOpenApi(app, deps.version);
  app.decorate("readers", new Map());
  app.decorate("maxPageSize", deps.maxPageSize ?? 0);
  app.decorate("linkPrefix", deps.linkPrefix ?? "");
  if (deps.onRequest !== undefined) installRequestNotices(app, deps.onRequest);
  const { networks, subnets, ports, routers, floatingIps, portForwardings, agents, l3Agents, leases } = deps.services;
  installIdentity(app, deps.authenticator ?? headerIdentity);
  if (deps.rateLimit !== undefined) installRateLimit(app, deps.rateLimit, deps.clock);
  registerHealth(app, deps);
  registerDiscovery(app, {
    resources,
    extensions: [...coreExtensions, ...parts.flatMap((part) => part.extensions)],
  });
  registerCollection(app, networkResource, networks);
  registerCollection(app, subnetResource, subnets);
  registerCollection(app, portResource, ports);
  registerCollection(app, routerResource, routers);
  registerRouterActions(app, routers);
  registerCollection(app, floatingIpResource, floatingIps);
  registerSubCollection(app, { parent: floatingIpResource, resource: portForwardingResource, serviceOf: portForwardings });
  registerCollection(app, agentResource, agents);
  registerCollection(app, leaseResource, leases);
  registerCollection(app, availabilityZoneResource, deps.services.availabilityZones);
  registerAgentRoutes(app, agents);
  registerL3AgentRoutes(app, l3Agents);
  for (const part of parts) part.register(app);
  return app;
}

function createBareApp(rewriteUrl: (url: string) => string): FastifyInstance {
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    bodyLimit: maxBodyBytes,
    requestTimeout: requestTimeoutMs,
    http: { maxHeaderSize: maxHeaderBytes },
    routerOptions: {
      ignoreTrailingSlash: true,
      maxParamLength: 512,
      // Queries are read where they are used, in order and with repeats; the built-in reader would be work for nothing.
      querystringParser: () => ({}),
    },
    genReqId: () => `req-${randomUUID()}`,
    rewriteUrl: ({ url = "/" }) => rewriteUrl(url),
    // A URL that cannot be decoded has no route. The type of this one reply is more general than all the others.
    frameworkErrors: (error, request, reply: unknown) => {
      const answer = (reply as FastifyReply).header("x-openstack-request-id", request.id);
      void answer.code(400).type("application/json").send(faultBody("HTTPBadRequest", error.message));
    },
    clientErrorHandler: (error, socket) => {
      if (!socket.writable) return socket.destroy();
      const body = JSON.stringify(faultBody("HTTPBadRequest", `Not an HTTP request: ${error.code}.`));
      socket.end(
        `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      );
    },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, async (request: Parameters<typeof parseRequestBody>[0], bytes: Buffer) =>
    parseRequestBody(request, bytes),
  );
  return app;
}
