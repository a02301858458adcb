// What can only be looked at: how full networks are, where floating IPs come from, and the lists that are empty here.
import { sql, type SqlBool } from "kysely";
import type { ResourceDeclaration } from "../../types/resources/declaration.ts";
import { flavorResource, serviceProfileResource, serviceProviderResource } from "../../types/resources/flavors.ts";
import { floatingIpPoolResource } from "../../types/resources/floating-ip-pools.ts";
import { networkIpAvailabilityResource } from "../../types/resources/network-ip-availabilities.ts";
import type { ApiPart } from "../api/api-part.ts";
import { registerCollection } from "../api/collection-routes.ts";
import { extension } from "../api/extensions.ts";
import { IpAvailability } from "../services/ip-availability.ts";
import type { RequestContext, ResourceReader } from "../services/resource-service.ts";
import { missing, type ServiceDeps } from "../services/service-deps.ts";
import { type ReaderSpec, StandardReader } from "../services/standard-service.ts";
import { visibleNetworks } from "../services/visibility.ts";
import type { Condition } from "../store/list-rows.ts";
import type { SubnetRow } from "../store/rows.ts";

const empty = [serviceProviderResource, flavorResource, serviceProfileResource];

export function readOnlyPart({ store }: ServiceDeps): ApiPart {
  return {
    resources: [networkIpAvailabilityResource, floatingIpPoolResource, ...empty],
    extensions: [
      extension("network-ip-availability", "IP availability", "How full networks are."),
      extension("floatingip-pools", "Floating IP pools", "Subnets that floating IPs are taken from."),
    ],
    register(app) {
      registerCollection(app, networkIpAvailabilityResource, new IpAvailability(store));
      registerCollection(app, floatingIpPoolResource, new StandardReader(store, pools));
      for (const resource of empty) registerCollection(app, resource, emptyReader(resource));
    },
  };
}

function emptyReader(resource: ResourceDeclaration): ResourceReader {
  return {
    async list(_context, { marker }) {
      if (marker !== undefined) throw missing(resource, marker);
      return [];
    },
    async show(_context, id) {
      throw missing(resource, id);
    },
  };
}

const pools: ReaderSpec<SubnetRow> = {
  resource: floatingIpPoolResource,
  listed: {
    table: "subnets",
    columns: {
      id: "id",
      subnet_id: "id",
      subnet_name: "name",
      network_id: "network_id",
      cidr: "cidr",
      project_id: "project_id",
    },
    filters: {},
  },
  visible: poolsOf,
  present: async (_db, rows) =>
    rows.map(({ id, name, network_id, cidr, project_id }) => ({
      ...{ id, subnet_id: id, subnet_name: name },
      ...{ network_id, cidr, project_id },
    })),
};

/** IPv4 subnets of the external networks that the caller sees. */
function poolsOf(context: RequestContext): Condition {
  const visible = visibleNetworks(context);
  const networks = sql`select id from networks where is_external = 1${visible === undefined ? sql`` : sql` and ${visible}`}`;
  return sql<SqlBool>`(ip_version = 4 and network_id in (${networks}))`;
}
