import type { AttributeDeclaration, ResourceDeclaration } from "./declaration.ts";
import { access, identity, ownership, standardAttributes } from "./standard-attributes.ts";
import {
  boolean,
  cidr,
  integer,
  ipAddress,
  listOf,
  oneOf,
  orNull,
  readOnly,
  record,
  subnetPoolId,
  text,
  uuid,
} from "./values.ts";

// Limits of the API (five name servers, twenty routes) are rules of the service and have faults of their own; these only
// bound the work that one request can ask for.
const maxItems = 100;
const ipv6Mode = orNull(oneOf(["slaac", "dhcpv6-stateful", "dhcpv6-stateless"]));

const ipv6Modes: Readonly<Record<string, AttributeDeclaration>> = {
  ipv6_ra_mode: {
    ...access.fixed,
    schema: ipv6Mode,
    nullIsUnset: true,
    filter: "text",
    sort: true,
    alias: "subnet",
    description: "What router advertisements announce; IPv6 only.",
  },
  ipv6_address_mode: {
    ...access.fixed,
    schema: ipv6Mode,
    nullIsUnset: true,
    filter: "text",
    sort: true,
    alias: "subnet",
    description: "How ports get their addresses; IPv6 only.",
  },
};

const lists: Readonly<Record<string, AttributeDeclaration>> = {
  allocation_pools: {
    ...access.settable,
    schema: listOf(record({ start: ipAddress, end: ipAddress }), { maxItems }),
    alias: "subnet",
    description: "Ranges that addresses are chosen from; unset is everything but the gateway.",
  },
  dns_nameservers: {
    ...access.settable,
    schema: listOf(ipAddress, { maxItems, nullIsEmpty: true, uniqueBy: (server) => server }),
    alias: "subnet",
    description: "Name servers for clients, in this order.",
  },
  host_routes: {
    ...access.settable,
    schema: listOf(record({ destination: cidr, nexthop: ipAddress }), {
      maxItems,
      nullIsEmpty: true,
      uniqueBy: (route) => `${route.destination} via ${route.nexthop}`,
    }),
    alias: "subnet",
    description: "Routes for clients.",
  },
  service_types: {
    ...access.settable,
    schema: listOf(text({ maxLength: 255, minLength: 1, notBlank: true }), { maxItems, uniqueBy: (owner) => owner }),
    adminOnly: { create: true, update: true },
    alias: "subnet-service-types",
    description: "Prefixes of device owners that the subnet is kept for.",
  },
};

const askedOnly = { post: true, put: false, visible: false } as const;

const fromPools: Readonly<Record<string, AttributeDeclaration>> = {
  subnetpool_id: {
    ...access.fixed,
    schema: orNull(subnetPoolId),
    nullIsUnset: true,
    filter: "uuid",
    sort: true,
    alias: "subnet_allocation",
    description: "Pool that the block is taken from; null is none.",
  },
  prefixlen: {
    ...askedOnly,
    schema: integer(0, 128),
    alias: "subnet_allocation",
    description: "Length of the block that is wanted of a pool; unset is the pool's default_prefixlen.",
  },
  use_default_subnetpool: {
    ...askedOnly,
    schema: boolean,
    default: false,
    alias: "default-subnetpools",
    description: "Whether the block is taken from the default pool of its family.",
  },
};

const hiddenFilter = {
  post: false,
  put: false,
  visible: false,
  schema: readOnly({ type: "boolean" }),
  filter: "boolean",
} as const;

/** Never shown: a list can be narrowed down by what the network is. */
const followsNetwork: Readonly<Record<string, AttributeDeclaration>> = {
  shared: { ...hiddenFilter, alias: "subnet", description: "Whether its network is shared." },
  "router:external": {
    ...hiddenFilter,
    alias: "subnet-external-network",
    description: "Whether its network is external.",
  },
};

export const subnetResource: ResourceDeclaration = {
  name: "subnet",
  collection: "subnets",
  title: "Subnet",
  alias: "subnet",
  notFound: "SubnetNotFound",
  description: "A block of addresses on a network, with what DHCP tells about it.",
  canCreate: true,
  canUpdate: true,
  canDelete: true,
  bulk: true,
  attributes: {
    ...identity("subnet"),
    ...ownership,
    network_id: {
      ...access.fixed,
      schema: uuid,
      required: true,
      filter: "uuid",
      sort: true,
      alias: "subnet",
      description: "Network that it is on.",
    },
    ip_version: {
      ...access.fixed,
      schema: oneOf([4, 6]),
      required: true,
      filter: "integer",
      sort: true,
      alias: "subnet",
      description: "4 or 6.",
    },
    cidr: {
      ...access.fixed,
      schema: orNull(cidr),
      nullIsUnset: true,
      filter: "cidr",
      sort: true,
      alias: "subnet",
      description: "The block, as in 10.0.0.0/24; without it, one is taken from a subnet pool.",
    },
    gateway_ip: {
      ...access.settable,
      schema: orNull(ipAddress),
      filter: "ip",
      sort: true,
      alias: "subnet",
      description: "Default router; unset is the first address, null is none.",
    },
    enable_dhcp: {
      ...access.settable,
      schema: boolean,
      default: true,
      filter: "boolean",
      sort: true,
      alias: "subnet",
      description: "Whether an agent answers DHCP.",
    },
    ...ipv6Modes,
    ...lists,
    segment_id: {
      ...access.settable,
      schema: orNull(uuid),
      default: null,
      filter: "uuid",
      sort: true,
      adminOnly: { create: true, update: true },
      alias: "segment",
      description: "Segment of the network that it belongs to; null where the network is one wire.",
    },
    dns_publish_fixed_ip: {
      ...access.settable,
      schema: boolean,
      default: false,
      alias: "subnet-dns-publish-fixed-ip",
      description: "Whether addresses of ports are published in an outer DNS.",
    },
    ...fromPools,
    ...followsNetwork,
    ...standardAttributes,
  },
};
