// What a host's routers are and carry, in pages: routers by id for the L3 agent; floating IPs by id and then port forwardings
// by id for the floating-IP agent, then floating IPs of which its word is still awaited that they are gone. A page is cut at a
// size that NATS surely takes; the cursor says where the next one goes on.
import type { Kysely } from "kysely";
import { z } from "zod";
import { NetloomError } from "../../base/errors.ts";
import type { FloatingIpItem, RouterItem } from "../../types/l3-messages.ts";
import { floatingIpItem, goneItem, portForwardingItem, readGatewayPorts } from "../store/floating-ip-items.ts";
import { readHostedRouterIds } from "../store/router-hosts.ts";
import { readRouterItems } from "../store/router-items.ts";
import { inChunks } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";

const cursorSchema = z.object({
  seq: z.int().nonnegative(),
  /** Routers or floating IPs; then port forwardings; then floating IPs that lead nowhere any more. */
  phase: z.enum(["first", "second", "third"]),
  id: z.string(),
});
/** The last object of the page before; `seq` is that of the first page. */
export type L3Cursor = z.infer<typeof cursorSchema>;

export const formatL3Cursor = (cursor: L3Cursor): string => Buffer.from(JSON.stringify(cursor)).toString("base64url");

export function parseL3Cursor(text: string): L3Cursor {
  try {
    return cursorSchema.parse(JSON.parse(Buffer.from(text, "base64url").toString()));
  } catch (cause) {
    throw new NetloomError("INVALID", "the cursor is not one of ours", {}, cause);
  }
}

export interface L3Page<Item> {
  readonly items: readonly Item[];
  readonly next: L3Cursor | undefined;
}

interface PageRequest {
  readonly cursor: L3Cursor;
  readonly maxBytes: number;
}

/** Items that were found, and whether there may be more behind them. */
interface Found<Item> {
  readonly items: readonly Item[];
  readonly last: string | undefined;
}

const routersAtOnce = 50;
const rowsAtOnce = 500;

export function readRouterPage(db: Kysely<Database>, agentId: string, request: PageRequest): Promise<L3Page<RouterItem>> {
  return fillPage<RouterItem>(request, {
    phases: ["first"],
    read: async ({ id: after }) => {
      // `from` is inclusive: the one that the cursor is at comes again.
      const ids = await readHostedRouterIds(db, agentId, { from: after, limit: routersAtOnce + 1 });
      const wanted = ids.filter((id) => id !== after);
      const routers = await readRouterItems(db, wanted);
      return { items: wanted.flatMap((id) => routers.get(id)?.(agentId) ?? []), last: wanted.at(-1) };
    },
  });
}

interface HostedBy {
  /** The L3 agent on the host. */
  readonly agentId: string;
  /** One of the host's agents is switched off: what it has is to go, and it has to say so. */
  readonly isOff: boolean;
}

export function readFloatingIpPage(
  db: Kysely<Database>,
  { agentId, isOff }: HostedBy,
  request: PageRequest,
): Promise<L3Page<FloatingIpItem>> {
  return fillPage<FloatingIpItem>(request, {
    phases: isOff ? ["first", "third"] : ["first", "second", "third"],
    read: ({ phase, id }) => {
      if (phase === "first") return isOff ? readLeaving(db, agentId, id) : readFloatingIps(db, agentId, id);
      return phase === "second" ? readForwardings(db, agentId, id) : readAwaited(db, agentId, id);
    },
  });
}

async function readFloatingIps(db: Kysely<Database>, agentId: string, after: string): Promise<Found<FloatingIpItem>> {
  const rows = await db
    .selectFrom("floating_ips")
    .innerJoin("router_l3_agents as bound", "bound.router_id", "floating_ips.router_id")
    .selectAll("floating_ips")
    .where("bound.agent_id", "=", agentId)
    .where("floating_ips.id", ">", after)
    .orderBy("floating_ips.id")
    .limit(rowsAtOnce)
    .execute();
  const gateways = await readGatewayPorts(
    db,
    rows.flatMap((row) => row.router_id ?? []),
  );
  return { items: rows.flatMap((row) => floatingIpItem(row, gateways)), last: rows.at(-1)?.id };
}

async function readForwardings(db: Kysely<Database>, agentId: string, after: string): Promise<Found<FloatingIpItem>> {
  const rows = await db
    .selectFrom("port_forwardings")
    .innerJoin("floating_ips", "floating_ips.id", "port_forwardings.floatingip_id")
    .innerJoin("router_l3_agents as bound", "bound.router_id", "floating_ips.router_id")
    .selectAll("port_forwardings")
    .where("bound.agent_id", "=", agentId)
    .where("port_forwardings.id", ">", after)
    .orderBy("port_forwardings.id")
    .limit(rowsAtOnce)
    .execute();
  const floating = await inChunks([...new Set(rows.map((row) => row.floatingip_id))], (piece) =>
    db.selectFrom("floating_ips").selectAll().where("id", "in", piece).execute(),
  );
  const byId = new Map(floating.map((row) => [row.id, row]));
  const items = rows.flatMap((row) => {
    const own = byId.get(row.floatingip_id);
    return own === undefined ? [] : portForwardingItem(row, own);
  });
  return { items, last: rows.at(-1)?.id };
}

/** As if each had been deleted: those that the server still takes for served. */
async function readLeaving(db: Kysely<Database>, agentId: string, after: string): Promise<Found<FloatingIpItem>> {
  const rows = await db
    .selectFrom("floating_ips")
    .innerJoin("router_l3_agents as bound", "bound.router_id", "floating_ips.router_id")
    .select(["floating_ips.id", "floating_ips.revision_number", "bound.router_id"])
    .where("bound.agent_id", "=", agentId)
    .where("floating_ips.status", "!=", "DOWN")
    .where("floating_ips.id", ">", after)
    .orderBy("floating_ips.id")
    .limit(rowsAtOnce)
    .execute();
  return { items: rows.map(toGoneItem), last: rows.at(-1)?.id };
}

interface GoneRow {
  readonly id: string;
  readonly revision_number: number;
  readonly router_id: string;
}

const toGoneItem = ({ id, revision_number: revision, router_id: router }: GoneRow): FloatingIpItem =>
  goneItem("floating-ip", { id, router, revision });

/** An agent that was killed after it had taken them away has told nobody, and its successor does not know of them. */
async function readAwaited(db: Kysely<Database>, agentId: string, after: string): Promise<Found<FloatingIpItem>> {
  const rows = await db
    .selectFrom("floating_ips")
    .innerJoin("router_l3_agents as bound", "bound.router_id", "floating_ips.last_known_router_id")
    .select(["floating_ips.id", "floating_ips.revision_number", "bound.router_id"])
    .where("bound.agent_id", "=", agentId)
    .where("floating_ips.router_id", "is", null)
    .where("floating_ips.status", "!=", "DOWN")
    .where("floating_ips.id", ">", after)
    .orderBy("floating_ips.id")
    .limit(rowsAtOnce)
    .execute();
  return { items: rows.map(toGoneItem), last: rows.at(-1)?.id };
}

interface Source<Item> {
  readonly phases: readonly L3Cursor["phase"][];
  readonly read: (cursor: L3Cursor) => Promise<Found<Item>>;
}

/** What changes between two pages is in the stream, behind `seq`. */
async function fillPage<Item extends { readonly id: string }>(
  { cursor, maxBytes }: PageRequest,
  { phases, read }: Source<Item>,
): Promise<L3Page<Item>> {
  const items: Item[] = [];
  let bytes = 0;
  let at: L3Cursor = cursor;
  for (;;) {
    const found = await read(at);
    for (const item of found.items) {
      bytes += Buffer.byteLength(JSON.stringify(item));
      // One item always fits, or there would be no end.
      if (items.length > 0 && bytes > maxBytes) return { items, next: at };
      items.push(item);
      at = { ...at, id: item.id };
    }
    if (found.last !== undefined) {
      at = { ...at, id: found.last };
      continue;
    }
    const phase = phases[phases.indexOf(at.phase) + 1];
    if (phase === undefined) return { items, next: undefined };
    at = { ...at, phase, id: "" };
  }
}
