import type { ResourceDeclaration } from "./declaration.ts";
import { access, identity, ownership, standardAttributes } from "./standard-attributes.ts";
import { boolean, oneOf } from "./values.ts";

const { tags: _untagged, ...standard } = standardAttributes;

export const addressScopeResource: ResourceDeclaration = {
  name: "address_scope",
  collection: "address_scopes",
  path: "address-scopes",
  title: "Address Scope",
  alias: "address-scope",
  notFound: "AddressScopeNotFound",
  description: "Subnet pools whose addresses do not overlap: between their subnets routers forward without translation.",
  canCreate: true,
  canUpdate: true,
  canDelete: true,
  bulk: true,
  attributes: {
    ...identity("address-scope"),
    ...ownership,
    ip_version: {
      ...access.fixed,
      schema: oneOf([4, 6]),
      required: true,
      filter: "integer",
      sort: true,
      alias: "address-scope",
      description: "4 or 6.",
    },
    shared: {
      ...access.settable,
      schema: boolean,
      default: false,
      filter: "boolean",
      sort: true,
      adminOnly: { create: true, update: true },
      alias: "address-scope",
      description: "Whether every project may use it; cannot be taken back.",
    },
    ...standard,
  },
};
