// Statuses of a router's ports that no agent is left to tell.
import type { AgentRow } from "../store/agent-rows.ts";
import type { Trx } from "../store/database.ts";

export interface SwitchedOff {
  /** Its row is locked. */
  readonly routerId: string;
  readonly agent: Pick<AgentRow, "id">;
  readonly now: string;
}

/**
 * Its agent was switched off and takes the router away: its port on an HA network is DOWN, and so are the router's ports, if no
 * other host serves it. They are what the agent says when it has the router again.
 */
export async function downPorts(trx: Trx, { routerId, agent, now }: SwitchedOff): Promise<void> {
  const others = await trx
    .selectFrom("router_l3_agents")
    .innerJoin("agents", "agents.id", "router_l3_agents.agent_id")
    .select("agents.id")
    .where("router_id", "=", routerId)
    .where("agents.id", "!=", agent.id)
    .where("agents.admin_state_up", "=", 1)
    .execute();
  const isServed = others.length > 0;
  await trx
    .updateTable("ports")
    .set((eb) => ({ status: "DOWN", updated_at: now, revision_number: eb("revision_number", "+", 1) }))
    .where("id", "in", (eb) =>
      eb
        .selectFrom("router_ports")
        .select("port_id")
        .where("router_id", "=", routerId)
        .where((own) => {
          const isOnHaNetwork = own.and([own("kind", "=", "ha"), own("agent_id", "=", agent.id)]);
          return isServed ? isOnHaNetwork : own.or([isOnHaNetwork, own("kind", "!=", "ha")]);
        }),
    )
    .where("status", "in", ["ACTIVE", "BUILD"])
    .execute();
}
