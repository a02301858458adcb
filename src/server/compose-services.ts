// The use cases behind the API, joined.
import type { ApiServices } from "./api/api-deps.ts";
import type { DhcpScheduler } from "./scheduler/dhcp-scheduler.ts";
import type { L3Scheduler } from "./scheduler/l3-scheduler.ts";
import { AgentAdmin, type AgentAdminDeps } from "./services/agent-admin.ts";
import { AvailabilityZones } from "./services/availability-zones.ts";
import { createFloatingIpService } from "./services/floating-ip-service.ts";
import { L3AgentAdmin } from "./services/l3-agent-admin.ts";
import { LeaseService } from "./services/lease-service.ts";
import type { LivenessTable } from "./services/liveness.ts";
import { createNetworkService } from "./services/network-service.ts";
import { createPortForwardingService } from "./services/port-forwarding-service.ts";
import { createPortService } from "./services/port-service.ts";
import { createRouterService } from "./services/router-service.ts";
import type { ServiceDeps } from "./services/service-deps.ts";
import { createSubnetService } from "./services/subnet-service.ts";

export interface ServicesBase {
  readonly deps: ServiceDeps;
  readonly scheduler: DhcpScheduler;
  readonly l3: L3Scheduler;
  readonly liveness: LivenessTable;
  readonly control: AgentAdminDeps["control"];
  readonly ask: AgentAdminDeps["ask"];
}

export function composeServices({ deps, scheduler, l3, liveness, control, ask }: ServicesBase): ApiServices {
  const { store } = deps;
  const networks = createNetworkService(deps);
  const routers = createRouterService(deps);
  // Each needs the other: the one lists agents, the other says what becomes of their routers.
  const agents: AgentAdmin = new AgentAdmin({
    store,
    scheduler,
    liveness,
    networks,
    services: deps,
    control,
    ask,
    l3: () => l3Agents,
  });
  const l3Agents: L3AgentAdmin = new L3AgentAdmin({ store, scheduler: l3, routers, agents, services: deps });
  return {
    networks,
    subnets: createSubnetService(deps),
    ports: createPortService(deps),
    routers,
    floatingIps: createFloatingIpService(deps),
    portForwardings: (floatingIpId) => createPortForwardingService(deps, floatingIpId),
    agents,
    l3Agents,
    leases: new LeaseService(store),
    availabilityZones: new AvailabilityZones(store),
  };
}
