// What a server asks an agent when somebody wants to know: how each of its networks is. The agent's own socket says the same.
import { z } from "zod";
import { networkId } from "../model/ids.ts";

const networkIdSchema = z
  .string()
  .regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  .transform(networkId);

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
