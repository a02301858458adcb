// Rows → what agents are told. The only translation between the tables and the model.
import { networkId, portId, subnetId } from "../../model/ids.ts";
import type { ExtraDhcpOption, HostRoute, Ipv6Mode, Network, Port, Subnet } from "../../model/network.ts";
import type { StreamItem } from "../../types/agent-messages.ts";
import type { FixedIpRow, NetworkRow, PortRow, SubnetRow } from "./rows.ts";

// The casts in this file: columns whose values were checked on their way into the table.

export function networkModel(row: NetworkRow): Network {
  return {
    id: networkId(row.id),
    projectId: row.project_id,
    name: row.name,
    adminStateUp: row.admin_state_up === 1,
    mtuBytes: row.mtu,
    dnsDomain: row.dns_domain,
    revision: row.revision_number,
  };
}

export function subnetModel(row: SubnetRow): Subnet {
  return {
    id: subnetId(row.id),
    networkId: networkId(row.network_id),
    cidr: row.cidr,
    ipVersion: row.ip_version as 4 | 6,
    enableDhcp: row.enable_dhcp === 1,
    gatewayIp: row.gateway_ip,
    dnsNameservers: JSON.parse(row.dns_nameservers) as readonly string[],
    hostRoutes: JSON.parse(row.host_routes) as readonly HostRoute[],
    ipv6AddressMode: row.ipv6_address_mode as Ipv6Mode | null,
    ipv6RaMode: row.ipv6_ra_mode as Ipv6Mode | null,
    ...(row.segment_id === null ? {} : { segmentId: row.segment_id }),
    revision: row.revision_number,
  };
}

interface StoredDhcpOption {
  readonly opt_name: string;
  readonly opt_value: string;
  readonly ip_version: 4 | 6;
}

/** What a port's item is made of: half of the row. */
export const portItemColumns = [
  "id",
  "network_id",
  "project_id",
  "mac_address",
  "device_id",
  "device_owner",
  "admin_state_up",
  "extra_dhcp_opts",
  "dns_name",
  "binding_host_id",
  "revision_number",
] as const satisfies readonly (keyof PortRow)[];
export type PortItemRow = Pick<PortRow, (typeof portItemColumns)[number]>;

export const addressItemColumns = ["subnet_id", "ip_address", "position"] as const satisfies readonly (keyof FixedIpRow)[];
export type AddressItemRow = Pick<FixedIpRow, (typeof addressItemColumns)[number]>;

/** @param fixedIps of this port, in any order. */
export function portModel(row: PortItemRow, fixedIps: readonly AddressItemRow[]): Port {
  const ordered = fixedIps.length < 2 ? fixedIps : [...fixedIps].sort((a, b) => a.position - b.position);
  // Hardly any port has some.
  const options = row.extra_dhcp_opts === "[]" ? [] : (JSON.parse(row.extra_dhcp_opts) as readonly StoredDhcpOption[]);
  return {
    id: portId(row.id),
    networkId: networkId(row.network_id),
    projectId: row.project_id,
    macAddress: row.mac_address,
    deviceId: row.device_id,
    deviceOwner: row.device_owner,
    adminStateUp: row.admin_state_up === 1,
    fixedIps: ordered.map((ip) => ({ subnetId: subnetId(ip.subnet_id), ipAddress: ip.ip_address })),
    extraDhcpOpts: options.map(
      (one): ExtraDhcpOption => ({ optName: one.opt_name, optValue: one.opt_value, ipVersion: one.ip_version }),
    ),
    dnsName: row.dns_name,
    bindingHost: row.binding_host_id,
    revision: row.revision_number,
  };
}

export function networkItem(row: NetworkRow): StreamItem {
  return upsert("network", row.id, row.id, networkModel(row));
}

export function subnetItem(row: SubnetRow): StreamItem {
  return upsert("subnet", row.id, row.network_id, subnetModel(row));
}

export function portItem(row: PortItemRow, fixedIps: readonly AddressItemRow[]): StreamItem {
  return upsert("port", row.id, row.network_id, portModel(row, fixedIps));
}

/** @param revision that the object had last; the item carries the next one and so wins over every upsert before it. */
export function deleteItem(kind: StreamItem["kind"], id: string, network: string, revision: number): StreamItem {
  return { op: "delete", kind, id, networkId: networkId(network), revision: revision + 1 };
}

/** @param fixedIps that the port had: free now. */
export function portDeleteItem(row: PortRow, fixedIps: readonly FixedIpRow[]): StreamItem {
  const freed = fixedIps.map((ip) => ({ subnetId: subnetId(ip.subnet_id), ipAddress: ip.ip_address }));
  return { ...deleteItem("port", row.id, row.network_id, row.revision_number), fixedIps: freed } as StreamItem;
}

type Upsert = Extract<StreamItem, { op: "upsert" }>;

function upsert<K extends Upsert["kind"]>(kind: K, id: string, network: string, body: Network | Subnet | Port): StreamItem {
  // The cast: kind and body belong together in the three callers above; the type of the arrays in it is readonly here.
  return { op: "upsert", kind, id, networkId: networkId(network), revision: body.revision, body } as unknown as StreamItem;
}

/**
 * True when an agent does anything else for the one than for the other. The revision says nothing by itself, and on which host
 * an instance runs is all the same to the DHCP of its network.
 */
export function agentSeesChange(before: Network | Subnet | Port, after: Network | Subnet | Port): boolean {
  const irrelevant = { revision: 0, bindingHost: "" };
  return JSON.stringify({ ...before, ...irrelevant }) !== JSON.stringify({ ...after, ...irrelevant });
}
