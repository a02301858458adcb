// What an L3 agent that was away must hear before anything else: which routers are no longer its own. Somebody else serves
// them by now, with the addresses that the agent still has.
import type { Kysely } from "kysely";
import { type RouterId, routerId as toRouterId } from "../../model/ids.ts";
import type { RouterItem } from "../../types/l3-messages.ts";
import type { AgentRow } from "../store/agent-rows.ts";
import { readOutbox } from "../store/outbox.ts";
import { readHostedRouterIds } from "../store/router-hosts.ts";
import { routerDeleteItem } from "../store/router-items.ts";
import { inChunks } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";

/** The same rows with the routers that are gone in front, and nothing else of those. */
export function routerRemovalsFirst(items: readonly RouterItem[], hosted: ReadonlySet<string>): readonly RouterItem[] {
  const removals = new Map<string, RouterItem>();
  for (const item of items) if (item.op === "delete" && !hosted.has(item.id)) removals.set(item.id, item);
  if (removals.size === 0) return items;
  return [...removals.values(), ...items.filter(({ id }) => !removals.has(id))];
}

/** A delete for each router that the host has and should not. */
export async function lostRouterItems(
  db: Kysely<Database>,
  inventory: readonly string[],
  hosted: ReadonlySet<string>,
): Promise<readonly RouterItem[]> {
  const lost = inventory.filter((id) => !hosted.has(id));
  const rows = await inChunks(lost, (piece) =>
    db.selectFrom("routers").select(["id", "revision_number"]).where("id", "in", piece).execute(),
  );
  const revisions = new Map(rows.map((row) => [row.id, row.revision_number]));
  // Of a router that is gone altogether nothing will ever come again, so any revision does.
  return lost.map((id) => routerDeleteItem(id, revisions.get(id) ?? 0));
}

/** Routers that were taken from the agent in rows that it has not seen. */
export async function readLostRouterIds(db: Kysely<Database>, agent: AgentRow, seen: number): Promise<readonly RouterId[]> {
  const rows = await readOutbox(db, agent, { after: seen, limit: maxRows });
  const hosted = new Set(await readHostedRouterIds(db, agent.id));
  // The cast: rows of ours, which hold nothing else.
  const items = rows.map(({ item }) => JSON.parse(item) as RouterItem);
  const taken = items.filter(({ op, kind, id }) => op === "delete" && kind === "router" && !hosted.has(id));
  return [...new Set(taken.map(({ id }) => toRouterId(id)))];
}

/** What is beyond comes with the sync. */
const maxRows = 2000;
