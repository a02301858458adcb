// Which host of a router of high availability forwards, as its agents say it.
import { bridgeName } from "../../model/device-names.ts";
import { networkId } from "../../model/ids.ts";
import type { z } from "zod";
import type { routerStatusReportSchema } from "../../types/l3-messages.ts";
import type { AgentRow } from "../store/agent-rows.ts";
import type { Trx } from "../store/database.ts";
import { renewRevisions, tellAgain } from "../store/router-hosting.ts";
import type { Audience } from "../store/router-hosts.ts";
import type { RouterRow } from "../store/rows.ts";

type HaStateReport = z.output<typeof routerStatusReportSchema>["haStates"][number];

interface HaReports {
  /** Those that are reported of; their rows are locked. */
  readonly routers: readonly RouterRow[];
  readonly states: readonly HaStateReport[];
  readonly now: string;
  readonly audience: Audience;
}

/** What is not the agent's is left out: it may have moved away while the report was under way. */
export async function storeHaStates(trx: Trx, agent: AgentRow, { routers, states, now, audience }: HaReports): Promise<void> {
  const byRouter = new Map<string, HaStateReport["state"]>(states.map(({ routerId, state }) => [routerId, state]));
  for (const { id: routerId, ha } of routers) {
    const state = byRouter.get(routerId);
    if (ha !== 1 || state === undefined) continue;
    const before = await trx
      .selectFrom("router_l3_agents")
      .select("ha_state")
      .where("router_id", "=", routerId)
      .where("agent_id", "=", agent.id)
      .executeTakeFirst();
    if (before === undefined) continue;
    await trx
      .updateTable("router_l3_agents")
      .set({ ha_state: state })
      .where("router_id", "=", routerId)
      .where("agent_id", "=", agent.id)
      .execute();
    await activateHaPort(trx, { routerId, agentId: agent.id, now });
    if (state !== "primary") continue;
    await becomePrimary(trx, { routerId, agent, now });
    if (before.ha_state === "primary") continue;
    // What it said of the router while others had the word was dropped, and it does not know that. What they say comes too late.
    await renewRevisions(trx, routerId);
    await tellAgain(trx, { routerId, agent }, audience);
  }
}

/** Who was it before says so itself, or cannot. */
async function becomePrimary(
  trx: Trx,
  { routerId, agent, now }: { readonly routerId: string; readonly agent: AgentRow; readonly now: string },
): Promise<void> {
  await trx
    .updateTable("router_l3_agents")
    .set({ ha_state: "unknown" })
    .where("router_id", "=", routerId)
    .where("agent_id", "!=", agent.id)
    .where("ha_state", "=", "primary")
    .execute();
  const ports = await trx
    .selectFrom("router_ports")
    .innerJoin("ports", "ports.id", "router_ports.port_id")
    .select(["ports.id", "ports.network_id"])
    .where("router_ports.router_id", "=", routerId)
    .where("router_ports.kind", "!=", "ha")
    .where("ports.binding_host_id", "!=", agent.host)
    .execute();
  // The port itself goes on as it is: only the host is another.
  for (const port of ports) {
    const details = { port_filter: false, connectivity: "l2", bridge_name: bridgeName(networkId(port.network_id)) };
    await trx
      .updateTable("ports")
      .set((eb) => ({
        binding_host_id: agent.host,
        binding_vif_type: "bridge",
        binding_vif_details: JSON.stringify(details),
        updated_at: now,
        revision_number: eb("revision_number", "+", 1),
      }))
      .where("id", "=", port.id)
      .execute();
  }
}

/** Whoever says what it is has spoken on the HA network. */
async function activateHaPort(
  trx: Trx,
  { routerId, agentId, now }: { readonly routerId: string; readonly agentId: string; readonly now: string },
): Promise<void> {
  await trx
    .updateTable("ports")
    .set((eb) => ({ status: "ACTIVE", updated_at: now, revision_number: eb("revision_number", "+", 1) }))
    .where("id", "in", (eb) =>
      eb
        .selectFrom("router_ports")
        .select("port_id")
        .where("router_id", "=", routerId)
        .where("agent_id", "=", agentId)
        .where("kind", "=", "ha"),
    )
    .where("status", "!=", "ACTIVE")
    .execute();
}

const words: Readonly<Record<string, string>> = { primary: "active", backup: "standby" };

/** As the API says it; of an agent that is not heard nobody knows. Null: the router is not one of high availability. */
export function shownHaState(isHa: boolean, state: string | null, isAlive: boolean): string | null {
  if (!isHa) return null;
  return (isAlive ? words[state ?? ""] : undefined) ?? "unknown";
}
