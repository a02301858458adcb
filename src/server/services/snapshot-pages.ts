// What an agent hosts, in pages: first all its networks, then all their subnets, then all their ports, each by network id
// and own id. A page is cut at a size that NATS surely takes; the cursor says where the next one goes on.
import type { Kysely } from "kysely";
import { z } from "zod";
import { NetloomError } from "../../base/errors.ts";
import type { StreamItem } from "../../types/agent-messages.ts";
import { toPortItems } from "../store/network-items.ts";
import type { Database } from "../store/schema.ts";
import { networkItem, subnetItem } from "../store/stream-items.ts";

export const maxPageBytes = 512 * 1024;
const rowsAtOnce = 500;
const phases = ["networks", "subnets", "ports"] as const;

const cursorSchema = z.object({
  seq: z.int().nonnegative(),
  phase: z.enum(phases),
  networkId: z.string(),
  id: z.string(),
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
    const found: readonly StreamItem[] = await readItems(db, agentId, at);
    for (const item of found) {
      bytes += Buffer.byteLength(JSON.stringify(item));
      // One item always fits, or there would be no end.
      if (items.length > 0 && bytes > maxBytes) return { items, next: at };
      items.push(item);
      at = { ...at, networkId: item.networkId, id: item.id };
    }
    if (found.length < rowsAtOnce) at = nextPhase(at);
  }
  return { items, next: undefined };
}

function nextPhase({ seq, phase }: SnapshotCursor): SnapshotCursor | undefined {
  const next: Phase | undefined = phases[phases.indexOf(phase) + 1];
  return next === undefined ? undefined : { seq, phase: next, networkId: "", id: "" };
}

async function readItems(db: Kysely<Database>, agentId: string, cursor: SnapshotCursor): Promise<readonly StreamItem[]> {
  switch (cursor.phase) {
    case "networks":
      return readNetworks(db, agentId, cursor);
    case "subnets":
      return readSubnets(db, agentId, cursor);
    case "ports":
      return readPorts(db, agentId, cursor);
  }
}

async function readNetworks(db: Kysely<Database>, agentId: string, { id }: SnapshotCursor): Promise<readonly StreamItem[]> {
  const rows = await db
    .selectFrom("networks")
    .innerJoin("network_dhcp_agents as bound", "bound.network_id", "networks.id")
    .selectAll("networks")
    .where("bound.agent_id", "=", agentId)
    .where("networks.id", ">", id)
    .orderBy("networks.id")
    .limit(rowsAtOnce)
    .execute();
  return rows.map(networkItem);
}

async function readSubnets(
  db: Kysely<Database>,
  agentId: string,
  { networkId, id }: SnapshotCursor,
): Promise<readonly StreamItem[]> {
  const rows = await db
    .selectFrom("subnets")
    .innerJoin("network_dhcp_agents as bound", "bound.network_id", "subnets.network_id")
    .selectAll("subnets")
    .where("bound.agent_id", "=", agentId)
    .where((eb) => eb(eb.refTuple("subnets.network_id", "subnets.id"), ">", eb.tuple(networkId, id)))
    .orderBy("subnets.network_id")
    .orderBy("subnets.id")
    .limit(rowsAtOnce)
    .execute();
  return rows.map(subnetItem);
}

async function readPorts(
  db: Kysely<Database>,
  agentId: string,
  { networkId, id }: SnapshotCursor,
): Promise<readonly StreamItem[]> {
  const rows = await db
    .selectFrom("ports")
    .innerJoin("network_dhcp_agents as bound", "bound.network_id", "ports.network_id")
    .selectAll("ports")
    .where("bound.agent_id", "=", agentId)
    .where((eb) => eb(eb.refTuple("ports.network_id", "ports.id"), ">", eb.tuple(networkId, id)))
    .orderBy("ports.network_id")
    .orderBy("ports.id")
    .limit(rowsAtOnce)
    .execute();
  return toPortItems(db, rows);
}
