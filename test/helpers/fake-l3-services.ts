// Routers and their agents as the API sees them, with no rules behind: calls are kept, answers are what they were told to be.
import type { L3AgentService } from "../../src/server/services/l3-agent-service-types.ts";
import type { RouterService } from "../../src/server/services/router-service-types.ts";
import { FakeResourceService } from "./fake-resource-service.ts";

export type FakeRouterService = FakeResourceService & RouterService & { readonly actions: unknown[] };

export function fakeRouterService(): FakeRouterService {
  const actions: unknown[] = [];
  const answer =
    (name: string) =>
    async (action: unknown, wish: unknown): Promise<{ readonly id: string }> => {
      actions.push([name, action, wish]);
      return { id: "the router" };
    };
  return Object.assign(new FakeResourceService(), {
    actions,
    addInterface: answer("addInterface"),
    removeInterface: answer("removeInterface"),
    addRoutes: answer("addRoutes"),
    removeRoutes: answer("removeRoutes"),
  });
}

/** Everything is hosted by everybody. */
export const fakeL3Agents: L3AgentService = {
  listRouters: async () => [],
  addRouter: async () => {},
  removeRouter: async () => {},
  listForRouter: async () => [],
};
