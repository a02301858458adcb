import type { AttributeDeclaration, ResourceDeclaration } from "./declaration.ts";
import { qosPolicyId } from "./qos-policies.ts";
import { access, identity, ownership, standardAttributes } from "./standard-attributes.ts";
import { boolean, dnsName, integer, listOf, never, orNull, readOnly, record, text } from "./values.ts";

const provider: Readonly<Record<string, AttributeDeclaration>> = {
  "provider:network_type": {
    ...access.settable,
    schema: text({ maxLength: 32, minLength: 1 }),
    filter: "text",
    adminOnly: { create: true, update: true, read: true },
    alias: "provider",
    description: "What carries it between hosts, as the operator set it up: local, flat, vlan or vxlan.",
  },
  "provider:physical_network": {
    ...access.settable,
    schema: text({ maxLength: 64, minLength: 1 }),
    filter: "text",
    adminOnly: { create: true, update: true, read: true },
    alias: "provider",
    description: "Name of the physical network below a flat or vlan network.",
  },
  "provider:segmentation_id": {
    ...access.settable,
    schema: integer(1, 16_777_215),
    filter: "integer",
    adminOnly: { create: true, update: true, read: true },
    alias: "provider",
    description: "VLAN id (1 to 4094) or VXLAN network identifier; chosen from the segment ranges when not given.",
  },
  segments: {
    ...access.settable,
    schema: listOf(
      record({
        "provider:network_type": text({ maxLength: 32, minLength: 1 }),
        // Empty and 0 are nothing where there is nothing to say: gophercloud, and so Terraform, has no other word for it.
        "provider:physical_network": orNull(text({ maxLength: 64 })).optional(),
        "provider:segmentation_id": orNull(integer(0, 16_777_215)).optional(),
      }),
      { maxItems: 64, minItems: 1 },
    ),
    adminOnly: { create: true, update: true, read: true },
    alias: "multi-provider",
    description: "What carries it, where there are several; not together with provider:*.",
  },
  l2_adjacency: {
    ...access.computed,
    schema: readOnly({ type: "boolean" }),
    alias: "l2_adjacency",
    description: "Whether all its ports are on one wire: no subnet belongs to a segment.",
  },
};

/** What other servers of this API have. Here it would have no effect, so nobody may ask for it. */
function withoutEffect(alias: string): AttributeDeclaration {
  return {
    ...{ post: true, put: false, visible: false },
    schema: never(`this server cannot do that: ${alias} has no effect here.`),
    default: false,
    alias,
    description: "Not available: only false is taken.",
  };
}

const availability: Readonly<Record<string, AttributeDeclaration>> = {
  availability_zone_hints: {
    ...access.fixed,
    schema: listOf(text({ maxLength: 255, minLength: 1 }), { maxItems: 100, uniqueBy: (zone) => zone }),
    default: [],
    sort: true,
    alias: "network_availability_zone",
    description: "Zones whose agents should serve the network.",
  },
  availability_zones: {
    ...access.computed,
    schema: readOnly({ type: "array", items: { type: "string" } }),
    alias: "network_availability_zone",
    description: "Zones of the agents that serve the network.",
  },
};

const scope = {
  ...access.computed,
  schema: readOnly({ type: ["string", "null"], format: "uuid" }),
  alias: "address-scope",
} as const;

const addressScopes: Readonly<Record<string, AttributeDeclaration>> = {
  ipv4_address_scope: { ...scope, description: "Scope that its IPv4 subnets belong to; null is none." },
  ipv6_address_scope: { ...scope, description: "Scope that its IPv6 subnets belong to; null is none." },
};

export const networkResource: ResourceDeclaration = {
  name: "network",
  collection: "networks",
  title: "Network",
  alias: "network",
  notFound: "NetworkNotFound",
  description: "A layer-2 segment of a project; addresses may overlap with those of other networks.",
  canCreate: true,
  canUpdate: true,
  canDelete: true,
  bulk: true,
  attributes: {
    ...identity("network"),
    ...ownership,
    admin_state_up: {
      ...access.settable,
      schema: boolean,
      default: true,
      filter: "boolean",
      sort: true,
      alias: "network",
      description: "Whether the network should work.",
    },
    status: {
      ...access.computed,
      schema: readOnly({ enum: ["ACTIVE", "DOWN", "BUILD", "ERROR"] }),
      filter: "text",
      sort: true,
      alias: "network",
      description: "Whether it does.",
    },
    subnets: {
      ...access.computed,
      schema: readOnly({ type: "array", items: { type: "string", format: "uuid" } }),
      alias: "network",
      description: "Ids of its subnets.",
    },
    shared: {
      ...access.settable,
      schema: boolean,
      default: false,
      filter: "boolean",
      adminOnly: { create: true, update: true },
      alias: "network",
      description: "Whether every project may use it.",
    },
    "router:external": {
      ...access.settable,
      schema: boolean,
      default: false,
      filter: "boolean",
      adminOnly: { create: true, update: true },
      alias: "external-net",
      description: "Whether routers may use it as their way out.",
    },
    mtu: {
      ...access.settable,
      schema: integer(0, 65_535),
      default: 0,
      filter: "integer",
      sort: true,
      alias: "net-mtu-writable",
      description: "Largest packet in bytes; 0 lets the server compute it.",
    },
    port_security_enabled: {
      ...access.settable,
      schema: boolean,
      default: true,
      alias: "port-security",
      description: "What new ports of the network take when they do not say.",
    },
    dns_domain: {
      ...access.settable,
      schema: dnsName,
      default: "",
      alias: "dns-integration",
      description: "Domain of the names of its ports; empty takes the agent's default.",
    },
    is_default: {
      ...access.settable,
      schema: boolean,
      default: false,
      filter: "boolean",
      adminOnly: { create: true, update: true },
      alias: "auto-allocated-topology",
      description: "Whether it is the external network of topologies that are made by themselves; at most one is.",
    },
    ...provider,
    vlan_transparent: withoutEffect("vlan-transparent"),
    qinq: withoutEffect("qinq"),
    pvlan: withoutEffect("pvlan"),
    ha: withoutEffect("network_ha"),
    project_default: withoutEffect("project-default-networks"),
    ...availability,
    ...addressScopes,
    qos_policy_id: qosPolicyId,
    ...standardAttributes,
  },
};
