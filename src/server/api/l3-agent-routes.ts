// Which agents host which routers: sub-collections of agents and of routers. All of it is for administrators.
import type { FastifyInstance } from "fastify";
import { agentResource } from "../../types/resources/agents.ts";
import { routerResource } from "../../types/resources/routers.ts";
import type { L3AgentService } from "../services/l3-agent-service-types.ts";
import { AnswerView } from "./answer-view.ts";
import { bareIdOf } from "./bare-body.ts";
import { idOf, queryOf } from "./collection-routes.ts";
import { parseFields } from "./list-request.ts";
import { notFound, parseId } from "./object-id.ts";
import { described, oneId, someObjects } from "./operation.ts";
import { scoped } from "./request-scope.ts";

export function registerL3AgentRoutes(app: FastifyInstance, agents: L3AgentService): void {
  const routerView = new AnswerView(routerResource);
  const agentView = new AnswerView(agentResource);

  app.get(
    "/v2.0/agents/:id/l3-routers",
    described("List the routers of an L3 agent", { answer: someObjects("routers") }),
    scoped(async (request, _reply, context) => {
      const routers = await agents.listRouters(context, idOf(request, agentResource, context));
      return { routers: routerView.many(routers, context, parseFields(queryOf(request))) };
    }),
  );
  app.post(
    "/v2.0/agents/:id/l3-routers",
    described("Give a router to an L3 agent", { request: oneId("router_id"), answer: { type: "null" }, status: 201 }),
    scoped(async (request, reply, context) => {
      const agentId = idOf(request, agentResource, context);
      await agents.addRouter(context, agentId, bareIdOf(request.body, "router_id"));
      return reply.code(201).type("application/json").send("null");
    }),
  );
  app.delete(
    "/v2.0/agents/:id/l3-routers/:routerId",
    described("Take a router from an L3 agent", { status: 204 }),
    scoped(async (request, reply, context) => {
      const agentId = idOf(request, agentResource, context);
      const { routerId } = request.params as { readonly routerId: string };
      await agents.removeRouter(context, agentId, parseId(routerResource, routerId));
      return reply.code(204).send();
    }),
  );
  app.get(
    "/v2.0/routers/:id/l3-agents",
    described("List the L3 agents of a router", { answer: someObjects("agents") }),
    scoped(async (request, _reply, context) => {
      const { id } = request.params as { readonly id: string };
      if (!context.isAdmin) throw notFound(routerResource, id);
      const hosting = await agents.listForRouter(context, parseId(routerResource, id));
      const fields = parseFields(queryOf(request));
      return {
        agents: hosting.map((agent) => {
          const shown = agentView.one(agent, context, fields);
          // Beside the attributes of an agent: what it is to this router.
          return fields === undefined || fields.includes("ha_state") ? { ...shown, ha_state: agent["ha_state"] } : shown;
        }),
      };
    }),
  );
}
