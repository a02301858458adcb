// Tags of everything that has them: /v2.0/<collection>/<id>/tags. Another kind of object joins with one line here.
import type { FastifyInstance, FastifyRequest } from "fastify";
import { type SqlBool, sql } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import { pathOf } from "../../types/resources/declaration.ts";
import { floatingIpResource } from "../../types/resources/floating-ips.ts";
import { networkSegmentRangeResource } from "../../types/resources/network-segment-ranges.ts";
import { networkResource } from "../../types/resources/networks.ts";
import { portResource } from "../../types/resources/ports.ts";
import { qosPolicyResource } from "../../types/resources/qos-policies.ts";
import { routerResource } from "../../types/resources/routers.ts";
import { securityGroupResource } from "../../types/resources/security-groups.ts";
import { subnetPoolResource } from "../../types/resources/subnet-pools.ts";
import { subnetResource } from "../../types/resources/subnets.ts";
import { tagSchema, tagsSchema } from "../../types/resources/tags.ts";
import { trunkResource } from "../../types/resources/trunks.ts";
import { quoted } from "../../types/resources/values.ts";
import type { ApiPart } from "../api/api-part.ts";
import { revisionOf } from "../api/collection-routes.ts";
import { extension } from "../api/extensions.ts";
import { parseId } from "../api/object-id.ts";
import { described } from "../api/operation.ts";
import { scoped } from "../api/request-scope.ts";
import { visibleFloatingIps } from "../services/floating-ip-rows.ts";
import type { RequestContext } from "../services/resource-service.ts";
import { visibleRouters } from "../services/router-rows.ts";
import type { ServiceDeps } from "../services/service-deps.ts";
import { visibleObjects } from "../services/sharing.ts";
import { type Taggable, type TagChange, TagService } from "../services/tag-service.ts";
import type { Condition } from "../store/list-rows.ts";
import { visibleTrunks } from "../services/trunk-service.ts";
import { visibleNetworks, visiblePorts, visibleSubnets } from "../services/visibility.ts";

const forAdmins = ({ isAdmin }: RequestContext): Condition | undefined => (isAdmin ? undefined : sql<SqlBool>`1 = 0`);

const taggable: readonly Taggable[] = [
  { resource: networkResource, table: "networks", visible: visibleNetworks },
  { resource: subnetResource, table: "subnets", visible: visibleSubnets },
  { resource: portResource, table: "ports", visible: visiblePorts },
  { resource: routerResource, table: "routers", visible: visibleRouters },
  { resource: floatingIpResource, table: "floating_ips", visible: visibleFloatingIps },
  { resource: networkSegmentRangeResource, table: "network_segment_ranges", visible: forAdmins },
  { resource: subnetPoolResource, table: "subnet_pools", visible: (context) => visibleObjects(context, "subnetpool") },
  { resource: qosPolicyResource, table: "qos_policies", visible: (context) => visibleObjects(context, "qos_policy") },
  // Clients know both paths of these.
  {
    resource: { ...qosPolicyResource, path: "policies" },
    table: "qos_policies",
    visible: (context) => visibleObjects(context, "qos_policy"),
  },
  { resource: trunkResource, table: "trunks", visible: visibleTrunks },
  {
    resource: securityGroupResource,
    table: "security_groups",
    visible: (context) => visibleObjects(context, "security_group"),
  },
];

export function tagPart(deps: ServiceDeps): ApiPart {
  return {
    resources: [],
    extensions: [
      extension("standard-attr-tag", "Tags", "Marks on objects, by which lists can be filtered."),
      extension("tag-creation", "Adding tags", "POST adds tags to those that an object has."),
      extension("tag-ports-during-bulk-creation", "Tags of new ports", "Ports can be created with tags."),
    ],
    register: (app) => {
      for (const kind of taggable) registerTags(app, kind, new TagService(deps, kind));
    },
  };
}

function registerTags(app: FastifyInstance, { resource }: Taggable, service: TagService): void {
  const all = `/v2.0/${pathOf(resource)}/:id/tags`;
  const one = `${all}/:tag`;
  const title = resource.title.toLowerCase();
  // Of what cannot be an id, as of one that nobody has.
  const missed = { ...resource, notFound: "TagResourceNotFound" } as const;
  const idOf = (request: FastifyRequest): string => parseId(missed, paramsOf(request).id);
  const changeOf = (request: FastifyRequest, context: RequestContext): TagChange => ({
    context,
    id: idOf(request),
    expectedRevision: revisionOf(request, resource),
  });
  app.get(
    all,
    described(`List the tags of a ${title}`, { answer: tagList }),
    scoped(async (request, _reply, context) => ({ tags: await service.read(context, idOf(request)) })),
  );
  app.post(
    all,
    described(`Add tags to a ${title}`, { request: tagList, answer: tagList, status: 201 }),
    scoped(async (request, reply, context) => {
      const tags = await service.add(changeOf(request, context), listedTags(request.body));
      reply.code(201);
      return { tags };
    }),
  );
  app.put(
    all,
    described(`Replace the tags of a ${title}`, { request: tagList, answer: tagList }),
    scoped(async (request, _reply, context) => ({
      tags: await service.replace(changeOf(request, context), listedTags(request.body)),
    })),
  );
  app.delete(
    all,
    described(`Remove all tags of a ${title}`, { status: 204 }),
    scoped(async (request, reply, context) => {
      await service.replace(changeOf(request, context), []);
      return reply.code(204).send();
    }),
  );
  app.get(
    one,
    described(`Whether a ${title} has a tag`, { status: 204 }),
    scoped(async (request, reply, context) => {
      await service.check(context, idOf(request), paramsOf(request).tag);
      return reply.code(204).send();
    }),
  );
  app.put(
    one,
    described(`Add a tag to a ${title}`, { status: 201 }),
    scoped(async (request, reply, context) => {
      await service.add(changeOf(request, context), [checked(tagSchema.safeParse(paramsOf(request).tag))]);
      return reply.code(201).send();
    }),
  );
  app.delete(
    one,
    described(`Remove a tag of a ${title}`, { status: 204 }),
    scoped(async (request, reply, context) => {
      await service.remove(changeOf(request, context), paramsOf(request).tag);
      return reply.code(204).send();
    }),
  );
}

const tagList = {
  type: "object",
  properties: { tags: { type: "array", items: { type: "string" } } },
  required: ["tags"],
  additionalProperties: false,
} as const;

/** The router gives every named part of the path as text. */
const paramsOf = (request: FastifyRequest): { readonly id: string; readonly tag: string } =>
  request.params as { readonly id: string; readonly tag: string };

/** `{"tags": […]}` and nothing else. */
function listedTags(body: unknown): readonly string[] {
  if (typeof body !== "object" || body === null || Array.isArray(body) || !Object.hasOwn(body, "tags")) {
    throw new ApiFault("HTTPBadRequest", "Invalid tags body: unable to find 'tags' in request body.");
  }
  const other = Object.keys(body).find((key) => key !== "tags");
  if (other !== undefined) throw new ApiFault("HTTPBadRequest", `Unrecognized attribute(s) ${quoted(other)}.`);
  return checked(tagsSchema.safeParse((body as { readonly tags: unknown }).tags));
}

type Parsed<T> =
  | { readonly success: true; readonly data: T }
  | { readonly success: false; readonly error: { readonly issues: readonly { readonly message: string }[] } };

function checked<T>(parsed: Parsed<T>): T {
  if (parsed.success) return parsed.data;
  throw new ApiFault("HTTPBadRequest", `Invalid input for tags. Reason: ${parsed.error.issues[0]?.message ?? "not accepted."}`);
}
