import type { ResourceDeclaration } from "./declaration.ts";
import { access } from "./standard-attributes.ts";
import { readOnly } from "./values.ts";

export const qosRuleTypeResource: ResourceDeclaration = {
  name: "rule_type",
  collection: "rule_types",
  path: "qos/rule-types",
  title: "QoS rule type",
  alias: "qos",
  notFound: "QosRuleTypeNotFound",
  description: "Types of QoS rules that are applied: none is. all_rules=true lists those that are kept.",
  canCreate: false,
  canUpdate: false,
  canDelete: false,
  bulk: false,
  attributes: {
    type: {
      ...access.computed,
      schema: readOnly({ type: "string" }),
      filter: "text",
      sort: true,
      alias: "qos",
      description: "Name of the type.",
    },
    drivers: {
      ...access.computed,
      schema: readOnly({ type: "array", items: { type: "object" } }),
      alias: "qos-rule-type-details",
      description: "What applies rules of this type.",
    },
    all_rules: {
      ...{ post: false, put: false, visible: false },
      schema: readOnly({ type: "boolean" }),
      filter: "boolean",
      alias: "qos-rule-type-filter",
      description: "Also those that nothing applies.",
    },
    all_supported: {
      ...{ post: false, put: false, visible: false },
      schema: readOnly({ type: "boolean" }),
      filter: "boolean",
      alias: "qos-rule-type-filter",
      description: "Those that something applies.",
    },
  },
};
