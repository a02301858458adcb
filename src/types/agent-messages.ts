// What servers and agents say to each other over NATS. Both ends check with these schemas; the value that comes out is
// the model of src/model, so nothing is translated twice. Every schema is strict towards us and lenient towards newer peers:
// unknown keys are dropped, not refused.
import { z } from "zod";
import { networkId, portId, routerId, subnetId } from "../model/ids.ts";

const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const networkIdSchema = uuid.transform(networkId);
const subnetIdSchema = uuid.transform(subnetId);
const portIdSchema = uuid.transform(portId);
const revision = z.int().nonnegative();
const macAddress = z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);
const ipAddress = z.union([z.ipv4(), z.ipv6()]);
const ipVersion = z.union([z.literal(4), z.literal(6)]);
const ipv6Mode = z.enum(["slaac", "dhcpv6-stateful", "dhcpv6-stateless"]).nullable();

export const networkSchema = z.object({
  id: networkIdSchema,
  projectId: z.string(),
  name: z.string(),
  adminStateUp: z.boolean(),
  mtuBytes: z.int().nonnegative(),
  dnsDomain: z.string(),
  revision,
});

export const subnetSchema = z.object({
  id: subnetIdSchema,
  networkId: networkIdSchema,
  cidr: z.union([z.cidrv4(), z.cidrv6()]),
  ipVersion,
  enableDhcp: z.boolean(),
  gatewayIp: ipAddress.nullable(),
  dnsNameservers: z.array(z.string()),
  hostRoutes: z.array(z.object({ destination: z.string(), nexthop: z.string() })),
  ipv6AddressMode: ipv6Mode,
  ipv6RaMode: ipv6Mode,
  segmentId: uuid.nullable().optional(),
  revision,
});

const fixedIpSchema = z.object({ subnetId: subnetIdSchema, ipAddress });

export const portSchema = z.object({
  id: portIdSchema,
  networkId: networkIdSchema,
  projectId: z.string().optional(),
  macAddress,
  deviceId: z.string(),
  deviceOwner: z.string(),
  adminStateUp: z.boolean(),
  fixedIps: z.array(fixedIpSchema),
  extraDhcpOpts: z.array(z.object({ optName: z.string(), optValue: z.string(), ipVersion })),
  dnsName: z.string(),
  bindingHost: z.string(),
  revision,
});

const itemBase = { networkId: networkIdSchema, revision, traceparent: z.string().optional() };

/** One change of one object. A delete carries the revision that the object would have had next, so that it wins over every older upsert. */
export const streamItemSchema = z.union([
  z.object({ op: z.literal("upsert"), kind: z.literal("network"), id: uuid, ...itemBase, body: networkSchema }),
  z.object({ op: z.literal("upsert"), kind: z.literal("subnet"), id: uuid, ...itemBase, body: subnetSchema }),
  z.object({ op: z.literal("upsert"), kind: z.literal("port"), id: uuid, ...itemBase, body: portSchema }),
  z.object({
    op: z.literal("delete"),
    kind: z.enum(["network", "subnet", "port"]),
    id: uuid,
    ...itemBase,
    /** Of a port: the addresses that are free now. */
    fixedIps: z.array(fixedIpSchema).optional(),
  }),
]);
export type StreamItem = z.infer<typeof streamItemSchema>;

/**
 * A piece of one (role, host) stream: the rows with `prev < seq' ≤ seq`. A receiver whose last seq is not `prev` has missed
 * something (or has seen this already, when its last seq ≥ `seq`). Another `epoch` makes all that it knows void.
 */
export const streamMessageSchema = z.object({
  epoch: z.string(),
  seq: z.int().nonnegative(),
  prev: z.int().nonnegative(),
  items: z.array(streamItemSchema),
});
export type StreamMessage = z.infer<typeof streamMessageSchema>;

/** On `nl.ev.<role>.<host>.ctl`: the server saw in a heartbeat that the agent is behind, or its admin state changed. */
export const controlMessageSchema = z.object({
  action: z.enum(["resync", "agent-updated"]),
  reason: z.string(),
  /** Networks that others have been given while the agent was silent: to be served no longer, also before the sync is done. */
  lostNetworkIds: z.array(networkIdSchema).optional(),
  /** The same for routers, to L3 agents and floating-IP agents. */
  lostRouterIds: z.array(uuid.transform(routerId)).optional(),
});
export type ControlMessage = z.infer<typeof controlMessageSchema>;

export const agentDescriptionSchema = z.object({
  agentType: z.string(),
  binary: z.string(),
  host: z.string(),
  /** New at every start of the process. */
  bootId: z.string(),
  availabilityZone: z.string(),
  /** Milliseconds since the epoch. */
  startedAtMs: z.int().nonnegative(),
  configurations: z.record(z.string(), z.unknown()),
});
export type AgentDescription = z.infer<typeof agentDescriptionSchema>;

/** `sync since`. The first one of a process has `since: 0` and `epoch: ""`; it also registers the agent. */
export const syncRequestSchema = z.object({
  agent: agentDescriptionSchema,
  epoch: z.string(),
  since: z.int().nonnegative(),
  /** Continues a snapshot; from the previous page's `next`. */
  cursor: z.string().optional(),
  /** What this host serves at the moment. The answer begins with deletes of those that are not this agent's any more. */
  inventory: z.array(networkIdSchema).optional(),
});
export type SyncRequest = z.infer<typeof syncRequestSchema>;

/**
 * `delta`: `items` bring a copy at `since` to `seq`. `snapshot`: `items` of all pages together are everything that this
 * agent hosts, as it was at `seq` or later; what no page names is gone. `seq` of a snapshot is that of its first page.
 */
export const syncReplySchema = z.object({
  mode: z.enum(["delta", "snapshot"]),
  epoch: z.string(),
  seq: z.int().nonnegative(),
  items: z.array(streamItemSchema),
  /** Present while more pages follow. */
  next: z.string().optional(),
});
export type SyncReply = z.infer<typeof syncReplySchema>;

export const networkRequestSchema = z.object({ networkId: networkIdSchema });
/** Answer of `getNetworkInfo`: `items` empty when the network is gone or not this agent's. */
export const networkReplySchema = z.object({ items: z.array(streamItemSchema) });

/** Create or complete this agent's DHCP port: an address on each of `subnetIds`. Idempotent by (network, host). */
export const claimPortRequestSchema = z.object({ networkId: networkIdSchema, subnetIds: z.array(subnetIdSchema) });
export type ClaimPortRequest = z.infer<typeof claimPortRequestSchema>;
/** `port: null` when the network or a subnet has gone meanwhile: a newer event is on its way. */
export const claimPortReplySchema = z.object({
  port: portSchema.nullable(),
  /** Asked subnets that have no address left; the port has one on each of the others. */
  fullSubnetIds: z.array(subnetIdSchema).default([]),
});
export type ClaimPortReply = z.infer<typeof claimPortReplySchema>;
export const releasePortRequestSchema = z.object({ networkId: networkIdSchema });

export const leaseReportSchema = z.object({
  event: z.enum(["add", "old", "del"]),
  networkId: networkIdSchema,
  ipAddress,
  macAddress: macAddress.nullable(),
  hostname: z.string().max(255).nullable(),
  /** Milliseconds since the epoch; null = never. */
  expiresAtMs: z.number().nullable(),
  observedAtMs: z.number(),
});
export type LeaseReport = z.infer<typeof leaseReportSchema>;

/** What an operator should hear of a host. */
export const agentEventSchema = z.object({
  kind: z.enum(["dhcp-server-died", "dhcp-server-given-up"]),
  networkId: networkIdSchema,
  /** Milliseconds since the epoch, by the agent's clock. */
  atMs: z.number(),
});
export type AgentEvent = z.infer<typeof agentEventSchema>;

/** On `nl.st.<role>.<host>`, answered with `{}` when stored. At most 256 ports and 256 leases each. */
export const statusReportSchema = z.object({
  readyPorts: z
    .array(z.object({ id: portIdSchema, revision }))
    .max(256)
    .default([]),
  leases: z.array(leaseReportSchema).max(256).default([]),
  events: z.array(agentEventSchema).max(256).optional(),
});
export type StatusReport = z.infer<typeof statusReportSchema>;

/** On `nl.hb.<role>.<host>`, published, never answered. */
export const heartbeatSchema = z.object({
  agent: agentDescriptionSchema,
  /** Milliseconds since the epoch by the agent's clock: tells a late heartbeat from a new one. The server judges what it is. */
  sentAtMs: z.unknown().optional(),
  phase: z.enum(["starting", "syncing", "ready", "stopping"]),
  /** Networks done and to do of the present sync. */
  progress: z.object({ done: z.int(), total: z.int() }),
  seen: z.object({ epoch: z.string(), seq: z.int().nonnegative() }),
  load: z.object({
    networks: z.int(),
    subnets: z.int(),
    ports: z.int(),
    dirty: z.int(),
    oldestDirtyMs: z.number(),
    /** Of L3 agents and floating-IP agents. */
    routers: z.int().optional(),
    floatingIps: z.int().optional(),
  }),
});
export type Heartbeat = z.infer<typeof heartbeatSchema>;
