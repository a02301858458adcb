import type { ResourceDeclaration } from "./declaration.ts";
import { access, identity, ownership, standardAttributes } from "./standard-attributes.ts";
import { boolean, integer, oneOf, readOnly, text } from "./values.ts";

const alias = "network-segment-range";
/** What clients may name; services say which of them this server has. */
const types = ["vlan", "vxlan", "gre", "geneve"] as const;
const bound = { ...access.settable, schema: integer(1, 4_294_967_295), required: true, alias } as const;

export const networkSegmentRangeResource: ResourceDeclaration = {
  name: "network_segment_range",
  collection: "network_segment_ranges",
  title: "Network Segment Range",
  alias,
  notFound: "NetworkSegmentRangeNotFound",
  description: "Segment ids that networks may be given; those of the server's settings are there by themselves.",
  canCreate: true,
  canUpdate: true,
  canDelete: true,
  bulk: true,
  adminOnly: true,
  attributes: {
    ...identity(alias),
    ...ownership,
    default: {
      ...access.computed,
      schema: readOnly({ type: "boolean" }),
      alias,
      description: "Whether it is of the server's settings; then it stays as it is.",
    },
    shared: {
      ...access.fixed,
      schema: boolean,
      default: true,
      alias,
      description: "Whether networks of all projects may be given segments of it.",
    },
    network_type: {
      ...access.fixed,
      schema: oneOf(types),
      required: true,
      filter: "text",
      alias,
      description: "vlan or vxlan.",
    },
    physical_network: {
      ...access.fixed,
      schema: text({ maxLength: 64 }),
      nullIsUnset: true,
      filter: "text",
      alias,
      description: "Physical network of a range of VLANs.",
    },
    minimum: { ...bound, description: "First id." },
    maximum: { ...bound, description: "Last id." },
    used: {
      ...access.computed,
      schema: readOnly({ type: "object", additionalProperties: { type: "string" } }),
      alias,
      description: "Ids that networks have, each with the project of its network.",
    },
    available: {
      ...access.computed,
      schema: readOnly({ type: "array", items: { type: "integer" } }),
      alias,
      description: "Ids that no network has; of many the first 5000.",
    },
    ...standardAttributes,
  },
};
