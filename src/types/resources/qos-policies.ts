import type { AttributeDeclaration, ResourceDeclaration } from "./declaration.ts";
import { access, identity, ownership, standardAttributes } from "./standard-attributes.ts";
import { boolean, orNull, readOnly, uuid } from "./values.ts";

const alias = "qos";

export const qosPolicyResource: ResourceDeclaration = {
  name: "policy",
  collection: "policies",
  path: "qos/policies",
  title: "QoS policy",
  alias,
  notFound: "QosPolicyNotFound",
  description: "Rules of quality of service that networks, ports, floating IPs and gateways have; kept and not applied.",
  canCreate: true,
  canUpdate: true,
  canDelete: true,
  bulk: true,
  attributes: {
    ...identity(alias),
    ...ownership,
    shared: {
      ...access.settable,
      schema: boolean,
      default: false,
      filter: "boolean",
      adminOnly: { create: true, update: true },
      alias,
      description: "Whether every project may use it.",
    },
    is_default: {
      ...access.settable,
      schema: boolean,
      default: false,
      filter: "boolean",
      alias: "qos-default",
      description: "Whether new networks of its project have it that do not say; at most one of a project is.",
    },
    rules: {
      ...access.computed,
      schema: readOnly({ type: "array", items: { type: "object" } }),
      alias,
      description: "Its rules, each with its type.",
    },
    ...standardAttributes,
  },
};

/** Of whatever may have a policy. */
export const qosPolicyId: AttributeDeclaration = {
  ...access.settable,
  schema: orNull(uuid),
  default: null,
  alias,
  description: "QoS policy, kept and not applied; null is none.",
};

export const qosNetworkPolicyId: AttributeDeclaration = {
  ...access.computed,
  schema: readOnly({ type: ["string", "null"], format: "uuid" }),
  alias,
  description: "QoS policy of its network.",
};
