// Bindings of ports, for instances that move from host to host.
import type { FastifyRequest } from "fastify";
import { portBindingResource } from "../../types/resources/port-bindings.ts";
import { portResource } from "../../types/resources/ports.ts";
import { AnswerView } from "../api/answer-view.ts";
import type { ApiPart } from "../api/api-part.ts";
import { registerSubCollection } from "../api/collection-routes.ts";
import { extension } from "../api/extensions.ts";
import { parseId } from "../api/object-id.ts";
import { described } from "../api/operation.ts";
import { scoped } from "../api/request-scope.ts";
import { PortBindings } from "../services/port-binding-service.ts";
import type { ServiceDeps } from "../services/service-deps.ts";

export function portBindingPart(deps: ServiceDeps): ApiPart {
  const view = new AnswerView(portBindingResource);
  return {
    resources: [],
    extensions: [extension("binding-extended", "Bindings of ports", "A port can be prepared on a host before it moves there.")],
    register(app) {
      const serviceOf = (portId: string) => new PortBindings(deps, portId);
      registerSubCollection(app, { parent: portResource, resource: portBindingResource, serviceOf });
      app.put(
        "/v2.0/ports/:parentId/bindings/:id/activate",
        described("Move a port to the host of a binding"),
        scoped(async (request, _reply, context) => {
          const { parentId, id } = paramsOf(request);
          const binding = await serviceOf(parseId(portResource, parentId)).activate(context, parseId(portBindingResource, id));
          // Without an envelope, as clients expect.
          return view.one(binding, context);
        }, portBindingResource),
      );
    },
  };
}

/** The router gives every named part of the path as text. */
const paramsOf = (request: FastifyRequest): { readonly parentId: string; readonly id: string } =>
  request.params as { readonly parentId: string; readonly id: string };
