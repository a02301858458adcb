// Quotas: /v2.0/quotas. Not a collection like others: what is inside a project's quota are the names of what is counted.
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { z } from "zod";
import { ApiFault } from "../../types/api-faults.ts";
import { boolean, checkText, integer, quoted, Refusal } from "../../types/resources/values.ts";
import type { ApiPart } from "../api/api-part.ts";
import { openUpdateEnvelope } from "../api/body-envelope.ts";
import { extension } from "../api/extensions.ts";
import { described } from "../api/operation.ts";
import { scoped } from "../api/request-scope.ts";
import { quotaNames } from "../services/quota-guard.ts";
import { QuotaService } from "../services/quota-service.ts";
import type { RequestContext } from "../services/resource-service.ts";
import type { ServiceDeps } from "../services/service-deps.ts";

const path = "/v2.0/quotas";

export function quotaPart(deps: ServiceDeps): ApiPart {
  return {
    resources: [],
    extensions: [
      extension("quotas", "Quotas", "Limits of what a project may have."),
      extension("quota_details", "Quotas with use", "What of each limit is used."),
      extension("quota-check-limit", "Checked quotas", "A limit below use is refused unless it is forced."),
    ],
    register: (app) => {
      const quotas = new QuotaService(deps);
      registerReading(app, quotas);
      registerWriting(app, quotas);
      registerCaller(app);
    },
  };
}

function registerReading(app: FastifyInstance, quotas: QuotaService): void {
  app.get(
    path,
    described("List the quotas of projects that have limits of their own"),
    scoped(async (_request, _reply, context) => {
      requireAdmin(context);
      const all = await quotas.list();
      return { quotas: [...all].map(([id, limits]) => ({ ...limits, project_id: id, tenant_id: id })) };
    }),
  );
  app.get(
    `${path}/:project`,
    described("Show the limits of a project"),
    scoped(async (request, _reply, context) => ({ quota: await quotas.show(readable(request, context)) })),
  );
  app.get(
    `${path}/:project/default`,
    described("Show the limits of projects that have none of their own"),
    scoped(async (request, _reply, context) => {
      readable(request, context);
      return { quota: quotas.defaults() };
    }),
  );
  app.get(
    `${path}/:project/details`,
    described("Show the limits of a project and what of them is used"),
    scoped(async (request, _reply, context) => ({ quota: await quotas.details(readable(request, context)) })),
  );
}

function registerWriting(app: FastifyInstance, quotas: QuotaService): void {
  app.put(
    `${path}/:project`,
    described("Set limits of a project", { request: bodyShape }),
    scoped(async (request, _reply, context) => {
      requireAdmin(context);
      const { limits, isForced } = readBody(request.body);
      return { quota: await quotas.update(projectOf(request), limits, isForced) };
    }),
  );
  app.delete(
    `${path}/:project`,
    described("Give a project the default limits again", { status: 204 }),
    scoped(async (request, reply, context) => {
      requireAdmin(context);
      await quotas.reset(projectOf(request));
      return reply.code(204).send();
    }),
  );
  app.post(
    path,
    described("Not implemented: quotas are set, not made"),
    scoped(async (_request, reply) => {
      const message = "POST requests are not supported on this resource.";
      return reply.code(501).send({ NotImplementedError: { type: "NotImplementedError", message, detail: "" } });
    }),
  );
}

/** Who asks: for clients that know their project by its name only. */
function registerCaller(app: FastifyInstance): void {
  for (const word of ["project", "tenant"] as const) {
    app.get(
      `${path}/${word}`,
      described("Show the id of the caller's project"),
      scoped(async (_request, _reply, { projectId }) => ({ [word]: { [`${word}_id`]: projectId } })),
    );
  }
}

function projectOf(request: FastifyRequest): string {
  const { project } = request.params as { readonly project: string };
  const id = checkText(project, { maxLength: 255, minLength: 1 });
  if (id instanceof Refusal) throw new ApiFault("HTTPBadRequest", `Invalid input for project_id. Reason: ${id.reason}`);
  return id;
}

function readable(request: FastifyRequest, context: RequestContext): string {
  const id = projectOf(request);
  if (id !== context.projectId) requireAdmin(context);
  return id;
}

function requireAdmin(context: RequestContext): void {
  if (!context.isAdmin) throw new ApiFault("AdminRequired", "User does not have admin privileges: quotas of other projects.");
}

const limit = integer(-1);
const switches = ["force", "check_limit"] as const;
const projectNames = ["project_id", "tenant_id"] as const;

const bodyShape = {
  type: "object",
  properties: {
    quota: {
      type: "object",
      properties: {
        ...Object.fromEntries(quotaNames.map((name) => [name, { type: "integer", minimum: -1, maximum: 2_147_483_647 }])),
        ...Object.fromEntries(switches.map((name) => [name, { type: "boolean" }])),
      },
      additionalProperties: false,
    },
  },
  required: ["quota"],
} as const;

const resource = { name: "quota" } as const;

/** `{"quota": {"network": 5, "force": true}}`; limits are checked against use unless they are forced. */
function readBody(body: unknown): { readonly limits: Readonly<Record<string, number>>; readonly isForced: boolean } {
  const sent = openUpdateEnvelope(resource, body);
  if (typeof sent !== "object" || sent === null || Array.isArray(sent)) {
    throw new ApiFault("HTTPBadRequest", `Invalid input for quota. Reason: ${quoted(sent)} is not a dictionary.`);
  }
  const limits: Record<string, number> = {};
  const flags: Record<string, boolean> = {};
  for (const [name, value] of Object.entries(sent)) {
    if (isOneOf(quotaNames, name)) limits[name] = parsed(name, limit, value);
    else if (isOneOf(switches, name)) flags[name] = parsed(name, boolean, value);
    else if (!isOneOf(projectNames, name)) throw new ApiFault("HTTPBadRequest", `Unrecognized attribute(s) ${quoted(name)}.`);
  }
  return { limits, isForced: flags["force"] === true && flags["check_limit"] !== true };
}

const isOneOf = (names: readonly string[], name: string): boolean => names.includes(name);

function parsed<T>(name: string, schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new ApiFault("HTTPBadRequest", `Invalid input for ${name}. Reason: ${result.error.issues[0]?.message ?? ""}`);
}
