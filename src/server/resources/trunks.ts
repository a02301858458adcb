// Trunks, and the actions that change which ports they carry.
import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiFault } from "../../types/api-faults.ts";
import { leavingSubportsSchema, subportsSchema, trunkResource } from "../../types/resources/trunks.ts";
import { quoted } from "../../types/resources/values.ts";
import { AnswerView } from "../api/answer-view.ts";
import type { ApiPart } from "../api/api-part.ts";
import { idOf, registerCollection, revisionOf } from "../api/collection-routes.ts";
import { described, someObjects } from "../api/operation.ts";
import { scoped } from "../api/request-scope.ts";
import type { RequestContext } from "../services/resource-service.ts";
import type { ServiceDeps } from "../services/service-deps.ts";
import type { ChangeTarget } from "../services/standard-service.ts";
import { addSubports, removeSubports, trunkService } from "../services/trunk-service.ts";

/** Without aliases, each of which would promise that subports are carried; docs/decisions/0022 says why. */
export function trunkPart(deps: ServiceDeps): ApiPart {
  return {
    resources: [trunkResource],
    extensions: [],
    register: (app) => {
      registerCollection(app, trunkResource, trunkService(deps));
      registerActions(app, deps);
    },
  };
}

const path = "/v2.0/trunks/:id";
const subports = someObjects("sub_ports");

function registerActions(app: FastifyInstance, deps: ServiceDeps): void {
  const view = new AnswerView(trunkResource);
  app.get(
    `${path}/get_subports`,
    described("List the subports of a trunk", { answer: subports }),
    scoped(async (request, _reply, context) => {
      const trunk = await trunkService(deps).show(context, idOf(request, trunkResource, context));
      return { sub_ports: trunk["sub_ports"] };
    }),
  );
  // The trunk is answered without an envelope, as clients expect.
  app.put(
    `${path}/add_subports`,
    described("Add ports to those that a trunk carries", { request: subports }),
    scoped(async (request, _reply, context) =>
      view.one(await addSubports(deps, targetOf(request, context), subportsOf(request.body, subportsSchema)), context),
    ),
  );
  app.put(
    `${path}/remove_subports`,
    described("Remove ports from those that a trunk carries", { request: subports }),
    scoped(async (request, _reply, context) => {
      const ids = subportsOf(request.body, leavingSubportsSchema).map((subport) => subport.port_id);
      return view.one(await removeSubports(deps, targetOf(request, context), ids), context);
    }),
  );
}

function targetOf(request: FastifyRequest, context: RequestContext): ChangeTarget {
  return { context, id: idOf(request, trunkResource, context), expectedRevision: revisionOf(request, trunkResource) };
}

/** `{"sub_ports": […]}` and nothing else. */
function subportsOf(body: unknown, schema: typeof leavingSubportsSchema) {
  if (typeof body !== "object" || body === null || Array.isArray(body) || !Object.hasOwn(body, "sub_ports")) {
    throw new ApiFault("HTTPBadRequest", "Unable to find 'sub_ports' in request body.");
  }
  const other = Object.keys(body).find((key) => key !== "sub_ports");
  if (other !== undefined) throw new ApiFault("HTTPBadRequest", `Unrecognized attribute(s) ${quoted(other)}.`);
  // The cast: the key was looked for.
  const parsed = schema.safeParse((body as { readonly sub_ports: unknown }).sub_ports);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ApiFault("HTTPBadRequest", `Invalid input for sub_ports. Reason: ${issue?.message ?? "it is not accepted."}`);
}
