import type { ResourceDeclaration } from "./declaration.ts";
import { access, identity, ownership, standardAttributes } from "./standard-attributes.ts";
import { boolean, readOnly } from "./values.ts";

export const securityGroupResource: ResourceDeclaration = {
  name: "security_group",
  collection: "security_groups",
  path: "security-groups",
  title: "Security group",
  alias: "security-group",
  notFound: "SecurityGroupNotFound",
  description: "Rules of what ports may send and receive; kept, and not enforced.",
  canCreate: true,
  canUpdate: true,
  canDelete: true,
  bulk: true,
  attributes: {
    ...identity("security-group"),
    ...ownership,
    stateful: {
      ...access.settable,
      schema: boolean,
      filter: "boolean",
      alias: "stateful-security-group",
      description:
        "Whether answers to what was let through are let through too; unset is the project's default, or that of all projects, or true.",
    },
    security_group_rules: {
      ...access.computed,
      schema: readOnly({ type: "array", items: { type: "object" } }),
      alias: "security-group",
      description: "Its rules.",
    },
    shared: {
      ...access.computed,
      schema: readOnly({ type: "boolean" }),
      filter: "boolean",
      alias: "security-groups-shared-filtering",
      description: "Whether the caller's project may use it though it is another's.",
    },
    ...standardAttributes,
  },
};
