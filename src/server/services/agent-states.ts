// How each network of an agent is: only the agent knows, so it is asked. What comes of it is an answer or a clear word on why
// there is none.
import type { NetworkId } from "../../model/ids.ts";
import type { AgentState, NetworkState } from "../../types/agent-state.ts";
import { ApiFault } from "../../types/api-faults.ts";
import type { AgentRow } from "../store/agent-rows.ts";
import type { Attributes } from "./resource-service.ts";

export type AskFailure = "absent" | "silent" | "disconnected" | "forbidden" | "confused";

/** One page. What is not a failure of the asking rejects. */
export type AskAgent = (host: string, page: { readonly after?: NetworkId }) => Promise<AgentState | AskFailure>;

/** An agent that goes on for ever must not hold the request. */
const mostPages = 200;

export async function readAgentStates(ask: AskAgent, agent: AgentRow): Promise<Attributes> {
  const { id, host } = agent;
  if (agent.role !== "dhcp") {
    throw new ApiFault("HTTPNotFound", `Agent ${id} is no DHCP agent (${agent.agent_type}): it has no status of networks.`);
  }
  const networks: NetworkState[] = [];
  for (let pages = 1; ; pages += 1) {
    const after = networks.at(-1)?.networkId;
    const page = await ask(host, after === undefined ? {} : { after });
    if (typeof page === "string") throw unanswered(page, agent);
    networks.push(...page.networks);
    if (page.hasMore && page.networks.length > 0 && pages < mostPages) continue;
    return { agent_id: id, host, phase: page.phase, networks: networks.map(present) };
  }
}

const present = (state: NetworkState): Attributes => ({
  network_id: state.networkId,
  state: state.state,
  reason: state.reason,
  ports: state.ports,
  outcome: state.outcome,
  last_reconcile_at: state.lastReconcileAt,
  last_reconcile_ms: state.lastReconcileMs,
});

function unanswered(failure: AskFailure, { id, host, heartbeat_at }: AgentRow): ApiFault {
  const reasons: Readonly<Record<AskFailure, string>> = {
    absent: `it is not connected to NATS, its last heartbeat was at ${heartbeat_at}`,
    silent: `it does not answer in time, its last heartbeat was at ${heartbeat_at}`,
    disconnected: "this server is not connected to NATS",
    forbidden: "NATS does not let this server publish to nl.ask.>",
    confused: "its answer is not understood",
  };
  return new ApiFault("ServiceUnavailable", `Agent ${id} on host ${host} cannot be asked: ${reasons[failure]}.`);
}
