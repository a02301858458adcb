// How each network of a DHCP agent, or each router of the others, is: only the agent knows, so it is asked. What comes of it is
// an answer or a clear word on why there is none.
import type { AgentState, NetworkState, RouterAgentState, RouterState } from "../../types/agent-state.ts";
import { ApiFault } from "../../types/api-faults.ts";
import type { AgentRow } from "../store/agent-rows.ts";
import type { Attributes } from "./resource-service.ts";

export type AskFailure = "absent" | "silent" | "disconnected" | "forbidden" | "confused";

export interface AskedAgent {
  readonly role: "dhcp" | "l3" | "fip";
  readonly host: string;
}

/** One page, after the network or router of that id. What is not a failure of the asking rejects. */
export type AskAgent = (
  agent: AskedAgent,
  page: { readonly after?: string },
) => Promise<AgentState | RouterAgentState | AskFailure>;

/** An agent that goes on for ever must not hold the request. */
const mostPages = 200;

export async function readAgentStates(ask: AskAgent, agent: AgentRow): Promise<Attributes> {
  const { id, host, role } = agent;
  if (role !== "dhcp" && role !== "l3" && role !== "fip") {
    throw new ApiFault("HTTPNotFound", `Agent ${id} (${agent.agent_type}) has no status of networks or routers.`);
  }
  const items: Attributes[] = [];
  let after: string | undefined;
  for (let pages = 1; ; pages += 1) {
    const page = await ask({ role, host }, after === undefined ? {} : { after });
    if (typeof page === "string") throw unanswered(page, agent);
    const isOfNetworks = "networks" in page;
    items.push(...(isOfNetworks ? page.networks.map(presentNetwork) : page.routers.map(presentRouter)));
    const last = isOfNetworks ? page.networks.at(-1)?.networkId : page.routers.at(-1)?.routerId;
    if (page.hasMore && last !== undefined && pages < mostPages) {
      after = last;
      continue;
    }
    return { agent_id: id, host, phase: page.phase, [isOfNetworks ? "networks" : "routers"]: items };
  }
}

const presentNetwork = (state: NetworkState): Attributes => ({
  network_id: state.networkId,
  state: state.state,
  reason: state.reason,
  ports: state.ports,
  outcome: state.outcome,
  last_reconcile_at: state.lastReconcileAt,
  last_reconcile_ms: state.lastReconcileMs,
});

const presentRouter = (state: RouterState): Attributes => ({
  router_id: state.routerId,
  state: state.state,
  reason: state.reason,
  ...(state.addresses === null ? {} : { floating_ips: state.addresses }),
  ...(state.outcome === null ? {} : { outcome: state.outcome }),
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
