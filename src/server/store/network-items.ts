// Whole networks as stream items: for a host that has just been given one, and for snapshots.
import type { Kysely } from "kysely";
import type { StreamItem } from "../../types/agent-messages.ts";
import { inChunks } from "./rows.ts";
import type { Database } from "./schema.ts";
import {
  type AddressItemRow,
  addressItemColumns,
  networkItem,
  portItem,
  portItemColumns,
  type PortItemRow,
  subnetItem,
} from "./stream-items.ts";

/** The network, its subnets and its ports, each group by id. Empty when the network is gone. */
export async function readNetworkItems(db: Kysely<Database>, networkId: string): Promise<readonly StreamItem[]> {
  const network = await db.selectFrom("networks").selectAll().where("id", "=", networkId).executeTakeFirst();
  if (network === undefined) return [];
  const subnets = await db.selectFrom("subnets").selectAll().where("network_id", "=", networkId).orderBy("id").execute();
  const ports = await db
    .selectFrom("ports")
    .select(portItemColumns)
    .where("network_id", "=", networkId)
    .orderBy("id")
    .execute();
  const addresses = await selectAddresses(db).where("network_id", "=", networkId).execute();
  return [networkItem(network), ...subnets.map(subnetItem), ...withAddresses(ports, addresses)];
}

export async function toPortItems(db: Kysely<Database>, ports: readonly PortItemRow[]): Promise<readonly StreamItem[]> {
  const ids = ports.map(({ id }) => id);
  const addresses = await inChunks(ids, (piece) => selectAddresses(db).where("port_id", "in", piece).execute());
  return withAddresses(ports, addresses);
}

/** What is told of addresses, and whose they are. */
export const selectAddresses = (db: Kysely<Database>) => db.selectFrom("fixed_ips").select(["port_id", ...addressItemColumns]);

type Address = AddressItemRow & { readonly port_id: string };

function withAddresses(ports: readonly PortItemRow[], addresses: readonly Address[]): readonly StreamItem[] {
  const byPort = Map.groupBy(addresses, (address) => address.port_id);
  return ports.map((port) => portItem(port, byPort.get(port.id) ?? []));
}
