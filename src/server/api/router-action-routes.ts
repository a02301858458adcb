// What can be done with a router beside changing its attributes: PUT /v2.0/routers/<id>/<action>.
import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiFault } from "../../types/api-faults.ts";
import { routerResource, routesSchema } from "../../types/resources/routers.ts";
import type { RequestContext } from "../services/resource-service.ts";
import type { InterfaceRequest, RouterAction, RouterService, RouteRequest } from "../services/router-service-types.ts";
import { AnswerView } from "./answer-view.ts";
import { bareIdsOf } from "./bare-body.ts";
import { openUpdateEnvelope } from "./body-envelope.ts";
import { idOf, revisionOf } from "./collection-routes.ts";
import { described } from "./operation.ts";
import { scoped } from "./request-scope.ts";

const id = { type: "string", format: "uuid" } as const;
const interfaceSchema = { type: "object", properties: { subnet_id: id, port_id: id }, additionalProperties: false } as const;

export function registerRouterActions(app: FastifyInstance, routers: RouterService): void {
  const view = new AnswerView(routerResource);
  for (const verb of ["add", "remove"] as const) {
    app.put(
      `/v2.0/routers/:id/${verb}_router_interface`,
      described(`${verb === "add" ? "Add an interface to" : "Remove an interface from"} a router, by its subnet or its port`, {
        request: interfaceSchema,
      }),
      scoped(async (request, _reply, context) => {
        const action = actionOf(request, context);
        const wish = interfaceOf(request.body);
        return verb === "add" ? routers.addInterface(action, wish) : routers.removeInterface(action, wish);
      }),
    );
    app.put(
      `/v2.0/routers/:id/${verb}_extraroutes`,
      described(`${verb === "add" ? "Add routes to" : "Remove routes from"} those of a router`, {
        request: { type: "object" },
      }),
      scoped(async (request, _reply, context) => {
        const action = actionOf(request, context);
        const routes = routesOf(request.body);
        const router = await (verb === "add" ? routers.addRoutes(action, routes) : routers.removeRoutes(action, routes));
        return { router: view.one(router, context) };
      }),
    );
  }
}

function actionOf(request: FastifyRequest, context: RequestContext): RouterAction {
  return { context, id: idOf(request, routerResource, context), expectedRevision: revisionOf(request, routerResource) };
}

function interfaceOf(body: unknown): InterfaceRequest {
  const { subnet_id: subnetId, port_id: portId } = bareIdsOf(body, ["subnet_id", "port_id"]);
  return { subnetId, portId };
}

/** `{"router": {"routes": […]}}` */
function routesOf(body: unknown): readonly RouteRequest[] {
  const router = openUpdateEnvelope(routerResource, body);
  if (typeof router !== "object" || router === null || !Object.hasOwn(router, "routes") || Object.keys(router).length !== 1) {
    throw new ApiFault("HTTPBadRequest", "Invalid input for router. Reason: it takes 'routes' and nothing else.");
  }
  const routes = routesSchema.safeParse((router as { readonly routes: unknown }).routes);
  if (routes.success) return routes.data;
  const [issue] = routes.error.issues;
  throw new ApiFault("HTTPBadRequest", `Invalid input for routes. Reason: ${issue?.message ?? "it is not accepted."}`);
}
