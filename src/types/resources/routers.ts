import type { AttributeDeclaration, ResourceDeclaration } from "./declaration.ts";
import { routerExtras } from "./router-extras.ts";
import { access, identity, ownership, standardAttributes } from "./standard-attributes.ts";
import {
  boolean,
  cidr,
  ipAddress,
  listOf,
  orNull,
  quoted,
  readOnly,
  record,
  Refusal,
  text,
  toBoolean,
  converted,
  uuid,
} from "./values.ts";

const maxItems = 100;
// The limit of the API is a quota, with a fault of its own; this only bounds the work of a request.
const maxRoutes = 1000;

const externalFixedIp = record({ subnet_id: uuid.optional(), ip_address: ipAddress.optional() }).refine(
  (item) => item.subnet_id !== undefined || item.ip_address !== undefined,
  { error: "it has neither subnet_id nor ip_address." },
);

/** An empty one clears, as null does: older clients send it. */
const gatewayInfo = record({
  network_id: uuid.optional(),
  enable_snat: boolean.optional(),
  qos_policy_id: orNull(uuid).optional(),
  external_fixed_ips: listOf(externalFixedIp, { maxItems, nullIsEmpty: true, uniqueBy: (ip) => ip.ip_address }).optional(),
}).refine((info) => info.network_id !== undefined || Object.keys(info).length === 0, { error: "it has no network_id." });

export const routesSchema = listOf(record({ destination: cidr, nexthop: ipAddress }), {
  maxItems: maxRoutes,
  nullIsEmpty: true,
  uniqueBy: (route) => `${route.destination} via ${route.nexthop}`,
});

/** What clients may ask whether it is so, and not that it be so. */
const never = (what: string) =>
  converted({ type: "boolean" }, (value) => {
    const isAsked = toBoolean(value);
    return isAsked === true ? new Refusal(`${quoted(value)} is not accepted: this server has no ${what}.`) : isAsked;
  });

const adminAlways = { create: true, update: true, read: true } as const;

const kinds: Readonly<Record<string, AttributeDeclaration>> = {
  ha: {
    ...access.settable,
    schema: orNull(boolean),
    nullIsUnset: true,
    filter: "boolean",
    adminOnly: adminAlways,
    alias: "l3-ha",
    description: "Whether several agents host the router and one of them forwards; changed while admin_state_up is false.",
  },
  distributed: {
    ...access.settable,
    schema: orNull(never("distributed routers")),
    nullIsUnset: true,
    adminOnly: adminAlways,
    alias: "dvr",
    description: "Never: for clients that ask.",
  },
};

const gateway: Readonly<Record<string, AttributeDeclaration>> = {
  external_gateway_info: {
    ...access.settable,
    schema: orNull(gatewayInfo),
    alias: "ext-gw-mode",
    description:
      "The way out: network_id of an external network, enable_snat, external_fixed_ips, qos_policy_id; null or an empty object is none.",
  },
  enable_snat: {
    ...access.computed,
    schema: readOnly({ type: "boolean" }),
    filter: "boolean",
    sort: true,
    alias: "router-enable-snat",
    description: "Whether what leaves without a floating IP has the router's own address outside.",
  },
  routes: {
    post: false,
    put: true,
    visible: true,
    schema: routesSchema,
    alias: "extraroute",
    description: "Further routes: destination and nexthop; several with one destination share its traffic.",
  },
};

const availability: Readonly<Record<string, AttributeDeclaration>> = {
  availability_zone_hints: {
    ...access.fixed,
    schema: listOf(text({ maxLength: 255, minLength: 1 }), { maxItems, uniqueBy: (zone) => zone }),
    default: [],
    alias: "router_availability_zone",
    description: "Zones whose agents should serve the router.",
  },
  availability_zones: {
    ...access.computed,
    schema: readOnly({ type: "array", items: { type: "string" } }),
    alias: "router_availability_zone",
    description: "Zones of the agents that serve the router.",
  },
};

export const routerResource: ResourceDeclaration = {
  name: "router",
  collection: "routers",
  title: "Router",
  alias: "router",
  notFound: "RouterNotFound",
  description: "Joins subnets to each other and, by its gateway, to an external network.",
  canCreate: true,
  canUpdate: true,
  canDelete: true,
  bulk: true,
  attributes: {
    ...identity("router"),
    ...ownership,
    admin_state_up: {
      ...access.settable,
      schema: boolean,
      default: true,
      filter: "boolean",
      sort: true,
      alias: "router",
      description: "Whether the router should work.",
    },
    status: {
      ...access.computed,
      schema: readOnly({ enum: ["ACTIVE", "ALLOCATING", "ERROR"] }),
      filter: "text",
      sort: true,
      alias: "router",
      description: "Whether it does.",
    },
    status_reason: {
      ...access.computed,
      schema: readOnly({ type: ["string", "null"] }),
      alias: "status-reason",
      description: "Why its status is ERROR, in the agent's words.",
    },
    ...gateway,
    ...kinds,
    ...availability,
    ...routerExtras,
    ...standardAttributes,
  },
};
