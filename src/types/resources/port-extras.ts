// Attributes of ports that say something to others than this server, and those that would have no effect.
import type { AttributeDeclaration } from "./declaration.ts";
import { qosNetworkPolicyId, qosPolicyId } from "./qos-policies.ts";
import { access } from "./standard-attributes.ts";
import { dnsName, oneOf, orNull, readOnly } from "./values.ts";
import { alwaysFalse, alwaysNull } from "./without-effect.ts";

const kept: Readonly<Record<string, AttributeDeclaration>> = {
  dns_domain: {
    ...access.settable,
    schema: dnsName,
    default: "",
    alias: "dns-domain-ports",
    description: "Domain in which somebody's DNS should publish the port's name; inside the network the network's counts.",
  },
  data_plane_status: {
    ...{ post: false, put: true, visible: true },
    schema: orNull(oneOf(["ACTIVE", "DOWN"])),
    adminOnly: { update: true },
    alias: "data-plane-status",
    description: "What somebody outside says of the wires below it; null is nothing.",
  },
  qos_policy_id: qosPolicyId,
  qos_network_policy_id: qosNetworkPolicyId,
  trunk_details: {
    ...access.computed,
    schema: readOnly({ type: "object" }),
    alias: "trunk-details",
    description: "Of the parent of a trunk: trunk_id and sub_ports.",
  },
};

const withoutEffect: Readonly<Record<string, AttributeDeclaration>> = {
  propagate_uplink_status: alwaysFalse({ alias: "uplink-status-propagation", lacking: "virtual functions with uplinks" }),
  resource_request: {
    ...access.computed,
    schema: readOnly({ type: "null" }),
    adminOnly: { read: true },
    alias: "port-resource-request",
    description: "Always null: nothing is reserved for a port.",
  },
  numa_affinity_policy: alwaysNull({ alias: "port-numa-affinity-policy-socket", lacking: "say in the placement of instances" }),
  device_profile: alwaysNull({ alias: "port-device-profile", lacking: "accelerators", put: false }),
  hints: alwaysNull({ alias: "port-hints", lacking: "drivers that take hints" }),
  hardware_offload_type: alwaysNull({ alias: "port-hardware-offload-type", lacking: "hardware offload", put: false }),
  trusted: alwaysFalse({ alias: "port-trusted-vif", lacking: "virtual functions to trust" }),
  pvlan_type: alwaysNull({ alias: "pvlan", lacking: "private VLANs", filter: "text" }),
  pvlan_community: alwaysNull({ alias: "pvlan", lacking: "private VLANs" }),
};

export const portExtras: Readonly<Record<string, AttributeDeclaration>> = { ...kept, ...withoutEffect };
