import type { AttributeDeclaration, ResourceDeclaration } from "./declaration.ts";
import { qosNetworkPolicyId, qosPolicyId } from "./qos-policies.ts";
import { access, ownership, standardAttributes } from "./standard-attributes.ts";
import { dnsHostname, dnsName, ipAddress, orNull, readOnly, uuid } from "./values.ts";
import { alwaysFalse } from "./without-effect.ts";

const uuidOrNull = readOnly({ type: ["string", "null"], format: "uuid" });

const outside: Readonly<Record<string, AttributeDeclaration>> = {
  floating_network_id: {
    ...access.fixed,
    schema: uuid,
    required: true,
    filter: "uuid",
    sort: true,
    alias: "router",
    description: "External network that the address is from.",
  },
  floating_ip_address: {
    ...access.fixed,
    schema: orNull(ipAddress),
    nullIsUnset: true,
    filter: "ip",
    sort: true,
    rules: [{ on: ["create"], allow: ["manager"] }],
    alias: "router",
    description: "The address; unset lets the server choose.",
  },
  subnet_id: {
    post: true,
    put: false,
    visible: false,
    schema: orNull(uuid),
    nullIsUnset: true,
    alias: "router",
    description: "Subnet of the external network that the address is to be from.",
  },
};

const inside: Readonly<Record<string, AttributeDeclaration>> = {
  port_id: {
    ...access.settable,
    schema: orNull(uuid),
    filter: "uuid",
    alias: "router",
    description: "Port that it leads to; null is none.",
  },
  fixed_ip_address: {
    ...access.settable,
    schema: orNull(ipAddress),
    filter: "ip",
    sort: true,
    alias: "router",
    description: "Which address of the port, where it has several.",
  },
  router_id: {
    ...access.computed,
    schema: uuidOrNull,
    filter: "uuid",
    sort: true,
    alias: "router",
    description: "Router that translates it.",
  },
  port_details: {
    ...access.computed,
    schema: readOnly({ type: ["object", "null"] }),
    alias: "fip-port-details",
    description: "Of its port: name, network_id, mac_address, admin_state_up, status, device_id and device_owner.",
  },
  port_forwardings: {
    ...access.computed,
    schema: readOnly({ type: "array", items: { type: "object" } }),
    alias: "expose-port-forwarding-in-fip",
    description: "Its port forwardings in short.",
  },
};

const names: Readonly<Record<string, AttributeDeclaration>> = {
  dns_name: {
    ...access.fixed,
    schema: dnsHostname,
    default: "",
    alias: "dns-integration",
    description: "Name that somebody's DNS should give it.",
  },
  dns_domain: {
    ...access.fixed,
    schema: dnsName,
    default: "",
    alias: "dns-integration",
    description: "Domain of that name.",
  },
};

export const floatingIpResource: ResourceDeclaration = {
  name: "floatingip",
  collection: "floatingips",
  title: "Floating IP",
  alias: "router",
  notFound: "FloatingIPNotFound",
  description: "An address outside that leads to a port inside.",
  canCreate: true,
  canUpdate: true,
  canDelete: true,
  bulk: true,
  attributes: {
    id: {
      ...access.computed,
      schema: uuid,
      filter: "uuid",
      sort: true,
      alias: "router",
      description: "UUID, given by the server.",
    },
    ...ownership,
    ...outside,
    ...inside,
    status: {
      ...access.computed,
      schema: readOnly({ enum: ["ACTIVE", "DOWN", "ERROR"] }),
      filter: "text",
      sort: true,
      alias: "router",
      description: "Whether it works.",
    },
    status_reason: {
      ...access.computed,
      schema: readOnly({ type: ["string", "null"] }),
      alias: "status-reason",
      description: "Why its status is ERROR, in the agent's words.",
    },
    ...names,
    qos_policy_id: qosPolicyId,
    qos_network_policy_id: qosNetworkPolicyId,
    distributed: alwaysFalse({ alias: "floating-ip-distributed", lacking: "distributed floating IPs", filter: "boolean" }),
    ...standardAttributes,
  },
};
