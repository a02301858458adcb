// What an agent that was away must hear before anything else: which networks are no longer its own. Somebody else serves
// them by now, with the address that the agent still has.
import type { Kysely } from "kysely";
import type { StreamItem } from "../../types/agent-messages.ts";
import { readBoundNetworkIds, type AgentRow } from "../store/agent-rows.ts";
import { readOutbox } from "../store/outbox.ts";
import { inChunks } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import { deleteItem } from "../store/stream-items.ts";

/**
 * The same rows of a stream with the networks that are gone in front. What else the rows say of such a network is left out:
 * it would only be served for the moment until its removal comes.
 */
export function removalsFirst(items: readonly StreamItem[], bound: ReadonlySet<string>): readonly StreamItem[] {
  const removals = new Map<string, StreamItem>();
  for (const item of items) {
    if (item.op === "delete" && item.kind === "network" && !bound.has(item.networkId)) removals.set(item.networkId, item);
  }
  if (removals.size === 0) return items;
  return [...removals.values(), ...items.filter(({ networkId }) => !removals.has(networkId))];
}

/** A delete for each network that the host serves and should not. */
export async function lostNetworkItems(
  db: Kysely<Database>,
  inventory: readonly string[],
  bound: ReadonlySet<string>,
): Promise<readonly StreamItem[]> {
  const lost = inventory.filter((id) => !bound.has(id));
  const rows = await inChunks(lost, (piece) =>
    db
      .selectFrom("networks")
      .select(["id", "revision_number"])
      .where("id", "in", [...piece])
      .execute(),
  );
  const revisions = new Map(rows.map((row) => [row.id, row.revision_number]));
  // Of a network that is gone altogether nothing will ever come again, so any revision does.
  return lost.map((id) => deleteItem("network", id, id, revisions.get(id) ?? 0));
}

/** Networks that were taken from the agent in rows that it has not seen. */
export async function readLostNetworkIds(db: Kysely<Database>, agent: AgentRow, seen: number): Promise<readonly string[]> {
  const rows = await readOutbox(db, agent, { after: seen, limit: maxRows });
  const bound = new Set(await readBoundNetworkIds(db, agent.id));
  // The cast: rows of ours, which hold nothing else.
  const items = rows.map(({ item }) => JSON.parse(item) as StreamItem);
  const taken = items.filter(({ op, kind, networkId }) => op === "delete" && kind === "network" && !bound.has(networkId));
  return [...new Set(taken.map(({ networkId }) => networkId))];
}

/** What is beyond comes with the sync. */
const maxRows = 2000;
