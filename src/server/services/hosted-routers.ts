// Routers as what L3 agents are given, lose and take over.
import type { L3Scheduler } from "../scheduler/l3-scheduler.ts";
import type { Store } from "../store/database.ts";
import { unhostRouter } from "../store/router-hosting.ts";
import { lockRouterRows, readHostedRouterIds, readL3Candidates, readRouterBindings } from "../store/router-hosts.ts";
import { readUnhosted } from "../store/router-needs.ts";
import type { Placement } from "./agent-auto-schedule.ts";
import type { Hosted } from "./agent-failover.ts";

export function routerPlacement(store: Store, scheduler: L3Scheduler): Placement {
  return {
    role: "l3",
    readNeedy: (page) => readUnhosted(store.db, { wanted: 1, wantedHa: scheduler.agentsPerHaRouter, ...page }),
    async place(trx, ids) {
      for (const id of ids) await scheduler.scheduleRouter(trx, id);
    },
  };
}

export function hostedRouters(store: Store, scheduler: L3Scheduler): Hosted {
  return {
    job: "l3-failover",
    idField: "routerId",
    texts: {
      frozen: "too many agents are silent, routers stay where they are",
      thawed: "agents are back, routers are moved again",
      moved: "routers moved from a dead agent",
      notMoved: "router not moved from a dead agent",
    },
    readAgents: () => readL3Candidates(store.db),
    readIds: (agentId) => readHostedRouterIds(store.db, agentId),
    async lock(trx, routerId, agent) {
      await lockRouterRows(trx, [routerId]);
      return (await readRouterBindings(trx, routerId)).some(({ agentId }) => agentId === agent.id);
    },
    async move(trx, routerId, agent) {
      const successors = await scheduler.chooseSuccessors(trx, routerId, agent);
      // Nobody is served better by a router that nobody hosts.
      if (successors.length === 0) return false;
      await unhostRouter(trx, { routerId, agentId: agent.id }, scheduler.audience);
      await scheduler.host(trx, routerId, successors);
      return true;
    },
  };
}
