// What servers say to L3 agents (role `l3`) and floating-IP agents (role `fip`), and what these report. Each (role, host) has a
// stream of its own, with the numbers, pages and rules of agent-messages.ts; only the items differ. Every schema is strict
// towards us and lenient towards newer peers: unknown keys are dropped, not refused.
import { z } from "zod";
import { floatingIpId, networkId, portId, routerId, subnetId } from "../model/ids.ts";
import type { FloatingIp, PortForwarding, Router } from "../model/router.ts";
import {
  networkSchema,
  portSchema,
  streamMessageSchema,
  subnetSchema,
  syncReplySchema,
  syncRequestSchema,
} from "./agent-messages.ts";

const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const networkIdSchema = uuid.transform(networkId);
const subnetIdSchema = uuid.transform(subnetId);
const portIdSchema = uuid.transform(portId);
const routerIdSchema = uuid.transform(routerId);
const floatingIpIdSchema = uuid.transform(floatingIpId);
const revision = z.int().nonnegative();
const macAddress = z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);
const ipAddress = z.union([z.ipv4(), z.ipv6()]);
const cidr = z.union([z.cidrv4(), z.cidrv6()]);
const ipVersion = z.union([z.literal(4), z.literal(6)]);
const ipv6Mode = z.enum(["slaac", "dhcpv6-stateful", "dhcpv6-stateless"]).nullable();

const routerAddressSchema = z.object({
  ipAddress,
  subnetId: subnetIdSchema,
  cidr,
  prefixLength: z.int().min(0).max(128),
  ipVersion,
  gatewayIp: ipAddress.nullable(),
  enableDhcp: z.boolean(),
  ipv6RaMode: ipv6Mode,
  ipv6AddressMode: ipv6Mode,
  dnsNameservers: z.array(z.string()),
  addressScopeId: uuid.nullable(),
});

const routerPort = {
  portId: portIdSchema,
  macAddress,
  networkId: networkIdSchema,
  mtuBytes: z.int().nonnegative(),
  carrier: z.object({
    networkType: z.enum(["local", "flat", "vlan", "vxlan"]),
    physicalNetwork: z.string().nullable(),
    segmentationId: z.int().nullable(),
  }),
  adminStateUp: z.boolean(),
  addresses: z.array(routerAddressSchema),
};

export const routerSchema = z.object({
  id: routerIdSchema,
  projectId: z.string(),
  name: z.string(),
  adminStateUp: z.boolean(),
  enableSnat: z.boolean(),
  distributed: z.literal(false),
  isHa: z.boolean(),
  ha: z.object({ vrId: z.int().min(1).max(254), priority: z.int(), port: z.object(routerPort) }).nullable(),
  interfaces: z.array(z.object(routerPort)),
  gateway: z.object({ ...routerPort, extraSubnets: z.array(z.object({ id: subnetIdSchema, cidr, ipVersion })) }).nullable(),
  routes: z.array(z.object({ destination: cidr, nexthop: ipAddress })),
  revision,
}) satisfies z.ZodType<Router>;

export const floatingIpSchema = z.object({
  id: floatingIpIdSchema,
  projectId: z.string(),
  floatingIp: ipAddress,
  fixedIp: ipAddress.nullable(),
  portId: portIdSchema.nullable(),
  routerId: routerIdSchema,
  gatewayPortId: portIdSchema,
  networkId: networkIdSchema,
  revision,
}) satisfies z.ZodType<FloatingIp>;

const portNumber = z.int().min(1).max(65_535);
const portRange = z.object({ first: portNumber, last: portNumber }).nullable();

export const portForwardingSchema = z.object({
  id: uuid,
  floatingIpId: floatingIpIdSchema,
  floatingIp: ipAddress,
  routerId: routerIdSchema,
  protocol: z.enum(["tcp", "udp", "sctp", "dccp", "icmp", "ipv6-icmp"]),
  externalPorts: portRange,
  internalPorts: portRange,
  internalIp: ipAddress,
  internalPortId: portIdSchema,
  revision,
}) satisfies z.ZodType<PortForwarding>;

const itemBase = { id: uuid, routerId: routerIdSchema, revision, traceparent: z.string().optional() };

/**
 * One change of one router (`id` and `routerId` are the same), in the streams of role `l3`. Revisions only grow, also over a
 * delete: a router that comes back to a host has a newer one than the delete that took it away.
 */
export const routerItemSchema = z.union([
  z.object({ op: z.literal("upsert"), kind: z.literal("router"), ...itemBase, body: routerSchema }),
  z.object({ op: z.literal("delete"), kind: z.literal("router"), ...itemBase }),
]);
export type RouterItem = z.infer<typeof routerItemSchema>;

/**
 * One change in the streams of role `fip`: of floating IPs that have a port or port forwardings, for the host of their router.
 * `routerId` of a delete is the router that served it. One that moves between routers of one host comes as one upsert: what it
 * replaces is known by its `id`. A router that leaves the host takes along what it served; each comes as a delete.
 */
export const floatingIpItemSchema = z.union([
  z.object({ op: z.literal("upsert"), kind: z.literal("floating-ip"), ...itemBase, body: floatingIpSchema }),
  z.object({ op: z.literal("upsert"), kind: z.literal("port-forwarding"), ...itemBase, body: portForwardingSchema }),
  z.object({ op: z.literal("delete"), kind: z.enum(["floating-ip", "port-forwarding"]), ...itemBase }),
]);
export type FloatingIpItem = z.infer<typeof floatingIpItemSchema>;

/** As `streamMessageSchema`, of `nl.ev.l3.<host>`. */
export const routerStreamMessageSchema = streamMessageSchema.extend({ items: z.array(routerItemSchema) });
/** Of `nl.ev.fip.<host>`. */
export const floatingIpStreamMessageSchema = streamMessageSchema.extend({ items: z.array(floatingIpItemSchema) });

/** `nl.rpc.l3.sync.<host>`, `nl.rpc.fip.sync.<host>`: as `syncRequestSchema`, with routers as the inventory of role `l3`. */
export const routerSyncRequestSchema = syncRequestSchema.extend({
  /** Routers that this host has at the moment. The answer begins with deletes of those that are not this agent's any more. */
  inventory: z.array(routerIdSchema).optional(),
});
export type RouterSyncRequest = z.infer<typeof routerSyncRequestSchema>;
export const routerSyncReplySchema = syncReplySchema.extend({ items: z.array(routerItemSchema) });
export const floatingIpSyncReplySchema = syncReplySchema.extend({ items: z.array(floatingIpItemSchema) });
export type RouterSyncReply = z.infer<typeof routerSyncReplySchema>;
export type FloatingIpSyncReply = z.infer<typeof floatingIpSyncReplySchema>;

/**
 * `nl.rpc.l3.findInstance.<host>`: whose address this is, for metadata. The source of the connection, on the networks of the
 * router whose listener took it; also a link-local one made from a MAC.
 */
export const findInstanceRequestSchema = z.object({ routerId: routerIdSchema, ipAddress });
export type FindInstanceRequest = z.infer<typeof findInstanceRequestSchema>;
/**
 * Networks of the router on which a port has the address, each with that port and the other ports of the same instance there.
 * Two views with a match are two instances with one address: nobody can tell which one asks.
 */
export const findInstanceReplySchema = z.object({
  views: z.array(z.object({ network: networkSchema, subnets: z.array(subnetSchema), ports: z.array(portSchema) })),
});
export type FindInstanceReply = z.infer<typeof findInstanceReplySchema>;

/** For people; shown in the API beside the status. */
const reason = z.string().max(500).nullable().default(null);
const maxReported = 1000;

/**
 * On `nl.st.l3.<host>`, answered with `{}` when stored. `revision` is the one that the kernel equals, or that failed; what is
 * older than the state that the server has waits for a newer report.
 */
export const routerStatusReportSchema = z.object({
  routers: z
    .array(z.object({ id: routerIdSchema, revision, status: z.enum(["ACTIVE", "ERROR"]), reason }))
    .max(maxReported)
    .default([]),
  haStates: z
    .array(z.object({ routerId: routerIdSchema, state: z.enum(["primary", "backup", "unknown"]) }))
    .max(maxReported)
    .default([]),
});

export type RouterStatusReport = z.input<typeof routerStatusReportSchema>;

/** On `nl.st.fip.<host>`, answered with `{}` when stored. DOWN: it was taken from the kernel, at the revision of its delete. */
export const floatingIpStatusReportSchema = z.object({
  floatingIps: z
    .array(z.object({ id: floatingIpIdSchema, revision, status: z.enum(["ACTIVE", "DOWN", "ERROR"]), reason }))
    .max(maxReported)
    .default([]),
});
export type FloatingIpStatusReport = z.input<typeof floatingIpStatusReportSchema>;
