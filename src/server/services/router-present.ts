// Routers as the API shows them.
import type { Kysely } from "kysely";
import { inChunks, type RouterRow } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import { common } from "./present.ts";
import type { Attributes } from "./resource-service.ts";
import { readRouterPorts, type RouterPort } from "./router-rows.ts";

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
  const zonesOf = Map.groupBy(zones, (zone) => zone.router_id);
  return rows.map((row) => {
    const names = (zonesOf.get(row.id) ?? []).map((zone) => zone.availability_zone);
    const gateway = ports.get(row.id)?.find((port) => port.kind === "gateway");
    return presentRouter(row, { gateway, zones: [...new Set(names)].sort() });
  });
}

function presentRouter(
  row: RouterRow,
  { gateway, zones }: { readonly gateway: RouterPort | undefined; readonly zones: readonly string[] },
): Attributes {
  return {
    ...common(row),
    admin_state_up: row.admin_state_up === 1,
    status: row.status,
    status_reason: row.status_reason,
    external_gateway_info: gateway === undefined ? null : presentGateway(row, gateway),
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
    external_fixed_ips: gateway.fixedIps.map(({ subnet_id, ip_address }) => ({ subnet_id, ip_address })),
  };
}
