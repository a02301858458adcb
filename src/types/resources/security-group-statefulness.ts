import type { ResourceDeclaration } from "./declaration.ts";
import { access, identity } from "./standard-attributes.ts";
import { boolean, orNull, text } from "./values.ts";

const alias = "security-groups-default-statefulness";

export const securityGroupStatefulnessResource: ResourceDeclaration = {
  name: "security_groups_default_statefulness",
  // The same word in lists.
  collection: "security_groups_default_statefulness",
  path: "security-groups-default-statefulness",
  title: "Security group default statefulness",
  alias,
  notFound: "SecurityGroupDefaultStatefulnessNotFound",
  description: "What `stateful` is of new security groups of a project, or of all projects, that do not say it themselves.",
  canCreate: true,
  canUpdate: true,
  canDelete: true,
  bulk: false,
  mayBeForAll: true,
  attributes: {
    id: identity(alias).id,
    project_id: {
      ...access.fixed,
      schema: orNull(text({ maxLength: 255, minLength: 1 })),
      nullIsUnset: true,
      filter: "text",
      sort: true,
      alias,
      description: "Project whose groups it is about; null is all projects that have none of their own, for administrators.",
    },
    stateful: {
      ...access.settable,
      schema: boolean,
      default: true,
      filter: "boolean",
      sort: true,
      alias,
      description: "What their security groups begin with.",
    },
  },
};
