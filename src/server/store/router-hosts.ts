// Which L3 agents host which routers, and the streams of those hosts. The row of a router is the lock of all of this: whoever
// changes what agents are told of it, or who is told, has updated that row first in the same transaction.
import type { Kysely } from "kysely";
import { routerId } from "../../model/ids.ts";
import type { FloatingIpItem } from "../../types/l3-messages.ts";
import type { AgentRow, LoadedAgent, ZonedBinding } from "./agent-rows.ts";
import type { Trx } from "./database.ts";
import { recordItemsForHost } from "./outbox.ts";
import { readRouterItems } from "./router-items.ts";
import { hasRowLocks, inChunks, type RouterRow } from "./rows.ts";
import type { Database } from "./schema.ts";

/** In the order of their ids, so that nobody waits in a circle; what is gone is left out. They stay until the transaction ends. */
export async function lockRouterRows(
  trx: Trx,
  ids: readonly string[],
  lock: "update" | "delete" = "update",
): Promise<RouterRow[]> {
  return inChunks([...new Set(ids)].sort(), (piece) =>
    trx
      .selectFrom("routers")
      .selectAll()
      .where("id", "in", piece)
      .orderBy("id")
      .$if(hasRowLocks(trx), (query) => (lock === "delete" ? query.forUpdate() : query.forNoKeyUpdate()))
      .execute(),
  );
}

export interface RouterHost {
  readonly routerId: string;
  readonly agentId: string;
  readonly host: string;
}

export interface Audience {
  /** Agents that are switched off keep what they have. */
  readonly servesDisabled: boolean;
}

/** Hosts that should know of the routers: of both roles the same, but for agents that are switched off. */
export async function readRouterHosts(
  db: Kysely<Database>,
  routerIds: readonly string[],
  { servesDisabled }: Audience,
): Promise<readonly RouterHost[]> {
  const rows = await inChunks(routerIds, (piece) =>
    db
      .selectFrom("router_l3_agents")
      .innerJoin("agents", "agents.id", "router_l3_agents.agent_id")
      .select(["router_id", "agent_id", "host"])
      .where("router_id", "in", piece)
      .where("agents.admin_state_up", "in", servesDisabled ? [0, 1] : [1])
      .orderBy("host")
      .execute(),
  );
  return rows.map((row) => ({ routerId: row.router_id, agentId: row.agent_id, host: row.host }));
}

/** The routers as they are now, to everybody who hosts them. */
export async function recordRouters(trx: Trx, ids: readonly string[], audience: Audience): Promise<void> {
  const hosts = await readRouterHosts(trx, ids, audience);
  if (hosts.length === 0) return;
  const routers = await readRouterItems(trx, [...new Set(hosts.map((host) => host.routerId))]);
  for (const [host, rows] of sortedByHost(hosts)) {
    const items = rows.flatMap(({ routerId: id, agentId }) => routers.get(id)?.(agentId) ?? []);
    await recordItemsForHost(trx, { role: "l3", host }, items);
  }
}

/** To the floating-IP agents on the hosts of `routerId` of each item. */
export async function recordFloatingIps(trx: Trx, items: readonly FloatingIpItem[], audience: Audience): Promise<void> {
  const byRouter = Map.groupBy(items, (item) => item.routerId);
  const hosts = await readRouterHosts(trx, [...byRouter.keys()], audience);
  const off = audience.servesDisabled ? new Set<string>() : await readSwitchedOffHosts(trx, hosts);
  for (const [host, rows] of sortedByHost(hosts)) {
    if (off.has(host)) continue;
    const own = rows.flatMap((row) => byRouter.get(routerId(row.routerId)) ?? []);
    await recordItemsForHost(trx, { role: "fip", host }, withoutMoved(own));
  }
}

/** Of what moves between two routers of one host, its arrival says all. */
function withoutMoved(items: readonly FloatingIpItem[]): readonly FloatingIpItem[] {
  const arriving = new Set(items.flatMap((item) => (item.op === "upsert" ? [item.id] : [])));
  return items.filter((item) => item.op === "upsert" || !arriving.has(item.id));
}

/** An agent that is not registered yet reads everything when it is; one that is switched off must not be told. */
export async function readSwitchedOffHosts(
  db: Kysely<Database>,
  hosts: readonly { readonly host: string }[],
): Promise<ReadonlySet<string>> {
  const rows = await inChunks([...new Set(hosts.map(({ host }) => host))], (piece) =>
    db
      .selectFrom("agents")
      .select("host")
      .where("role", "=", "fip")
      .where("admin_state_up", "=", 0)
      .where("host", "in", piece)
      .execute(),
  );
  return new Set(rows.map((row) => row.host));
}

function sortedByHost(hosts: readonly RouterHost[]): readonly (readonly [string, readonly RouterHost[]])[] {
  return [...Map.groupBy(hosts, ({ host }) => host)].sort(([one], [other]) => (one < other ? -1 : 1));
}

export async function readRouterBindings(db: Kysely<Database>, id: string): Promise<readonly ZonedBinding[]> {
  const rows = await db
    .selectFrom("router_l3_agents")
    .innerJoin("agents", "agents.id", "router_l3_agents.agent_id")
    .select(["agent_id", "slot", "availability_zone"])
    .where("router_id", "=", id)
    .orderBy("slot")
    .execute();
  return rows.map((row) => ({ agentId: row.agent_id, slot: row.slot, zone: row.availability_zone }));
}

/** In the order of their ids, not before `from`. */
export async function readHostedRouterIds(
  db: Kysely<Database>,
  agentId: string,
  page?: { readonly from: string; readonly limit: number },
): Promise<readonly string[]> {
  const rows = await db
    .selectFrom("router_l3_agents")
    .select("router_id")
    .where("agent_id", "=", agentId)
    .where("router_id", ">=", page?.from ?? "")
    .orderBy("router_id")
    .$if(page !== undefined, (query) => query.limit(page?.limit ?? 0))
    .execute();
  return rows.map((row) => row.router_id);
}

/** L3 agents that may be given work, with how many routers they have. */
export async function readL3Candidates(db: Kysely<Database>): Promise<readonly LoadedAgent[]> {
  const rows = await db
    .selectFrom("agents")
    .selectAll("agents")
    .select((eb) =>
      eb
        .selectFrom("router_l3_agents as bound")
        .select(eb.fn.countAll<number | string>().as("count"))
        .whereRef("bound.agent_id", "=", "agents.id")
        .as("load"),
    )
    .where("agents.role", "=", "l3")
    .where("agents.admin_state_up", "=", 1)
    .orderBy("agents.id")
    .execute();
  return rows.map((row) => Object.assign(row, { load: Number(row.load ?? 0) }));
}

/** The L3 agent whose routers an agent of either role serves: the one of its host. */
export async function findL3AgentOf(db: Kysely<Database>, agent: Pick<AgentRow, "host">): Promise<AgentRow | undefined> {
  return db.selectFrom("agents").selectAll().where("role", "=", "l3").where("host", "=", agent.host).executeTakeFirst();
}
