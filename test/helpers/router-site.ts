// A small site for tests of routers: an external network, tenants' networks, routers between them, and shorthands for what
// clients do with them. On the services themselves, so that it works over every database and every rig.
import type { Attributes, RequestContext, ResourceService } from "../../src/server/services/resource-service.ts";
import type { InterfaceRequest, RouterService } from "../../src/server/services/router-service-types.ts";
import { admin, createOne, idOf } from "./network-services.ts";

export interface SiteServices {
  readonly networks: ResourceService;
  readonly subnets: ResourceService;
  readonly ports: ResourceService;
  readonly routers: RouterService;
  readonly floatingIps: ResourceService;
  readonly portForwardings: (floatingIpId: string) => ResourceService;
}

export interface SiteNetwork {
  readonly networkId: string;
  readonly subnetId: string;
}

/** The project of the tenant in these tests; the external network is the operators'. */
export const tenantProject = "blue";

export class RouterSite {
  readonly services: SiteServices;
  readonly context: RequestContext;

  /** @param context who does what is not the operators' part */
  constructor(services: SiteServices, context: RequestContext = { ...admin, projectId: tenantProject }) {
    this.services = services;
    this.context = context;
  }

  async external(subnet: Attributes = {}, network: Attributes = {}): Promise<SiteNetwork> {
    const body = { "router:external": true, ...network };
    const networkId = idOf(await createOne(this.services.networks, body));
    const addresses = { cidr: "203.0.113.0/24", enable_dhcp: false, ...subnet };
    return { networkId, subnetId: await this.subnet(networkId, addresses, admin) };
  }

  async internal(cidr = "10.0.0.0/24", network: Attributes = {}): Promise<SiteNetwork> {
    const networkId = idOf(await createOne(this.services.networks, network, this.context));
    return { networkId, subnetId: await this.subnet(networkId, { cidr }) };
  }

  async subnet(networkId: string, body: Attributes, context = this.context): Promise<string> {
    const version = String(body["cidr"]).includes(":") ? 6 : 4;
    return idOf(await createOne(this.services.subnets, { network_id: networkId, ip_version: version, ...body }, context));
  }

  async router(body: Attributes = {}): Promise<string> {
    return idOf(await createOne(this.services.routers, body, this.context));
  }

  showRouter(id: string): Promise<Attributes> {
    return this.services.routers.show(admin, id);
  }

  add(id: string, request: InterfaceRequest, context = this.context): Promise<Attributes> {
    return this.services.routers.addInterface({ context, id }, request);
  }

  remove(id: string, request: InterfaceRequest, context = this.context): Promise<Attributes> {
    return this.services.routers.removeInterface({ context, id }, request);
  }

  setGateway(id: string, info: Attributes | null, context: RequestContext = admin): Promise<Attributes> {
    return this.services.routers.update(context, id, { external_gateway_info: info });
  }

  port(networkId: string, body: Attributes = {}): Promise<Attributes> {
    return createOne(this.services.ports, { network_id: networkId, ...body }, this.context);
  }

  async portId(networkId: string, body: Attributes = {}): Promise<string> {
    return idOf(await this.port(networkId, body));
  }

  floatingIp(networkId: string, body: Attributes = {}, context = this.context): Promise<Attributes> {
    return createOne(this.services.floatingIps, { floating_network_id: networkId, ...body }, context);
  }

  forward(floatingIpId: string, body: Attributes): Promise<Attributes> {
    return createOne(this.services.portForwardings(floatingIpId), { protocol: "tcp", ...body }, this.context);
  }

  /** External network, one internal network, and a router between them. */
  async joined(router: Attributes = {}): Promise<Joined> {
    const outside = await this.external();
    const inside = await this.internal();
    const routerId = await this.router({ external_gateway_info: { network_id: outside.networkId }, ...router });
    await this.add(routerId, { subnetId: inside.subnetId });
    return { outside, inside, routerId };
  }
}

export interface Joined {
  readonly outside: SiteNetwork;
  readonly inside: SiteNetwork;
  readonly routerId: string;
}
