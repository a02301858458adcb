// Which agent hosts which network, and how it is there: below agents and networks. All of it is for administrators.
import type { FastifyInstance, FastifyRequest } from "fastify";
import { agentResource } from "../../types/resources/agents.ts";
import { networkResource } from "../../types/resources/networks.ts";
import type { AgentService } from "../services/agent-admin-service-types.ts";
import type { RequestContext } from "../services/resource-service.ts";
import { AnswerView } from "./answer-view.ts";
import { bareIdOf } from "./bare-body.ts";
import { idOf, queryOf } from "./collection-routes.ts";
import { parseFields } from "./list-request.ts";
import { notFound, parseId } from "./object-id.ts";
import { described, oneId, someObjects } from "./operation.ts";
import { scoped } from "./request-scope.ts";

export function registerAgentRoutes(app: FastifyInstance, agents: AgentService): void {
  const networkView = new AnswerView(networkResource);
  const agentView = new AnswerView(agentResource);

  app.get(
    "/v2.0/agents/:id/status",
    described("What the agent says of each of its networks or routers now"),
    scoped(async (request, _reply, context) => ({
      status: await agents.status(context, idOf(request, agentResource, context)),
    })),
  );
  app.get(
    "/v2.0/agents/:id/dhcp-networks",
    described("List the networks of a DHCP agent", { answer: someObjects("networks") }),
    scoped(async (request, _reply, context) => {
      const networks = await agents.listNetworks(context, idOf(request, agentResource, context));
      return { networks: networkView.many(networks, context, parseFields(queryOf(request))) };
    }),
  );
  app.post(
    "/v2.0/agents/:id/dhcp-networks",
    described("Give a network to a DHCP agent", { request: oneId("network_id"), answer: { type: "null" }, status: 201 }),
    scoped(async (request, reply, context) => {
      const agentId = idOf(request, agentResource, context);
      await agents.addNetwork(context, agentId, bareIdOf(request.body, "network_id"));
      return reply.code(201).type("application/json").send("null");
    }),
  );
  app.delete(
    "/v2.0/agents/:id/dhcp-networks/:networkId",
    described("Take a network from a DHCP agent", { status: 204 }),
    scoped(async (request, reply, context) => {
      const agentId = idOf(request, agentResource, context);
      const { networkId } = request.params as { readonly networkId: string };
      await agents.removeNetwork(context, agentId, parseId(networkResource, networkId));
      return reply.code(204).send();
    }),
  );
  app.get(
    "/v2.0/networks/:id/dhcp-agents",
    described("List the DHCP agents of a network", { answer: someObjects("agents") }),
    scoped(async (request, _reply, context) => {
      const hosting = await agents.listForNetwork(context, hiddenNetworkId(request, context));
      return { agents: agentView.many(hosting, context, parseFields(queryOf(request))) };
    }),
  );
}

function hiddenNetworkId(request: FastifyRequest, context: RequestContext): string {
  const { id } = request.params as { readonly id: string };
  if (!context.isAdmin) throw notFound(networkResource, id);
  return parseId(networkResource, id);
}
