// Who asks: found out before the body of a request is read, and turned into what services may rely on.
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ApiFault } from "../../types/api-faults.ts";
import type { ResourceDeclaration } from "../../types/resources/declaration.ts";
import type { Authenticator, Identity, Unauthenticated } from "../identity/authenticator.ts";
import type { RequestContext } from "../services/resource-service.ts";

declare module "fastify" {
  interface FastifyRequest {
    identity: Identity | undefined;
  }
  interface FastifyContextConfig {
    /** Whom a path answers beside those with a token. `local`: this machine; from elsewhere it is for administrators. */
    readonly access?: "everybody" | "local";
  }
}

const nobody: Identity = { userId: "", projectId: "", roles: new Set() };

/** Paths without `access` are for those who prove who they are; so is every path that somebody adds later. */
export function installIdentity(app: FastifyInstance, authenticator: Authenticator): void {
  app.decorateRequest("identity", undefined);
  app.addHook("onRequest", async (request) => {
    const { access } = request.routeOptions.config;
    if (access === "everybody" || (access === "local" && isLocal(request))) {
      request.identity = nobody;
      return;
    }
    const identity = await authenticator.identify(request.headers);
    if (identity.projectId === "") throw new ApiFault("HTTPForbidden", "This API takes tokens of a project only.");
    if (identity.roles.size === 0) throw new ApiFault("HTTPForbidden", "None of the caller's roles means anything here.");
    if (access === "local" && !identity.roles.has("admin")) throw new ApiFault("HTTPForbidden", "This is for administrators.");
    request.identity = identity;
  });
}

/** A proxy on this machine says whom it asks for; then it is not this machine that asks. */
function isLocal({ socket, headers }: FastifyRequest): boolean {
  const isForwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"].some((name) => headers[name] !== undefined);
  const from = socket.remoteAddress?.replace(/^::ffff:/i, "") ?? "";
  return !isForwarded && (from === "::1" || from.startsWith("127."));
}

export function contextOf(request: FastifyRequest): RequestContext {
  const { id: requestId, identity = nobody } = request;
  const { userId, projectId, roles } = identity;
  return {
    requestId,
    userId,
    projectId,
    roles,
    isAdmin: roles.has("admin"),
    isManager: roles.has("manager"),
    isService: roles.has("service"),
    canWrite: roles.has("member"),
  };
}

const readingVerbs = new Set(["GET", "HEAD", "OPTIONS"]);

/** Who only reads changes nothing, by whatever path. */
export function checkMayWrite(method: string, context: RequestContext, resource: ResourceDeclaration | undefined): void {
  if (readingVerbs.has(method) || context.canWrite === true) return;
  if (context.isService === true && resource?.serviceWrites === true) return;
  const what = resource === undefined ? "a change" : `a change of ${resource.collection}`;
  throw new ApiFault("PolicyNotAuthorized", `${what} is disallowed by policy: the caller's roles only read.`);
}

/** In the form of Keystone's own middleware, which is what clients know. */
export function answerUnauthenticated(reply: FastifyReply, { challenge, message }: Unauthenticated): FastifyReply {
  return reply
    .code(401)
    .header("www-authenticate", challenge)
    .type("application/json")
    .send({ error: { code: 401, title: "Unauthorized", message } });
}
