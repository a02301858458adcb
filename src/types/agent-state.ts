// What a server asks an agent when somebody wants to know: how each of its networks, or routers, is. The agent's own socket says
// the same.
import { z } from "zod";
import { networkId, routerId } from "../model/ids.ts";

const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const networkIdSchema = uuid.transform(networkId);
const routerIdSchema = uuid.transform(routerId);

export const networkStateSchema = z.object({
  networkId: networkIdSchema,
  /** `waiting` for its first turn, `served`, `off` (no DHCP asked for), `degraded`, `failing` or `fenced`. */
  state: z.string(),
  /** Why it is not simply served. */
  reason: z.string().nullable(),
  ports: z.int().nonnegative(),
  /** Of the last reconcile; null when it failed or there was none yet. */
  outcome: z.string().nullable(),
  lastReconcileMs: z.number().nullable(),
  /** When it ended; UTC. */
  lastReconcileAt: z.string().nullable(),
});
export type NetworkState = z.infer<typeof networkStateSchema>;

/** On `nl.ask.<role>.state.<host>`: networks with ids after this one. */
export const stateRequestSchema = z.object({ after: networkIdSchema.optional() });

export const agentStateSchema = z.object({
  host: z.string(),
  phase: z.string(),
  /** In the order of their ids. */
  networks: z.array(networkStateSchema),
  /** There are more after the last of these. */
  hasMore: z.boolean().default(false),
});
export type AgentState = z.infer<typeof agentStateSchema>;

const routerStateSchema = z.object({
  routerId: routerIdSchema,
  /** `served`, `off`, `waiting` (of floating IPs: for the router), `degraded`, `failing` or `fenced`. */
  state: z.string(),
  /** Why it is not simply served. */
  reason: z.string().nullable(),
  /** Floating addresses; null of an L3 agent. */
  addresses: z.int().nonnegative().nullable(),
  /** Of the last reconcile; null when it failed, and of floating IPs. */
  outcome: z.string().nullable(),
  lastReconcileMs: z.number().nullable(),
  /** When it ended; UTC. */
  lastReconcileAt: z.string().nullable(),
});
export type RouterState = z.infer<typeof routerStateSchema>;

/** As `stateRequestSchema`, of roles `l3` and `fip`. */
export const routerStateRequestSchema = z.object({ after: routerIdSchema.optional() });

export const routerAgentStateSchema = agentStateSchema.omit({ networks: true }).extend({ routers: z.array(routerStateSchema) });
export type RouterAgentState = z.infer<typeof routerAgentStateSchema>;
