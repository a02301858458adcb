// What an agent hosts, in pages: first all its networks, then all their subnets, then all their ports, each by network id
// and own id. A page is cut at a size that NATS surely takes; the cursor says where the next one goes on.
import type { Kysely } from "kysely";
import { z } from "zod";
import { NetloomError } from "../../base/errors.ts";
import type { StreamItem } from "../../types/agent-messages.ts";
import { readBoundNetworkIds } from "../store/agent-rows.ts";
import { mostBytes } from "./item-bytes.ts";
import { readPortItems } from "../store/network-items.ts";
import type { Database } from "../store/schema.ts";
import { networkItem, subnetItem } from "../store/stream-items.ts";

export const maxPageBytes = 512 * 1024;
const rowsAtOnce = 1000;
/** Whose ports are read together before anything is known of how many they have. */
const firstNetworks = 8;
/**
 * Rows are looked up by the ids of so many networks, not by a join: SQLite would walk through the rows of all agents, and a
 * thousand agents that come back would each pay for all.
 */
const networksAtOnce = 50;
/** Behind every id. */
const lastId = "~";
const phases = ["networks", "subnets", "ports"] as const;

const cursorSchema = z.object({
  seq: z.int().nonnegative(),
  phase: z.enum(phases),
  networkId: z.string(),
  id: z.string(),
  /** As it was seen last. */
  portsPerNetwork: z.number().optional(),
});
/** The last object of the page before; `seq` is that of the first page. */
export type SnapshotCursor = z.infer<typeof cursorSchema>;

export interface SnapshotPage {
  readonly items: readonly StreamItem[];
  readonly next: SnapshotCursor | undefined;
}

type Phase = (typeof phases)[number];

export const firstCursor = (seq: number): SnapshotCursor => ({ seq, phase: "networks", networkId: "", id: "" });

export const formatCursor = (cursor: SnapshotCursor): string => Buffer.from(JSON.stringify(cursor)).toString("base64url");

export function parseCursor(text: string): SnapshotCursor {
  try {
    return cursorSchema.parse(JSON.parse(Buffer.from(text, "base64url").toString()));
  } catch (cause) {
    throw new NetloomError("INVALID", "the cursor is not one of ours", {}, cause);
  }
}

/** @param agentId whose networks; they are looked up anew for each page, what changes meanwhile is in the stream. */
export async function readSnapshotPage(
  db: Kysely<Database>,
  agentId: string,
  { cursor, maxBytes = maxPageBytes }: { readonly cursor: SnapshotCursor; readonly maxBytes?: number },
): Promise<SnapshotPage> {
  const items: StreamItem[] = [];
  let bytes = 0;
  let at: SnapshotCursor | undefined = cursor;
  while (at !== undefined) {
    const { items: found, next }: FoundItems = await readItems(db, agentId, at);
    for (const item of found) {
      bytes += mostBytes(item);
      // One item always fits, or there would be no end.
      if (items.length > 0 && bytes > maxBytes) return { items, next: at };
      items.push(item);
      at = { ...at, networkId: item.networkId, id: item.id };
    }
    at = next;
  }
  return { items, next: undefined };
}

function nextPhase({ seq, phase }: SnapshotCursor): SnapshotCursor | undefined {
  const next: Phase | undefined = phases[phases.indexOf(phase) + 1];
  return next === undefined ? undefined : { seq, phase: next, networkId: "", id: "" };
}

interface FoundItems {
  readonly items: readonly StreamItem[];
  /** Where to go on. */
  readonly next: SnapshotCursor | undefined;
}

interface ReadItems {
  readonly items: readonly StreamItem[];
  /** Of the networks that were asked for, the last one that was looked at; absent: all. */
  readonly upTo?: string;
  readonly portsPerNetwork?: number;
}

async function readItems(db: Kysely<Database>, agentId: string, cursor: SnapshotCursor): Promise<FoundItems> {
  const networkIds = await readBoundNetworkIds(db, agentId, { from: cursor.networkId, limit: networksAtOnce });
  const { items, upTo, ...seen }: ReadItems =
    networkIds.length === 0 ? { items: [] } : await readers[cursor.phase](db, networkIds, cursor);
  const here = { ...cursor, ...seen };
  const last = items.at(-1);
  if (items.length >= rowsAtOnce && last !== undefined)
    return { items, next: { ...here, networkId: last.networkId, id: last.id } };
  const lastNetwork = upTo ?? networkIds.at(-1);
  const isLast = upTo === undefined && networkIds.length < networksAtOnce;
  if (isLast || lastNetwork === undefined) return { items, next: nextPhase(cursor) };
  return { items, next: { ...here, networkId: lastNetwork, id: lastId } };
}

type Reader = (db: Kysely<Database>, networkIds: readonly string[], after: SnapshotCursor) => Promise<ReadItems>;

const readers: Readonly<Record<Phase, Reader>> = {
  async networks(db, networkIds, { networkId, id }) {
    // Of the network that the cursor is at, everything was read: that is itself.
    const ids = networkIds.filter((one) => one !== networkId || id === "");
    if (ids.length === 0) return { items: [] };
    const rows = await db.selectFrom("networks").selectAll().where("id", "in", ids).orderBy("id").execute();
    return { items: rows.map(networkItem) };
  },

  async subnets(db, networkIds, { networkId, id }) {
    const rows = await db
      .selectFrom("subnets")
      .selectAll()
      .where("network_id", "in", networkIds)
      .where((eb) => eb(eb.refTuple("network_id", "id"), ">", eb.tuple(networkId, id)))
      .orderBy("network_id")
      .orderBy("id")
      .limit(rowsAtOnce)
      .execute();
    return { items: rows.map(subnetItem) };
  },

  async ports(db, networkIds, { networkId, id, portsPerNetwork }) {
    const open = id === lastId ? networkIds.filter((one) => one !== networkId) : networkIds;
    const ids = open.slice(0, networksThatFit(portsPerNetwork));
    const upTo = ids.at(-1);
    if (upTo === undefined) return { items: [] };
    const items = await readPortItems(db, ids, { after: { networkId, id }, limit: rowsAtOnce });
    // Of a full read only the networks that it reached are known.
    const reached = items.length < rowsAtOnce ? ids.length : new Set(items.map((item) => item.networkId)).size;
    return { items, portsPerNetwork: items.length / reached, ...(upTo === networkIds.at(-1) ? {} : { upTo }) };
  },
};

/**
 * How many networks are likely to have as many ports as are read at once. The engines sort what they are to give some of: of fifty
 * networks at once each row might be read and sorted many times.
 */
function networksThatFit(portsPerNetwork: number | undefined): number {
  if (portsPerNetwork === undefined) return firstNetworks;
  return Math.max(1, Math.floor(rowsAtOnce / Math.max(1, portsPerNetwork)));
}
