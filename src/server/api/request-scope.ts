// What surrounds every request: an id, a trace, the access log, and one form of errors.
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { parseTraceparent, withTrace, type TraceContext } from "../../base/trace-context.ts";
import { ApiFault } from "../../types/api-faults.ts";
import type { ResourceDeclaration } from "../../types/resources/declaration.ts";
import { Unauthenticated } from "../identity/authenticator.ts";
import type { RequestContext } from "../services/resource-service.ts";
import type { ApiDeps } from "./api-deps.ts";
import { faultBody, toFault } from "./fault-answers.ts";
import { answerUnauthenticated, checkMayWrite, contextOf } from "./identity.ts";

declare module "fastify" {
  interface FastifyRequest {
    trace: TraceContext | undefined;
    startedAtMs: number;
  }
}

type RouteHandler = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
export type Handler = (request: FastifyRequest, reply: FastifyReply, context: RequestContext) => Promise<unknown>;

/**
 * A route's handler inside its trace, so that whatever it writes carries the trace on. Not in a hook: fastify reads bodies
 * from socket events, which forget the asynchronous context of the hooks before them.
 *
 * @param resource what the route changes, where others than members may do that
 */
export function scoped(handler: Handler, resource?: ResourceDeclaration): RouteHandler {
  return async (request, reply) => {
    const context = contextOf(request);
    checkMayWrite(request.method, context, resource);
    return withTrace(traceOf(request), async () => handler(request, reply, context));
  };
}

type ScopeDeps = Pick<ApiDeps, "log" | "clock" | "onAnswered">;

export function installRequestScope(app: FastifyInstance, { log, clock, onAnswered }: ScopeDeps): void {
  app.decorateRequest("trace", undefined);
  app.decorateRequest("startedAtMs", 0);
  app.addHook("onRequest", async (request, reply) => {
    request.startedAtMs = clock.monotonicMs();
    reply.header("x-openstack-request-id", request.id);
  });
  app.addHook("onResponse", async (request, reply) => {
    const path = (request.originalUrl.split("?", 1)[0] ?? "").slice(0, 512);
    const ms = Math.round((clock.monotonicMs() - request.startedAtMs) * 10) / 10;
    const { method, id: requestId, identity } = request;
    const facts = { method, path, status: reply.statusCode, ms, requestId, traceId: traceOf(request).traceId };
    const { userId, projectId } = identity ?? {};
    const clientRequestId = clientRequestIdOf(request);
    log.info(
      {
        ...facts,
        ...(projectId ? { projectId } : {}),
        ...(userId ? { userId } : {}),
        ...(clientRequestId === undefined ? {} : { clientRequestId }),
      },
      "request answered",
    );
    onAnswered?.({ method, route: request.is404 ? undefined : request.routeOptions.url, status: reply.statusCode, ms });
  });
  app.setErrorHandler(async (error, request, reply) => {
    if (error instanceof Unauthenticated) return answerUnauthenticated(reply, error);
    const fault = toFault(error, { requestId: request.id, traceId: traceOf(request).traceId }, log);
    return reply.code(fault.status).type("application/json").send(faultBody(fault.type, fault.message));
  });
}

/** What a client of several services calls its own request everywhere; it is logged, and never taken for ours. */
function clientRequestIdOf({ headers }: FastifyRequest): string | undefined {
  const sent = headers["x-openstack-request-id"];
  return typeof sent === "string" && /^req-[0-9a-f-]{36}$/i.test(sent) ? sent : undefined;
}

function traceOf(request: FastifyRequest): TraceContext {
  const header = request.headers["traceparent"];
  request.trace ??= {
    ...(parseTraceparent(typeof header === "string" ? header : undefined) ?? traceOfRequestId(request.id)),
    requestId: request.id,
  };
  return request.trace;
}

/** The digits of `req-<uuid>`: as random as a trace has to be, without asking the kernel for more, and easy to match in logs. */
function traceOfRequestId(requestId: string): TraceContext {
  const digits = requestId.slice("req-".length).replaceAll("-", "");
  return { traceId: digits, spanId: digits.slice(-16) };
}

/**
 * 404 for paths that nobody serves, 405 for verbs that a served path does not take; decided before the body is read.
 * Must be installed before the routes, because it learns the paths from them.
 */
export function installNoRoute(app: FastifyInstance): void {
  const served = new Map<string, { readonly pattern: RegExp; readonly verbs: Set<string>; readonly onlyVerbs: boolean }>();
  app.addHook("onRoute", (route) => {
    const known = served.get(route.url) ?? {
      pattern: new RegExp(`^${route.url.replaceAll(/:\w+/g, "[^/]+")}/?$`),
      verbs: new Set<string>(),
      onlyVerbs: route.config?.otherVerbsAreUnknown !== true,
    };
    for (const verb of [route.method].flat()) known.verbs.add(verb);
    served.set(route.url, known);
  });
  app.addHook("onRequest", async (request, reply) => {
    if (!request.is404) return;
    const path = request.url.split("?", 1)[0] ?? "";
    const route = [...served.values()].find((candidate) => candidate.onlyVerbs && candidate.pattern.test(path));
    if (route === undefined) throw new ApiFault("HTTPNotFound", "The resource could not be found.");
    reply.header("allow", [...route.verbs].join(", "));
    throw new ApiFault("HTTPMethodNotAllowed", `The method ${request.method} is not allowed for this resource.`);
  });
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** Other verbs on this path are answered with 404 and not with 405. */
    readonly otherVerbsAreUnknown?: true;
  }
}
