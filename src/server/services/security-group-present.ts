// Rows of rules → attributes of the API.
import type { RuleColumns } from "../store/schema-kept.ts";
import type { Attributes } from "./resource-service.ts";
import type { SecurityGroupRuleRow } from "./security-group-rows.ts";

export function presentRule(row: SecurityGroupRuleRow, belongsToDefault: boolean): Attributes {
  return {
    ...presentMatch(row),
    project_id: row.project_id,
    tenant_id: row.project_id,
    security_group_id: row.security_group_id,
    normalized_cidr: row.normalized_cidr,
    belongs_to_default_sg: belongsToDefault,
  };
}

/** What rules and templates have in common. */
export function presentMatch(row: RuleColumns): Attributes {
  return {
    id: row.id,
    description: row.description,
    direction: row.direction,
    ethertype: row.ethertype,
    protocol: row.protocol,
    port_range_min: row.port_range_min,
    port_range_max: row.port_range_max,
    remote_group_id: row.remote_group_id,
    remote_ip_prefix: row.remote_ip_prefix,
    remote_address_group_id: row.remote_address_group_id,
    revision_number: row.revision_number,
    created_at: row.created_at,
    updated_at: row.updated_at,
  };
}
