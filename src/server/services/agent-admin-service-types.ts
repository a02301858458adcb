// The seam between the routes of agents and the use cases behind them.
import type { Attributes, RequestContext, ResourceReader } from "./resource-service.ts";

/** Agents register themselves, so there is no create. Only administrators get here. */
export interface AgentService extends ResourceReader {
  /** `changes`: `admin_state_up`, `description`. Throws AgentNotFound. */
  update(context: RequestContext, id: string, changes: Attributes): Promise<Attributes>;
  /** Throws AgentNotFound. A living agent registers again with its next heartbeat. */
  remove(context: RequestContext, id: string): Promise<void>;
  /**
   * How each of its networks is, by the agent's own word. Throws AgentNotFound, HTTPNotFound for an agent without networks, and
   * ServiceUnavailable with the reason when the agent cannot be asked.
   */
  status(context: RequestContext, id: string): Promise<Attributes>;
  /** Networks that the agent hosts, with every attribute of a network. Throws AgentNotFound. */
  listNetworks(context: RequestContext, agentId: string): Promise<readonly Attributes[]>;
  /** Throws InvalidDHCPAgent, NetworkNotFound or NetworkHostedByDHCPAgent. */
  addNetwork(context: RequestContext, agentId: string, networkId: string): Promise<void>;
  /** Throws InvalidDHCPAgent or NetworkNotHostedByDhcpAgent. */
  removeNetwork(context: RequestContext, agentId: string, networkId: string): Promise<void>;
  /** Agents that host the network, with every attribute of an agent. Throws NetworkNotFound. */
  listForNetwork(context: RequestContext, networkId: string): Promise<readonly Attributes[]>;
}
