// The seam between the routes of L3 agent scheduling and the use cases behind them. Only administrators get here.
import type { Attributes, RequestContext } from "./resource-service.ts";

export interface L3AgentService {
  /** Routers that the agent hosts, with every attribute of a router. Throws AgentNotFound. */
  listRouters(context: RequestContext, agentId: string): Promise<readonly Attributes[]>;
  /** Nothing when it hosts the router already. Throws InvalidL3Agent, RouterNotFound, RouterL3AgentMismatch or RouterHostedByL3Agent. */
  addRouter(context: RequestContext, agentId: string, routerId: string): Promise<void>;
  /** Throws InvalidL3Agent or RouterNotHostedByL3Agent. */
  removeRouter(context: RequestContext, agentId: string, routerId: string): Promise<void>;
  /** Agents that host the router, with every attribute of an agent and `ha_state`. Throws RouterNotFound. */
  listForRouter(context: RequestContext, routerId: string): Promise<readonly Attributes[]>;
}
