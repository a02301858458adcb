// Routers as the API shows them.
import type { Kysely, Selectable } from "kysely";
import { readBelonging } from "../store/belonging.ts";
import { inChunks, type RouterRow } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import type { ConntrackHelpersTable } from "../store/schema-kept.ts";
import { common } from "./present.ts";
import type { Attributes } from "./resource-service.ts";
import { readRouterPorts, type RouterPort } from "./router-rows.ts";

type ConntrackHelperRow = Selectable<ConntrackHelpersTable>;

export async function presentRouters(db: Kysely<Database>, rows: readonly RouterRow[]): Promise<readonly Attributes[]> {
  const ids = rows.map((row) => row.id);
  const ports = await readRouterPorts(db, ids);
  const zones = await inChunks(ids, (piece) =>
    db
      .selectFrom("router_l3_agents")
      .innerJoin("agents", "agents.id", "router_l3_agents.agent_id")
      .select(["router_id", "availability_zone"])
      .where("router_id", "in", piece)
      .execute(),
  );
  const helpersOf = await readBelonging(db, "conntrack_helpers", { owner: "router_id", ids });
  const zonesOf = Map.groupBy(zones, (zone) => zone.router_id);
  return rows.map((row) => {
    const names = (zonesOf.get(row.id) ?? []).map((zone) => zone.availability_zone);
    const gateway = ports.get(row.id)?.find((port) => port.kind === "gateway");
    return presentRouter(row, { gateway, zones: [...new Set(names)].sort(), helpers: helpersOf.get(row.id) ?? [] });
  });
}

interface RouterSurroundings {
  readonly gateway: RouterPort | undefined;
  readonly zones: readonly string[];
  readonly helpers: readonly Pick<ConntrackHelperRow, "protocol" | "port" | "helper">[];
}

/** What routers of other servers have, see types/resources/router-extras.ts. */
const nothingSpecial: Attributes = {
  flavor_id: null,
  service_type_id: null,
  enable_default_route_ecmp: false,
  enable_default_route_bfd: false,
  enable_ndp_proxy: false,
  evpn_vni: null,
};

function presentRouter(row: RouterRow, { gateway, zones, helpers }: RouterSurroundings): Attributes {
  const outside = gateway === undefined ? null : presentGateway(row, gateway);
  return {
    ...common(row),
    admin_state_up: row.admin_state_up === 1,
    status: row.status,
    status_reason: row.status_reason,
    external_gateway_info: outside,
    external_gateways: outside === null ? [] : [outside],
    conntrack_helpers: helpers.map(({ protocol, port, helper }) => ({ protocol, port, helper })),
    ...nothingSpecial,
    enable_snat: row.enable_snat === 1,
    routes: JSON.parse(row.routes),
    ha: row.ha === 1,
    distributed: false,
    availability_zone_hints: JSON.parse(row.availability_zone_hints),
    availability_zones: zones,
  };
}

function presentGateway(row: RouterRow, gateway: RouterPort): Attributes {
  return {
    network_id: gateway.row.network_id,
    enable_snat: row.enable_snat === 1,
    qos_policy_id: row.qos_policy_id,
    external_fixed_ips: gateway.fixedIps.map(({ subnet_id, ip_address }) => ({ subnet_id, ip_address })),
  };
}
