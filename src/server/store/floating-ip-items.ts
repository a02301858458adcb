// Floating IPs and port forwardings as stream items.
import type { Kysely } from "kysely";
import { floatingIpId, networkId, portId, routerId } from "../../model/ids.ts";
import type { PortForwarding, PortRange } from "../../model/router.ts";
import type { FloatingIpItem } from "../../types/l3-messages.ts";
import { type FloatingIpRow, inChunks, type PortForwardingRow } from "./rows.ts";
import type { Database } from "./schema.ts";

type Upsert = Extract<FloatingIpItem, { op: "upsert" }>;

/** @param gatewayPorts by router. Nothing for one that no router serves. */
export function floatingIpItem(row: FloatingIpRow, gatewayPorts: ReadonlyMap<string, string>): readonly Upsert[] {
  const gatewayPort = gatewayPorts.get(row.router_id ?? "");
  if (row.router_id === null || gatewayPort === undefined) return [];
  const body = {
    id: floatingIpId(row.id),
    projectId: row.project_id,
    floatingIp: row.floating_ip_address,
    fixedIp: row.fixed_ip_address,
    portId: row.fixed_port_id === null ? null : portId(row.fixed_port_id),
    routerId: routerId(row.router_id),
    gatewayPortId: portId(gatewayPort),
    networkId: networkId(row.floating_network_id),
    revision: row.revision_number,
  };
  return [{ op: "upsert", kind: "floating-ip", id: row.id, routerId: body.routerId, revision: body.revision, body }];
}

export function portForwardingItem(row: PortForwardingRow, floating: FloatingIpRow): readonly Upsert[] {
  if (floating.router_id === null) return [];
  const body: PortForwarding = {
    id: row.id,
    floatingIpId: floatingIpId(floating.id),
    floatingIp: floating.floating_ip_address,
    routerId: routerId(floating.router_id),
    // The cast: the declaration lets no other protocol in.
    protocol: row.protocol as PortForwarding["protocol"],
    externalPorts: rangeOf(row.external_first, row.external_last),
    internalPorts: rangeOf(row.internal_first, row.internal_last),
    internalIp: row.internal_ip_address,
    internalPortId: portId(row.internal_port_id),
    revision: row.revision_number,
  };
  return [{ op: "upsert", kind: "port-forwarding", id: row.id, routerId: body.routerId, revision: body.revision, body }];
}

export const rangeOf = (first: number | null, last: number | null): PortRange | null =>
  first === null || last === null ? null : { first, last };

/** @param revision newer than all that was said of it before. */
export function goneItem(
  kind: FloatingIpItem["kind"],
  { id, router, revision }: { readonly id: string; readonly router: string; readonly revision: number },
): FloatingIpItem {
  return { op: "delete", kind, id, routerId: routerId(router), revision };
}

/** Everything that the routers' floating-IP agents must know, by router and id; each floating IP before its forwardings. */
export async function readFloatingIpItems(db: Kysely<Database>, routerIds: readonly string[]): Promise<readonly Upsert[]> {
  const rows = await inChunks(routerIds, (piece) =>
    db.selectFrom("floating_ips").selectAll().where("router_id", "in", piece).orderBy("router_id").orderBy("id").execute(),
  );
  return toFloatingIpItems(db, rows);
}

export async function toFloatingIpItems(db: Kysely<Database>, rows: readonly FloatingIpRow[]): Promise<readonly Upsert[]> {
  const gateways = await readGatewayPorts(
    db,
    rows.flatMap((row) => row.router_id ?? []),
  );
  const forwardings = await inChunks(
    rows.map((row) => row.id),
    (piece) => db.selectFrom("port_forwardings").selectAll().where("floatingip_id", "in", piece).orderBy("id").execute(),
  );
  const byFloatingIp = Map.groupBy(forwardings, (forwarding) => forwarding.floatingip_id);
  return rows.flatMap((row) => {
    const own = floatingIpItem(row, gateways);
    return own.length === 0 ? [] : [...own, ...(byFloatingIp.get(row.id) ?? []).flatMap((one) => portForwardingItem(one, row))];
  });
}

export async function readGatewayPorts(
  db: Kysely<Database>,
  routerIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const rows = await inChunks([...new Set(routerIds)], (piece) =>
    db
      .selectFrom("router_ports")
      .select(["router_id", "port_id"])
      .where("router_id", "in", piece)
      .where("kind", "=", "gateway")
      .execute(),
  );
  return new Map(rows.map((row) => [row.router_id, row.port_id]));
}
