import type { AttributeDeclaration, ResourceDeclaration } from "./declaration.ts";
import { access, identity, ownership, standardAttributes } from "./standard-attributes.ts";
import { boolean, checkText, converted, integer, oneOf, orNull, Refusal, readOnly, text, toUuid, uuid } from "./values.ts";

const alias = "security-group";

/** A name, or a number in digits; which ones there are is the service's rule, with an error of its own. */
const protocol = converted({ type: "string", maxLength: 40 }, (value) =>
  checkText(typeof value === "number" ? String(value) : value, { maxLength: 40 }),
);

const groupOrParent = converted({ type: "string", maxLength: 36 }, (value) => {
  if (value === "PARENT") return value;
  const id = toUuid(value);
  return id instanceof Refusal ? new Refusal(`${id.reason.slice(0, -1)}, and not PARENT.`) : id;
});

const match: Readonly<Record<string, AttributeDeclaration>> = {
  direction: {
    ...access.fixed,
    schema: oneOf(["ingress", "egress"]),
    required: true,
    filter: "text",
    sort: true,
    alias,
    description: "ingress (to the instance) or egress (from it).",
  },
  ethertype: {
    ...access.fixed,
    schema: text({ maxLength: 40 }),
    default: "IPv4",
    filter: "text",
    sort: true,
    alias,
    description: "IPv4 or IPv6.",
  },
  protocol: {
    ...access.fixed,
    schema: orNull(protocol),
    default: null,
    filter: "text",
    sort: true,
    alias,
    description: "Name or number of an IP protocol; null, any and 0 are all of them.",
  },
};

const anyInteger = integer(-2_147_483_648);

const ranges: Readonly<Record<string, AttributeDeclaration>> = {
  port_range_min: {
    ...access.fixed,
    schema: orNull(anyInteger),
    default: null,
    filter: "integer",
    sort: true,
    alias,
    description: "First port; the type for ICMP.",
  },
  port_range_max: {
    ...access.fixed,
    schema: orNull(anyInteger),
    default: null,
    filter: "integer",
    sort: true,
    alias,
    description: "Last port; the code for ICMP.",
  },
};

const remotes = (remoteGroup: Pick<AttributeDeclaration, "schema" | "filter" | "description">) =>
  ({
    remote_group_id: { ...access.fixed, ...remoteGroup, default: null, sort: true, alias },
    remote_ip_prefix: {
      ...access.fixed,
      schema: orNull(text({ maxLength: 64 })),
      default: null,
      filter: "text",
      sort: true,
      alias,
      description: "Addresses at the other end, as an address or <address>/<length>.",
    },
    remote_address_group_id: {
      ...access.fixed,
      schema: orNull(uuid),
      default: null,
      filter: "uuid",
      sort: true,
      alias: "security-groups-remote-address-group",
      description: "Address group at the other end.",
    },
  }) satisfies Readonly<Record<string, AttributeDeclaration>>;

const id = identity(alias).id;
const { tags: _tags, description, ...standard } = standardAttributes;
const described: AttributeDeclaration = { ...description, put: false };

export const securityGroupRuleResource: ResourceDeclaration = {
  name: "security_group_rule",
  collection: "security_group_rules",
  path: "security-group-rules",
  title: "Security group rule",
  alias,
  notFound: "SecurityGroupRuleNotFound",
  description: "What a security group lets through.",
  canCreate: true,
  canUpdate: false,
  canDelete: true,
  bulk: true,
  attributes: {
    id,
    ...ownership,
    security_group_id: {
      ...access.fixed,
      schema: uuid,
      required: true,
      filter: "uuid",
      sort: true,
      alias,
      description: "Group that it belongs to.",
    },
    ...match,
    ...ranges,
    ...remotes({ schema: orNull(uuid), filter: "uuid", description: "Security group of the ports at the other end." }),
    normalized_cidr: {
      ...access.computed,
      schema: readOnly({ type: "string" }),
      filter: "cidr",
      sort: true,
      alias: "security-groups-normalized-cidr",
      description: "Network of remote_ip_prefix, without the bits of a host.",
    },
    belongs_to_default_sg: {
      ...access.computed,
      schema: readOnly({ type: "boolean" }),
      filter: "boolean",
      alias: "security-groups-rules-belongs-to-default-sg",
      description: "Whether its group is the default one of a project.",
    },
    ...standard,
    description: described,
  },
};

const templateAlias = "security-groups-default-rules";

export const defaultSecurityGroupRuleResource: ResourceDeclaration = {
  name: "default_security_group_rule",
  collection: "default_security_group_rules",
  path: "default-security-group-rules",
  title: "Default security group rule",
  alias: templateAlias,
  notFound: "DefaultSecurityGroupRuleNotFound",
  description: "A rule that new security groups begin with.",
  canCreate: true,
  canUpdate: false,
  canDelete: true,
  bulk: true,
  adminOnly: true,
  attributes: {
    id,
    ...match,
    ...ranges,
    ...remotes({
      schema: orNull(groupOrParent),
      filter: "text",
      description: "Security group of the ports at the other end; PARENT is the group that the rule will be in.",
    }),
    used_in_default_sg: {
      ...access.fixed,
      schema: boolean,
      default: false,
      filter: "boolean",
      sort: true,
      alias: templateAlias,
      description: "Whether the default groups of projects get it.",
    },
    used_in_non_default_sg: {
      ...access.fixed,
      schema: boolean,
      default: true,
      filter: "boolean",
      sort: true,
      alias: templateAlias,
      description: "Whether other groups get it.",
    },
    ...standard,
    description: described,
  },
};
