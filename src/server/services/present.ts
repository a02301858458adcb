// Rows → attributes of the API.
import { addressHostname, splitName } from "../../model/dns-names.ts";
import type { Carrier } from "../store/network-segments.ts";
import type { AddressItemRow } from "../store/stream-items.ts";
import type { NetworkRow, PortRow, SubnetRow } from "../store/rows.ts";
import type { Attributes } from "./resource-service.ts";

export interface CommonRow {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  /** JSON: string[] */
  readonly tags: string;
  readonly project_id: string;
  readonly revision_number: number;
  readonly created_at: string;
  readonly updated_at: string;
}

/** Of a column with JSON. Most are empty: a list of thousands of objects is spared to read that again and again. */
function stored(text: string): unknown {
  if (text === "[]") return [];
  return text === "{}" ? {} : JSON.parse(text);
}

export function common(row: CommonRow): Attributes {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    project_id: row.project_id,
    tenant_id: row.project_id,
    revision_number: row.revision_number,
    created_at: row.created_at,
    updated_at: row.updated_at,
    tags: stored(row.tags),
  };
}

interface NetworkSubnet {
  readonly id: string;
  readonly ip_version: number;
  readonly segment_id: string | null;
  /** Of its pool. */
  readonly address_scope_id: string | null;
}

export interface NetworkSurroundings {
  readonly subnets: readonly NetworkSubnet[];
  /** In their order. */
  readonly segments: readonly Carrier[];
  /** With the caller. */
  readonly isShared: boolean;
  /** Of the agents that serve it. */
  readonly zones: readonly string[];
}

export function presentNetwork(row: NetworkRow, { subnets, segments, isShared, zones }: NetworkSurroundings): Attributes {
  return {
    ...common(row),
    subnets: subnets.map((subnet) => subnet.id),
    admin_state_up: row.admin_state_up === 1,
    status: row.status,
    shared: isShared,
    "router:external": row.is_external === 1,
    ...presentCarriers(segments),
    l2_adjacency: subnets.every((subnet) => subnet.segment_id === null),
    is_default: row.is_default === 1,
    mtu: row.mtu,
    port_security_enabled: row.port_security_enabled === 1,
    dns_domain: row.dns_domain,
    availability_zone_hints: JSON.parse(row.availability_zone_hints),
    availability_zones: zones,
    ipv4_address_scope: scopeOf(subnets, 4),
    ipv6_address_scope: scopeOf(subnets, 6),
    qos_policy_id: row.qos_policy_id,
  };
}

/** Subnets of one family are in one scope, or in none. */
function scopeOf(subnets: readonly NetworkSubnet[], version: 4 | 6): string | null {
  return subnets.find((subnet) => subnet.ip_version === version)?.address_scope_id ?? null;
}

/** One is told in the attributes of the network, several as a list. */
function presentCarriers(segments: readonly Carrier[]): Attributes {
  const parts = segments.map(({ network_type, physical_network, segmentation_id }) => ({
    "provider:network_type": network_type,
    "provider:physical_network": physical_network,
    "provider:segmentation_id": segmentation_id,
  }));
  if (parts.length > 1) return { segments: parts };
  const none = { "provider:network_type": null, "provider:physical_network": null, "provider:segmentation_id": null };
  return parts[0] ?? none;
}

export function presentSubnet(row: SubnetRow): Attributes {
  return {
    ...common(row),
    network_id: row.network_id,
    ip_version: row.ip_version,
    cidr: row.cidr,
    subnetpool_id: row.subnetpool_id,
    gateway_ip: row.gateway_ip,
    allocation_pools: JSON.parse(row.allocation_pools),
    dns_nameservers: JSON.parse(row.dns_nameservers),
    host_routes: JSON.parse(row.host_routes),
    enable_dhcp: row.enable_dhcp === 1,
    ipv6_ra_mode: row.ipv6_ra_mode,
    ipv6_address_mode: row.ipv6_address_mode,
    service_types: JSON.parse(row.service_types),
    dns_publish_fixed_ip: row.dns_publish_fixed_ip === 1,
    segment_id: row.segment_id,
  };
}

export interface PortSurroundings {
  readonly fixedIps: readonly AddressItemRow[];
  /** Ids. */
  readonly securityGroups: readonly string[];
  /** Of the port's network, or the default one. */
  readonly domain: string;
  /** Of the port's network. */
  readonly networkPolicyId: string | null;
  /** Of the trunk whose parent it is. */
  readonly trunkDetails?: Attributes | undefined;
}

/** What ports of other servers have, see types/resources/port-extras.ts. */
const nothingSpecial: Attributes = {
  propagate_uplink_status: false,
  resource_request: null,
  numa_affinity_policy: null,
  device_profile: null,
  hints: null,
  hardware_offload_type: null,
  trusted: false,
  pvlan_type: null,
  pvlan_community: null,
};

export function presentPort(row: PortRow, around: PortSurroundings): Attributes {
  const { fixedIps, securityGroups, domain, networkPolicyId, trunkDetails } = around;
  const ordered = fixedIps.length < 2 ? fixedIps : [...fixedIps].sort((a, b) => a.position - b.position);
  return {
    ...common(row),
    network_id: row.network_id,
    admin_state_up: row.admin_state_up === 1,
    mac_address: row.mac_address,
    fixed_ips: ordered.map((ip) => ({ subnet_id: ip.subnet_id, ip_address: ip.ip_address })),
    device_id: row.device_id,
    device_owner: row.device_owner,
    status: row.status,
    "binding:host_id": row.binding_host_id,
    "binding:vnic_type": row.binding_vnic_type,
    "binding:profile": stored(row.binding_profile),
    "binding:vif_type": row.binding_vif_type,
    "binding:vif_details": stored(row.binding_vif_details),
    port_security_enabled: row.port_security_enabled === 1,
    security_groups: securityGroups,
    allowed_address_pairs: stored(row.allowed_address_pairs),
    extra_dhcp_opts: stored(row.extra_dhcp_opts),
    dns_name: row.dns_name,
    dns_assignment: ordered.map((ip) => dnsAssignment(row.dns_name, ip.ip_address, domain)),
    ip_allocation: row.ip_allocation,
    dns_domain: row.dns_domain,
    data_plane_status: row.data_plane_status,
    qos_policy_id: row.qos_policy_id,
    qos_network_policy_id: networkPolicyId,
    ...(trunkDetails === undefined ? {} : { trunk_details: trunkDetails }),
    ...nothingSpecial,
  };
}

/** The names that the DHCP server's DNS answers with: the port's own, or one made of the address. */
function dnsAssignment(dnsName: string, ipAddress: string, domain: string): Attributes {
  const name = dnsName === "" ? addressHostname(ipAddress) : dnsName;
  const { hostname, fqdn } = splitName(name, domain.replace(/\.$/, ""));
  return { ip_address: ipAddress, hostname, fqdn: `${fqdn}.` };
}
