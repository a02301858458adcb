// Answers how each network of this host is: to servers over NATS, page by page, and to people on the agent's socket.
import type { NetworkCache } from "../cache/network-cache.ts";
import { NetloomError } from "../base/errors.ts";
import type { Bus, BusSubscription } from "../messaging/bus.ts";
import { agentQueue, askSubject } from "../messaging/subjects.ts";
import type { NetworkId } from "../model/ids.ts";
import { type AgentState, type NetworkState, stateRequestSchema } from "../types/agent-state.ts";
import type { NetworkStatus } from "./reconcile-journal.ts";

export interface AgentStateParts {
  readonly host: string;
  readonly readPhase: () => string;
  readonly cache: Pick<NetworkCache, "networkIds" | "view">;
  readonly statuses: ReadonlyMap<NetworkId, NetworkStatus>;
}

export interface StatePage {
  readonly after?: NetworkId | undefined;
  readonly limit: number;
}

/** Far below what a message may have: a page of the longest reasons is some 300 kB. */
const pageNetworks = 500;
const longestReason = 500;

export function readAgentState(parts: AgentStateParts, { after, limit }: StatePage): AgentState {
  const { host, readPhase, cache, statuses } = parts;
  const ids = [...new Set([...cache.networkIds(), ...statuses.keys()])].sort();
  const rest = after === undefined ? ids : ids.filter((id) => id > after);
  const networks = rest.slice(0, limit).map((id) => describe(id, statuses.get(id), cache));
  return { host, phase: readPhase(), networks, hasMore: rest.length > networks.length };
}

function describe(networkId: NetworkId, status: NetworkStatus | undefined, cache: AgentStateParts["cache"]): NetworkState {
  if (status === undefined) {
    const ports = cache.view(networkId)?.ports.length ?? 0;
    const nothing = { outcome: null, lastReconcileMs: null, lastReconcileAt: null };
    return { networkId, state: "waiting", reason: "it has not had its first turn", ports, ...nothing };
  }
  return { networkId, ...status, reason: status.reason === null ? null : status.reason.slice(0, longestReason) };
}

/** Serves until what it answers is closed. */
export function serveAgentState(bus: Bus, parts: AgentStateParts): BusSubscription {
  return bus.serve(askSubject("dhcp", "state", parts.host), agentQueue, async ({ data }) => {
    const request = stateRequestSchema.safeParse(data);
    if (!request.success) throw new NetloomError("INVALID", "the question is not understood");
    return readAgentState(parts, { after: request.data.after, limit: pageNetworks });
  });
}
