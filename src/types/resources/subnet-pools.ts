import type { AttributeDeclaration, ResourceDeclaration } from "./declaration.ts";
import { access, identity, ownership, standardAttributes } from "./standard-attributes.ts";
import { boolean, cidr, integer, listOf, oneOf, orNull, text, uuid } from "./values.ts";

const maxPrefixes = 1000;

/** Also what the actions add_prefixes and remove_prefixes take. */
export const prefixesSchema = listOf(cidr, { maxItems: maxPrefixes });

// Beyond the lengths that a family has, the service has a fault of its own.
const length = {
  ...access.settable,
  schema: integer(0, 128),
  filter: "integer",
  sort: true,
  alias: "subnet_allocation",
} as const;

const lengths: Readonly<Record<string, AttributeDeclaration>> = {
  default_prefixlen: { ...length, description: "Length of a block when nobody asks for another; unset is min_prefixlen." },
  min_prefixlen: { ...length, description: "Length of the largest block; unset is 8 in IPv4 and 64 in IPv6." },
  max_prefixlen: { ...length, description: "Length of the smallest block; unset is that of one address." },
};

export const subnetPoolResource: ResourceDeclaration = {
  name: "subnetpool",
  collection: "subnetpools",
  title: "Subnet Pool",
  alias: "subnet_allocation",
  notFound: "SubnetPoolNotFound",
  description: "Addresses that blocks for subnets are taken from, none of them twice.",
  canCreate: true,
  canUpdate: true,
  canDelete: true,
  bulk: true,
  attributes: {
    id: identity("subnet_allocation").id,
    name: {
      ...access.settable,
      schema: text({ maxLength: 255, minLength: 1, notBlank: true }),
      required: true,
      filter: "text",
      sort: true,
      alias: "subnet_allocation",
      description: "Name for people; need not be unique.",
    },
    ...ownership,
    prefixes: {
      ...access.settable,
      schema: prefixesSchema,
      required: true,
      alias: "subnet_allocation",
      description: "Blocks of one family; a change may only add to them.",
    },
    ip_version: {
      ...access.computed,
      schema: oneOf([4, 6]),
      filter: "integer",
      sort: true,
      alias: "subnet_allocation",
      description: "4 or 6, as the prefixes are.",
    },
    ...lengths,
    default_quota: {
      ...access.settable,
      schema: orNull(integer(0, 2_147_483_647)),
      nullIsUnset: true,
      filter: "integer",
      sort: true,
      alias: "subnet_allocation",
      description: "What each project may take: addresses in IPv4, /64 blocks in IPv6; null is no limit.",
    },
    address_scope_id: {
      ...access.settable,
      schema: orNull(uuid),
      nullIsUnset: true,
      filter: "uuid",
      sort: true,
      alias: "address-scope",
      description: "Scope in which its addresses are unique; null is none.",
    },
    is_default: {
      ...access.settable,
      schema: boolean,
      default: false,
      filter: "boolean",
      sort: true,
      adminOnly: { create: true, update: true },
      alias: "default-subnetpools",
      description: "Whether subnets are taken from it when no pool is named; one for each family.",
    },
    shared: {
      ...access.fixed,
      schema: boolean,
      default: false,
      filter: "boolean",
      sort: true,
      adminOnly: { create: true },
      alias: "subnet_allocation",
      description: "Whether every project may take subnets from it.",
    },
    ...standardAttributes,
  },
};
