// Networks as what DHCP agents are given, lose and take over.
import type { DhcpScheduler } from "../scheduler/dhcp-scheduler.ts";
import { isBoundTo, readBoundNetworkIds, readDhcpCandidates } from "../store/agent-rows.ts";
import type { Store } from "../store/database.ts";
import { readUnderhosted } from "../store/network-needs.ts";
import { lockBindings } from "../store/outbox.ts";
import type { Placement } from "./agent-auto-schedule.ts";
import { unbindAgent } from "./agent-bindings.ts";
import type { Hosted } from "./agent-failover.ts";
import type { ServiceDeps } from "./service-deps.ts";

export function networkPlacement(store: Store, scheduler: DhcpScheduler): Placement {
  return {
    role: "dhcp",
    readNeedy: (page) => readUnderhosted(store.db, { wanted: scheduler.agentsPerNetwork, ...page }),
    place: (trx, ids) => scheduler.scheduleNetworks(trx, ids),
  };
}

export function hostedNetworks(services: ServiceDeps, scheduler: DhcpScheduler): Hosted {
  const { db } = services.store;
  return {
    job: "dhcp-failover",
    idField: "networkId",
    texts: {
      frozen: "too many agents are silent, networks stay where they are",
      thawed: "agents are back, networks are moved again",
      moved: "networks moved from a dead agent",
      notMoved: "network not moved from a dead agent",
    },
    readAgents: () => readDhcpCandidates(db),
    readIds: (agentId) => readBoundNetworkIds(db, agentId),
    async lock(trx, networkId, agent) {
      await lockBindings(trx, networkId, "exclusive");
      return isBoundTo(trx, networkId, agent.id);
    },
    async move(trx, networkId, agent) {
      const successors = await scheduler.chooseSuccessors(trx, networkId, agent);
      // Nobody is served better by a network that nobody hosts.
      if (successors.length === 0) return false;
      await unbindAgent(trx, services, { networkId, agent });
      await scheduler.bind(trx, networkId, successors);
      return true;
    },
  };
}
