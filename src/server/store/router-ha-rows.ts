// Rows of routers of high availability: their numbers, their hosts' ports on the HA network, and which host is the primary.
import type { Kysely } from "kysely";
import type { AgentRow } from "./agent-rows.ts";
import type { Trx } from "./database.ts";
import { inChunks } from "./rows.ts";
import type { Database } from "./schema.ts";

/** By router; those that are not highly available are left out. */
export async function readVrIds(db: Kysely<Database>, routerIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const rows = await inChunks(routerIds, (piece) =>
    db.selectFrom("ha_routers").select(["router_id", "vr_id"]).where("router_id", "in", piece).execute(),
  );
  return new Map(rows.map((row) => [row.router_id, row.vr_id]));
}

interface HaPlace {
  readonly routerId: string;
  readonly agentId: string;
}

export async function readHaPortIds(trx: Trx, { routerId, agentId }: HaPlace): Promise<readonly string[]> {
  const links = await trx
    .selectFrom("router_ports")
    .select("port_id")
    .where("router_id", "=", routerId)
    .where("agent_id", "=", agentId)
    .where("kind", "=", "ha")
    .execute();
  return links.map((link) => link.port_id);
}

/** The agent does not host the router any more. */
export async function removeHaPort(trx: Trx, { routerId, agentId }: HaPlace): Promise<void> {
  const ids = await readHaPortIds(trx, { routerId, agentId });
  if (ids.length === 0) return;
  await trx.deleteFrom("router_ports").where("port_id", "in", ids).execute();
  await trx.deleteFrom("ports").where("id", "in", ids).execute();
}

/** The host on which a router's ports hang: the primary's, or the first one's while nobody says that it is. */
export async function readForwardingHost(trx: Trx, routerId: string): Promise<string | undefined> {
  const rows = await trx
    .selectFrom("router_l3_agents")
    .innerJoin("agents", "agents.id", "router_l3_agents.agent_id")
    .select(["host", "ha_state"])
    .where("router_id", "=", routerId)
    .orderBy("slot")
    .execute();
  return (rows.find((row) => row.ha_state === "primary") ?? rows[0])?.host;
}

/**
 * Whose word on the router and its floating IPs counts: the primary's while there is one. Before, a backup that cannot build
 * what it does not use would hide a primary that works, or the other way round.
 */
export async function readSpeakers(trx: Trx, routerId: string): Promise<readonly AgentRow[]> {
  const rows = await trx
    .selectFrom("router_l3_agents")
    .innerJoin("agents", "agents.id", "router_l3_agents.agent_id")
    .selectAll("agents")
    .select("ha_state")
    .where("router_id", "=", routerId)
    .orderBy("agents.host")
    .execute();
  const primary = rows.find((row) => row.ha_state === "primary");
  return primary === undefined ? rows : [primary];
}

/** Of these routers, those on which the host's word counts. */
export async function readSpokenFor(trx: Trx, host: string, routerIds: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await inChunks([...new Set(routerIds)], (piece) =>
    trx
      .selectFrom("router_l3_agents")
      .innerJoin("agents", "agents.id", "router_l3_agents.agent_id")
      .select(["router_id", "host", "ha_state"])
      .where("router_id", "in", piece)
      .execute(),
  );
  const others = new Set(rows.flatMap((row) => (row.ha_state === "primary" && row.host !== host ? row.router_id : [])));
  return new Set(rows.flatMap((row) => (row.host === host && !others.has(row.router_id) ? row.router_id : [])));
}
