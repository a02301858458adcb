// Answers a server that asks how each router of this host is: for the agents of routers and of floating IPs.
import { NetloomError } from "../base/errors.ts";
import type { Bus, BusSubscription } from "../messaging/bus.ts";
import { agentQueue, askSubject } from "../messaging/subjects.ts";
import { type RouterAgentState, type RouterState, routerStateRequestSchema } from "../types/agent-state.ts";

export interface RouterStatesParts {
  readonly bus: Bus;
  readonly role: "l3" | "fip";
  readonly host: string;
  readonly readPhase: () => string;
  readonly readRouters: () => readonly RouterState[];
}

/** Far below what a message may have: a page of the longest reasons is some 300 kB. */
const pageRouters = 500;
const longestReason = 500;

/** Serves until what it answers is closed. */
export function serveRouterStates({ bus, role, host, readPhase, readRouters }: RouterStatesParts): BusSubscription {
  return bus.serve(askSubject(role, "state", host), agentQueue, async ({ data }): Promise<RouterAgentState> => {
    const request = routerStateRequestSchema.safeParse(data);
    if (!request.success) throw new NetloomError("INVALID", "the question is not understood");
    const { after = "" } = request.data;
    const rest = readRouters()
      .filter(({ routerId }) => routerId > after)
      .toSorted((one, other) => (one.routerId < other.routerId ? -1 : 1));
    const routers = rest
      .slice(0, pageRouters)
      .map((state) => ({ ...state, reason: state.reason?.slice(0, longestReason) ?? null }));
    return { host, phase: readPhase(), routers, hasMore: rest.length > routers.length };
  });
}
