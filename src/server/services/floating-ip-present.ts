// Floating IPs and port forwardings as the API shows them.
import type { Kysely } from "kysely";
import { readBelonging } from "../store/belonging.ts";
import { type FloatingIpRow, inChunks, type PortForwardingRow, type PortRow } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import type { Attributes } from "./resource-service.ts";

export async function presentFloatingIps(db: Kysely<Database>, rows: readonly FloatingIpRow[]): Promise<readonly Attributes[]> {
  const ids = rows.map((row) => row.id);
  const forwardingsOf = await readBelonging(db, "port_forwardings", { owner: "floatingip_id", ids });
  const ports = await inChunks(
    rows.flatMap((row) => row.fixed_port_id ?? []),
    (piece) => db.selectFrom("ports").selectAll().where("id", "in", piece).execute(),
  );
  const networks = await inChunks([...new Set(rows.map((row) => row.floating_network_id))], (piece) =>
    db.selectFrom("networks").select(["id", "qos_policy_id"]).where("id", "in", piece).execute(),
  );
  const policyOf = new Map(networks.map((network) => [network.id, network.qos_policy_id]));
  const byId = new Map(ports.map((port) => [port.id, port]));
  return rows.map((row) => ({
    ...present(row, byId.get(row.fixed_port_id ?? ""), forwardingsOf.get(row.id) ?? []),
    qos_policy_id: row.qos_policy_id,
    qos_network_policy_id: policyOf.get(row.floating_network_id) ?? null,
    distributed: false,
  }));
}

function present(row: FloatingIpRow, port: PortRow | undefined, forwardings: readonly PortForwardingRow[]): Attributes {
  return {
    id: row.id,
    project_id: row.project_id,
    tenant_id: row.project_id,
    description: row.description,
    floating_network_id: row.floating_network_id,
    floating_ip_address: row.floating_ip_address,
    port_id: row.fixed_port_id,
    fixed_ip_address: row.fixed_ip_address,
    router_id: row.router_id,
    port_details: port === undefined ? null : presentDetails(port),
    port_forwardings: forwardings.map(presentInShort),
    status: row.status,
    status_reason: row.status_reason,
    dns_name: row.dns_name,
    dns_domain: row.dns_domain,
    revision_number: row.revision_number,
    created_at: row.created_at,
    updated_at: row.updated_at,
    tags: JSON.parse(row.tags),
  };
}

function presentDetails(port: PortRow): Attributes {
  return {
    name: port.name,
    network_id: port.network_id,
    mac_address: port.mac_address,
    admin_state_up: port.admin_state_up === 1,
    status: port.status,
    device_id: port.device_id,
    device_owner: port.device_owner,
  };
}

/** A range of one port is also shown as a port; one of several only as a range. */
function presentPorts(row: PortForwardingRow): Attributes {
  const { internal_first, internal_last, external_first, external_last } = row;
  const range = (first: number | null, last: number | null) => (first === null ? null : `${first}:${last}`);
  const single = (first: number | null, last: number | null) => (first === last ? first : null);
  return {
    internal_port: single(internal_first, internal_last),
    internal_port_range: range(internal_first, internal_last),
    external_port: single(external_first, external_last),
    external_port_range: range(external_first, external_last),
  };
}

function presentInShort(row: PortForwardingRow): Attributes {
  const { id, protocol, internal_port_id, internal_ip_address } = row;
  return { id, protocol, internal_port_id, internal_ip_address, ...presentPorts(row) };
}

export function presentForwarding(row: PortForwardingRow): Attributes {
  return {
    id: row.id,
    protocol: row.protocol,
    internal_port_id: row.internal_port_id,
    internal_ip_address: row.internal_ip_address,
    ...presentPorts(row),
    description: row.description,
  };
}
