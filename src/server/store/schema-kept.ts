// Tables of what is kept for clients and applied by nobody: security groups, quality of service, trunks, helpers of routers; and of
// bindings of ports that are not in force. The rules of schema.ts hold.
import type { Flag, StandardColumns } from "./schema-columns.ts";

export interface AddressGroupsTable extends StandardColumns {
  /** JSON: networks as <address>/<length>, sorted */
  addresses: string;
}

export interface SecurityGroupsTable extends StandardColumns {
  stateful: Flag;
  /** One per project, made by the server. */
  is_default: Flag;
}

export interface SecurityGroupDefaultsTable {
  id: string;
  /** Empty: of all projects that have none of their own. */
  project_id: string;
  stateful: Flag;
  revision_number: number;
  created_at: string;
  updated_at: string;
}

export interface RuleColumns {
  id: string;
  project_id: string;
  description: string;
  revision_number: number;
  created_at: string;
  updated_at: string;
  direction: string;
  ethertype: string;
  protocol: string | null;
  port_range_min: number | null;
  port_range_max: number | null;
  remote_ip_prefix: string | null;
  normalized_cidr: string | null;
  /** The same text for rules that match the same packets; see services/security-group-rule.ts. */
  match_key: string;
  remote_address_group_id: string | null;
  remote_group_id: string | null;
}

export interface SecurityGroupRulesTable extends RuleColumns {
  security_group_id: string;
}

/** `remote_group_id` may be PARENT. */
export interface DefaultSecurityGroupRulesTable extends RuleColumns {
  used_in_default_sg: Flag;
  used_in_non_default_sg: Flag;
}

export interface PortSecurityGroupsTable {
  port_id: string;
  security_group_id: string;
}

export interface QosPoliciesTable extends StandardColumns {
  /** For new networks of the project that do not say; one per project. */
  is_default: Flag;
}

export interface QosRulesTable {
  id: string;
  qos_policy_id: string;
  /** See types/resources/qos-rules.ts. */
  type: string;
  /** "" for types without one. */
  direction: string;
  value: number;
  burst: number;
}

export interface TrunksTable extends StandardColumns {
  admin_state_up: Flag;
  status: string;
  port_id: string;
}

export interface TrunkSubportsTable {
  port_id: string;
  trunk_id: string;
  segmentation_type: string;
  segmentation_id: number;
}

export interface ConntrackHelpersTable {
  id: string;
  router_id: string;
  protocol: string;
  port: number;
  helper: string;
}

/** Those that are not in force: the one that is, is in the row of the port. */
export interface PortBindingsTable {
  port_id: string;
  host: string;
  vnic_type: string;
  /** JSON object */
  profile: string;
  vif_type: string;
  /** JSON object */
  vif_details: string;
}
