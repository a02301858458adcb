// Which networks should have a DHCP agent, and how many they have.
import { type Kysely, sql, type SqlBool } from "kysely";
import type { Database } from "./schema.ts";

export interface NetworkNeed {
  readonly hasDhcpSubnet: boolean;
  readonly zoneHints: readonly string[];
}

/** `undefined` when the network is gone. */
export async function readNetworkNeed(db: Kysely<Database>, networkId: string): Promise<NetworkNeed | undefined> {
  const row = await db
    .selectFrom("networks")
    .select("availability_zone_hints")
    .select((eb) =>
      eb
        .exists(
          eb
            .selectFrom("subnets")
            .select("subnets.id")
            .whereRef("subnets.network_id", "=", "networks.id")
            .where("subnets.enable_dhcp", "=", 1),
        )
        .as("has_dhcp"),
    )
    .where("networks.id", "=", networkId)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  // The cast: a column of ours that holds nothing else.
  return { hasDhcpSubnet: Boolean(row.has_dhcp), zoneHints: JSON.parse(row.availability_zone_hints) as readonly string[] };
}

/** Networks with DHCP and fewer hosts than `wanted`, in the order of their ids, after `after`. */
export async function readUnderhosted(
  db: Kysely<Database>,
  { wanted, after = "", limit }: { readonly wanted: number; readonly after?: string; readonly limit: number },
): Promise<readonly string[]> {
  const rows = await db
    .selectFrom("subnets")
    .select("network_id")
    .distinct()
    .where("enable_dhcp", "=", 1)
    .where("network_id", ">", after)
    .where(
      sql<SqlBool>`(select count(*) from network_dhcp_agents as bound where bound.network_id = subnets.network_id) < ${wanted}`,
    )
    .orderBy("network_id")
    .limit(limit)
    .execute();
  return rows.map((row) => row.network_id);
}

/** Whether anybody waits for an address there: a port that is not a DHCP agent's own. */
export async function hasClients(db: Kysely<Database>, networkId: string): Promise<boolean> {
  const row = await db
    .selectFrom("ports")
    .select("id")
    .where("network_id", "=", networkId)
    .where("device_owner", "!=", "network:dhcp")
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}
