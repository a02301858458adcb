// Which routers should have an L3 agent, what such an agent must be able to do, and how many they have.
import { type Kysely, sql, type SqlBool } from "kysely";
import { readSegments } from "./network-segments.ts";
import type { Database } from "./schema.ts";

export interface RouterNeed {
  /** It has an interface or a way out: there is something to do for it. */
  readonly hasPorts: boolean;
  readonly isHa: boolean;
  readonly zoneHints: readonly string[];
  /** Absent without a way out. `physicalNetwork`: key of the agent's bridge mappings, if it takes one. */
  readonly external: { readonly physicalNetwork: string | undefined } | undefined;
}

/** Networks that only a host with a bridge to them reaches. */
const mapped = new Set(["flat", "vlan"]);

/** `undefined` when the router is gone. */
export async function readRouterNeed(db: Kysely<Database>, id: string): Promise<RouterNeed | undefined> {
  const router = await db
    .selectFrom("routers")
    .select(["ha", "availability_zone_hints"])
    .where("id", "=", id)
    .executeTakeFirst();
  if (router === undefined) return undefined;
  const ports = await db
    .selectFrom("router_ports")
    .innerJoin("ports", "ports.id", "router_ports.port_id")
    .select(["router_ports.kind", "ports.network_id"])
    .where("router_ports.router_id", "=", id)
    .where("router_ports.kind", "!=", "ha")
    .execute();
  const gateway = ports.find((port) => port.kind === "gateway");
  const [segment] = gateway === undefined ? [] : ((await readSegments(db, [gateway.network_id])).get(gateway.network_id) ?? []);
  const physical = mapped.has(segment?.network_type ?? "") ? (segment?.physical_network ?? undefined) : undefined;
  return {
    hasPorts: ports.length > 0,
    isHa: router.ha === 1,
    // The cast: we wrote it.
    zoneHints: JSON.parse(router.availability_zone_hints) as readonly string[],
    external: gateway === undefined ? undefined : { physicalNetwork: physical },
  };
}

/** Routers with ports and fewer agents than they should have, in the order of their ids, after `after`. Not those taken off by hand. */
export async function readUnhosted(
  db: Kysely<Database>,
  {
    wanted,
    wantedHa,
    after = "",
    limit,
  }: {
    readonly wanted: number;
    readonly wantedHa: number;
    readonly after?: string;
    readonly limit: number;
  },
): Promise<readonly string[]> {
  const bound = sql<number>`(select count(*) from router_l3_agents as bound where bound.router_id = routers.id)`;
  const rows = await db
    .selectFrom("routers")
    .select("id")
    .where("id", ">", after)
    .where("is_parked", "=", 0)
    // PostgreSQL takes a parameter in this place for text, if it is not told.
    .where(sql<SqlBool>`${bound} < case when ha = 1 then cast(${wantedHa} as integer) else cast(${wanted} as integer) end`)
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom("router_ports")
          .select("port_id")
          .whereRef("router_ports.router_id", "=", "routers.id")
          .where("kind", "!=", "ha"),
      ),
    )
    .orderBy("id")
    .limit(limit)
    .execute();
  return rows.map((row) => row.id);
}
