// The seam between the routes of routers and the use cases behind them.
import type { Attributes, RequestContext, ResourceService } from "./resource-service.ts";

/** As clients name an interface: by a subnet, by a port, or (to remove it) by both. */
export interface InterfaceRequest {
  readonly subnetId?: string | undefined;
  readonly portId?: string | undefined;
}

export interface RouteRequest {
  readonly destination: string;
  readonly nexthop: string;
}

/** A member action; `expectedRevision` from If-Match. */
export interface RouterAction {
  readonly context: RequestContext;
  readonly id: string;
  readonly expectedRevision?: number | undefined;
}

export interface RouterService extends ResourceService {
  /** Answers id, project_id, tenant_id, port_id, network_id, subnet_id and subnet_ids of the interface. */
  addInterface(action: RouterAction, request: InterfaceRequest): Promise<Attributes>;
  removeInterface(action: RouterAction, request: InterfaceRequest): Promise<Attributes>;
  /** Those that are there already stay; answers the router. */
  addRoutes(action: RouterAction, routes: readonly RouteRequest[]): Promise<Attributes>;
  /** Those that are not there are ignored; answers the router. */
  removeRoutes(action: RouterAction, routes: readonly RouteRequest[]): Promise<Attributes>;
}
