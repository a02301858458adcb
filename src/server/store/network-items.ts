// Whole networks as stream items: for a host that has just been given one, and for snapshots.
import type { Kysely } from "kysely";
import type { StreamItem } from "../../types/agent-messages.ts";
import { inChunks } from "./rows.ts";
import type { FixedIpRow, PortRow } from "./rows.ts";
import type { Database } from "./schema.ts";
import { networkItem, portItem, subnetItem } from "./stream-items.ts";

/** The network, its subnets and its ports, each group by id. Empty when the network is gone. */
export async function readNetworkItems(db: Kysely<Database>, networkId: string): Promise<readonly StreamItem[]> {
  const network = await db.selectFrom("networks").selectAll().where("id", "=", networkId).executeTakeFirst();
  if (network === undefined) return [];
  const subnets = await db.selectFrom("subnets").selectAll().where("network_id", "=", networkId).orderBy("id").execute();
  const ports = await db.selectFrom("ports").selectAll().where("network_id", "=", networkId).orderBy("id").execute();
  const addresses = await db.selectFrom("fixed_ips").selectAll().where("network_id", "=", networkId).execute();
  return [networkItem(network), ...subnets.map(subnetItem), ...withAddresses(ports, addresses)];
}

export async function toPortItems(db: Kysely<Database>, ports: readonly PortRow[]): Promise<readonly StreamItem[]> {
  const addresses = await inChunks(
    ports.map(({ id }) => id),
    (ids) =>
      db
        .selectFrom("fixed_ips")
        .selectAll()
        .where("port_id", "in", [...ids])
        .execute(),
  );
  return withAddresses(ports, addresses);
}

function withAddresses(ports: readonly PortRow[], addresses: readonly FixedIpRow[]): readonly StreamItem[] {
  const byPort = Map.groupBy(addresses, (address) => address.port_id);
  return ports.map((port) => portItem(port, byPort.get(port.id) ?? []));
}
