// The tables as kysely sees them. One schema for SQLite and PostgreSQL: text ids, text timestamps (ISO 8601, UTC), JSON as
// text, booleans as 0/1, addresses as canonical text beside a fixed-width hex key (8 digits for IPv4, 32 for IPv6) that sorts.

import type { Generated } from "kysely";
import type { Flag, StandardColumns } from "./schema-columns.ts";
import type {
  AddressGroupsTable,
  ConntrackHelpersTable,
  DefaultSecurityGroupRulesTable,
  PortBindingsTable,
  PortSecurityGroupsTable,
  QosPoliciesTable,
  QosRulesTable,
  SecurityGroupRulesTable,
  SecurityGroupDefaultsTable,
  SecurityGroupsTable,
  TrunkSubportsTable,
  TrunksTable,
} from "./schema-kept.ts";

/** Who beside its project may use an object. `target_project` is a project or `*`. */
export interface RbacPoliciesTable {
  id: string;
  project_id: string;
  object_type: string;
  object_id: string;
  /** access_as_shared or access_as_external */
  action: string;
  target_project: string;
}

/** Limits that differ from the default ones; -1: none. */
export interface QuotasTable {
  project_id: string;
  resource: string;
  max_count: number;
}

export interface NetworksTable extends StandardColumns {
  admin_state_up: Flag;
  status: string;
  shared: Flag;
  is_external: Flag;
  mtu: number;
  port_security_enabled: Flag;
  dns_domain: string;
  /** The external network of who does not name one; at most one. */
  is_default: Flag;
  /** JSON: string[] */
  availability_zone_hints: string;
  qos_policy_id: string | null;
}

export interface SubnetsTable extends StandardColumns {
  network_id: string;
  /** That the block was taken from. */
  subnetpool_id: string | null;
  ip_version: number;
  cidr: string;
  first_key: string;
  last_key: string;
  gateway_ip: string | null;
  enable_dhcp: Flag;
  ipv6_ra_mode: string | null;
  ipv6_address_mode: string | null;
  /** JSON: {start, end}[] sorted by start */
  allocation_pools: string;
  /** JSON: string[] */
  dns_nameservers: string;
  /** JSON: {destination, nexthop}[] */
  host_routes: string;
  /** JSON: string[] */
  service_types: string;
  dns_publish_fixed_ip: Flag;
  /** Part of the network that it belongs to. */
  segment_id: string | null;
  /** Where the search for a free address goes on: the key after the last one handed out. Updating it locks the subnet. */
  next_key: string;
}

export interface PortsTable extends StandardColumns {
  network_id: string;
  admin_state_up: Flag;
  mac_address: string;
  status: string;
  device_id: string;
  device_owner: string;
  binding_host_id: string;
  binding_vnic_type: string;
  /** JSON object */
  binding_profile: string;
  binding_vif_type: string;
  /** JSON object */
  binding_vif_details: string;
  port_security_enabled: Flag;
  /** JSON: {ip_address, mac_address}[] */
  allowed_address_pairs: string;
  /** JSON: {opt_name, opt_value, ip_version}[] */
  extra_dhcp_opts: string;
  dns_name: string;
  ip_allocation: string;
  /** Revision that a DHCP agent last reported as served; 0 = none. */
  dhcp_ready_revision: number;
  /** Only a report of this revision or a newer one makes the port ACTIVE: what served it before it went DOWN says nothing. */
  ready_from_revision: number;
  qos_policy_id: string | null;
  /** Where somebody outside is to publish the name. */
  dns_domain: string;
  /** As somebody outside says: ACTIVE, DOWN. */
  data_plane_status: string | null;
}

export interface FixedIpsTable {
  port_id: string;
  network_id: string;
  subnet_id: string;
  ip_address: string;
  ip_key: string;
  /** Order within the port. */
  position: number;
}

export interface AgentsTable {
  id: string;
  agent_type: string;
  /** `dhcp`, `l3`, `fip`: the token in subjects. */
  role: string;
  binary_name: string;
  host: string;
  topic: string;
  availability_zone: string;
  admin_state_up: Flag;
  description: string | null;
  /** JSON object */
  configurations: string;
  boot_id: string;
  phase: string;
  created_at: string;
  started_at: string;
  heartbeat_at: string;
}

/** Which DHCP agent hosts which network; `slot` 0…n−1 is unique per network so that racing servers cannot over-schedule. */
export interface NetworkDhcpAgentsTable {
  network_id: string;
  agent_id: string;
  slot: number;
}

export interface RoutersTable extends StandardColumns {
  admin_state_up: Flag;
  status: string;
  status_reason: string | null;
  /** Only a report of this revision or a newer one says anything: what was true of an older state is not news. */
  status_from_revision: number;
  /** Of its way out, also while it has none. */
  enable_snat: Flag;
  ha: Flag;
  /** Taken from its agents by hand: it waits for a change before it is given to another by itself. */
  is_parked: Flag;
  /** JSON: {destination, nexthop}[] in the order that the client gave */
  routes: string;
  /** JSON: string[] */
  availability_zone_hints: string;
  /** Of its gateway. */
  qos_policy_id: string | null;
}

/** Ports that are part of a router. Nothing but the router's own use cases makes or removes rows here. */
export interface RouterPortsTable {
  port_id: string;
  router_id: string;
  kind: "interface" | "gateway" | "ha";
  /** Of kind `ha`: whose part it is. */
  agent_id: string | null;
}

/** Which L3 agent hosts which router; `slot` 0…n−1 is unique per router so that racing servers cannot over-schedule. */
export interface RouterL3AgentsTable {
  router_id: string;
  agent_id: string;
  slot: number;
  /** As reported: primary, backup, unknown; null unless the router is HA. */
  ha_state: string | null;
}

/** One for each project with routers of high availability; no project sees the network. */
export interface HaNetworksTable {
  project_id: string;
  network_id: string;
}

export interface HaRoutersTable {
  router_id: string;
  project_id: string;
  /** 1…254, unique on the project's HA network. */
  vr_id: number;
}

export interface FloatingIpsTable {
  id: string;
  project_id: string;
  description: string;
  /** JSON: string[] */
  tags: string;
  revision_number: number;
  created_at: string;
  updated_at: string;
  floating_network_id: string;
  /** The port that holds the address, of owner network:floatingip. */
  floating_port_id: string;
  floating_ip_address: string;
  fixed_port_id: string | null;
  fixed_ip_address: string | null;
  /** Set while it has a port or port forwardings. */
  router_id: string | null;
  /** Who served it last, and may therefore report that it is gone. */
  last_known_router_id: string | null;
  status: string;
  status_reason: string | null;
  /** As in routers. */
  status_from_revision: number;
  dns_name: string;
  dns_domain: string;
  qos_policy_id: string | null;
}

/** The four numbers are null for protocols without ports. */
export interface PortForwardingsTable {
  id: string;
  floatingip_id: string;
  description: string;
  revision_number: number;
  protocol: string;
  internal_port_id: string;
  internal_ip_address: string;
  internal_first: number | null;
  internal_last: number | null;
  external_first: number | null;
  external_last: number | null;
}

/** What carries a network: one row, or one for each of its parts. Most types are unique, see migration 0015. */
export interface NetworkSegmentsTable {
  id: string;
  network_id: string;
  /** Order within the network. */
  position: number;
  network_type: string;
  physical_network: string | null;
  segmentation_id: number | null;
  name: string | null;
  description: string;
  revision_number: number;
  created_at: string;
  updated_at: string;
}

/** Where segment ids are chosen from. Those of the settings are `is_default`; those that are `shared` are of project "". */
export interface NetworkSegmentRangesTable extends StandardColumns {
  is_default: Flag;
  shared: Flag;
  network_type: string;
  physical_network: string | null;
  minimum: number;
  maximum: number;
  /** Where the search for a free one goes on. Whoever chooses locks the row. */
  next_id: number;
}

export interface AutoAllocatedTopologiesTable {
  project_id: string;
  network_id: string;
  router_id: string;
}

export interface AddressScopesTable extends StandardColumns {
  ip_version: number;
}

/** The row is the lock of what is taken from the pool. */
export interface SubnetPoolsTable extends StandardColumns {
  ip_version: number;
  /** JSON: string[], as few as possible, sorted by address */
  prefixes: string;
  default_prefixlen: number;
  min_prefixlen: number;
  max_prefixlen: number;
  /** For each project: addresses, in IPv6 blocks of 2^64 of them. */
  default_quota: number | null;
  is_default: Flag;
  address_scope_id: string | null;
}

/** Written by triggers; the last three are filled in before the commit. */
export interface NotificationsTable {
  id: Generated<number>;
  resource: string;
  object_id: string;
  action: "create" | "update" | "delete";
  project_id: string | null;
  revision_number: number | null;
  request_id: string | null;
  traceparent: string | null;
  created_at: string | null;
}

export interface StreamsTable {
  role: string;
  host: string;
  /** Last sequence number given out. */
  head: number;
}

export interface OutboxTable {
  role: string;
  host: string;
  seq: number;
  /** JSON of an item: StreamItem, RouterItem or FloatingIpItem, as the role says */
  item: string;
  created_at: string;
}

export interface LeasesTable {
  /** `<network id>_<address>` */
  id: string;
  network_id: string;
  ip_address: string;
  ip_key: string;
  port_id: string | null;
  mac_address: string | null;
  hostname: string | null;
  /** null = never */
  expires_at: string | null;
  last_seen_at: string;
  host: string;
}

/** Leases of jobs that only one of several servers may do. */
export interface JobsTable {
  name: string;
  /** Unique to one running server. */
  holder: string;
  expires_at: string;
}

/** `epoch`: a UUID that changes when the streams of this database are no longer a continuation of what agents know. */
export interface MetaTable {
  key: string;
  value: string;
}

export interface Database {
  networks: NetworksTable;
  subnets: SubnetsTable;
  ports: PortsTable;
  fixed_ips: FixedIpsTable;
  agents: AgentsTable;
  network_dhcp_agents: NetworkDhcpAgentsTable;
  routers: RoutersTable;
  router_ports: RouterPortsTable;
  router_l3_agents: RouterL3AgentsTable;
  ha_networks: HaNetworksTable;
  ha_routers: HaRoutersTable;
  floating_ips: FloatingIpsTable;
  port_forwardings: PortForwardingsTable;
  streams: StreamsTable;
  outbox: OutboxTable;
  notifications: NotificationsTable;
  leases: LeasesTable;
  jobs: JobsTable;
  rbac_policies: RbacPoliciesTable;
  quotas: QuotasTable;
  network_segments: NetworkSegmentsTable;
  network_segment_ranges: NetworkSegmentRangesTable;
  auto_allocated_topologies: AutoAllocatedTopologiesTable;
  address_scopes: AddressScopesTable;
  subnet_pools: SubnetPoolsTable;
  address_groups: AddressGroupsTable;
  security_groups: SecurityGroupsTable;
  security_group_defaults: SecurityGroupDefaultsTable;
  security_group_rules: SecurityGroupRulesTable;
  default_security_group_rules: DefaultSecurityGroupRulesTable;
  port_security_groups: PortSecurityGroupsTable;
  qos_policies: QosPoliciesTable;
  qos_rules: QosRulesTable;
  trunks: TrunksTable;
  trunk_subports: TrunkSubportsTable;
  conntrack_helpers: ConntrackHelpersTable;
  port_bindings: PortBindingsTable;
  meta: MetaTable;
}
