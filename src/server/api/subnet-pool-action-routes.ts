// What can be done with a subnet pool beside changing its attributes: PUT /v2.0/subnetpools/<id>/<action>.
import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiFault } from "../../types/api-faults.ts";
import { prefixesSchema, subnetPoolResource } from "../../types/resources/subnet-pools.ts";
import type { RequestContext } from "../services/resource-service.ts";
import type { ChangeTarget } from "../services/standard-service.ts";
import type { SubnetPoolActions } from "../services/subnet-pool-actions.ts";
import { bareIdOf } from "./bare-body.ts";
import { idOf, revisionOf } from "./collection-routes.ts";
import { described, oneId } from "./operation.ts";
import { scoped } from "./request-scope.ts";

const prefixList = {
  type: "object",
  properties: { prefixes: { type: "array", items: { type: "string", format: "cidr" } } },
  required: ["prefixes"],
  additionalProperties: false,
} as const;
const prefixBodies = { request: prefixList, answer: prefixList } as const;

const takenSubnets = {
  type: "array",
  items: { type: "object", properties: { id: { type: "string", format: "uuid" }, cidr: { type: "string" } } },
} as const;

export function registerSubnetPoolActions(app: FastifyInstance, pools: SubnetPoolActions): void {
  const path = "/v2.0/subnetpools/:id";
  app.put(
    `${path}/add_prefixes`,
    described("Add prefixes to those of a subnet pool", prefixBodies),
    scoped(async (request, _reply, context) => ({
      prefixes: await pools.addPrefixes(targetOf(request, context), prefixesOf(request.body)),
    })),
  );
  app.put(
    `${path}/remove_prefixes`,
    described("Remove prefixes that no subnet uses from a subnet pool", prefixBodies),
    scoped(async (request, _reply, context) => ({
      prefixes: await pools.removePrefixes(targetOf(request, context), prefixesOf(request.body)),
    })),
  );
  app.put(
    `${path}/onboard_network_subnets`,
    described("Take the subnets of a network into a subnet pool", { request: oneId("network_id"), answer: takenSubnets }),
    scoped(async (request, _reply, context) => pools.onboard(targetOf(request, context), bareIdOf(request.body, "network_id"))),
  );
}

function targetOf(request: FastifyRequest, context: RequestContext): ChangeTarget {
  const id = idOf(request, subnetPoolResource, context);
  return { context, id, expectedRevision: revisionOf(request, subnetPoolResource) };
}

/** `{"prefixes": […]}` */
function prefixesOf(body: unknown): readonly string[] {
  if (typeof body !== "object" || body === null || !Object.hasOwn(body, "prefixes") || Object.keys(body).length !== 1) {
    throw new ApiFault("HTTPBadRequest", "Invalid input for subnetpool. Reason: it takes 'prefixes' and nothing else.");
  }
  const prefixes = prefixesSchema.safeParse((body as { readonly prefixes: unknown }).prefixes);
  if (prefixes.success) return prefixes.data;
  const [issue] = prefixes.error.issues;
  throw new ApiFault("HTTPBadRequest", `Invalid input for prefixes. Reason: ${issue?.message ?? "it is not accepted."}`);
}
