import type { AttributeDeclaration, ResourceDeclaration } from "./declaration.ts";
import { access, ownership } from "./standard-attributes.ts";
import { checkText, converted, oneOf, quoted, readOnly, Refusal, text } from "./values.ts";

const alias = "rbac-policies";

export const sharedTypes = ["network", "qos_policy", "security_group", "address_scope", "subnetpool", "address_group"] as const;
export type SharedType = (typeof sharedTypes)[number];

/** With hyphens or without, as projects of Keystone are. */
const projectId = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

const target = converted({ type: "string", maxLength: 255 }, (value) => {
  const id = checkText(value, { maxLength: 255 });
  if (id instanceof Refusal || id === "*" || projectId.test(id)) return id;
  return new Refusal(`${quoted(value)} is neither the UUID of a project nor *.`);
});

const targetProject: AttributeDeclaration = {
  ...access.settable,
  schema: target,
  required: true,
  filter: "text",
  rules: [{ on: ["create", "update"], allow: [], when: (value) => value === "*", part: "*" }],
  alias,
  description: "Project that may use the object; * is everybody.",
};

const { required: _required, ...olderTarget } = targetProject;

export const rbacPolicyResource: ResourceDeclaration = {
  name: "rbac_policy",
  collection: "rbac_policies",
  path: "rbac-policies",
  title: "RBAC policy",
  alias,
  notFound: "RbacPolicyNotFound",
  description: "That a project may use an object of another.",
  canCreate: true,
  canUpdate: true,
  canDelete: true,
  bulk: true,
  attributes: {
    id: {
      ...access.computed,
      schema: readOnly({ type: "string", format: "uuid" }),
      filter: "uuid",
      sort: true,
      alias,
      description: "UUID, given by the server.",
    },
    ...ownership,
    object_type: {
      ...access.fixed,
      schema: oneOf(sharedTypes),
      required: true,
      filter: "text",
      sort: true,
      alias,
      description: "Kind of the object.",
    },
    object_id: {
      ...access.fixed,
      schema: text({ maxLength: 255 }),
      required: true,
      filter: "text",
      sort: true,
      alias,
      description: "Id of the object.",
    },
    action: {
      ...access.fixed,
      schema: text({ maxLength: 255 }),
      required: true,
      filter: "text",
      sort: true,
      alias,
      description: "access_as_shared, or for networks also access_as_external: as a way out.",
    },
    target_project: { ...targetProject, sort: true },
    target_tenant: { ...olderTarget, aliasOf: "target_project", description: "The older name of target_project." },
  },
};
