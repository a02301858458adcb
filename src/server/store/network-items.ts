// Whole networks as stream items: for a host that has just been given one, and for snapshots.
import type { Kysely } from "kysely";
import type { StreamItem } from "../../types/agent-messages.ts";
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

/** Of these networks, by network and id: the first ones behind `after`. */
export async function readPortItems(
  db: Kysely<Database>,
  networkIds: readonly string[],
  { after, limit }: { readonly after: { readonly networkId: string; readonly id: string }; readonly limit: number },
): Promise<readonly StreamItem[]> {
  const rows = await db
    .selectFrom((eb) =>
      eb
        .selectFrom("ports")
        .select(portItemColumns)
        .where("network_id", "in", networkIds)
        .where((all) => all(all.refTuple("network_id", "id"), ">", all.tuple(after.networkId, after.id)))
        .orderBy("network_id")
        .orderBy("id")
        .limit(limit)
        .as("port"),
    )
    .leftJoin("fixed_ips", "fixed_ips.port_id", "port.id")
    .selectAll("port")
    .select(addressItemColumns.map((column) => `fixed_ips.${column}` as const))
    .orderBy("port.network_id")
    .orderBy("port.id")
    .execute();
  const items: StreamItem[] = [];
  let at = 0;
  while (at < rows.length) at = addItem(items, rows, at);
  return items;
}

type PortAndAddress = PortItemRow & { readonly [Column in keyof AddressItemRow]: AddressItemRow[Column] | null };

/** @returns where the rows of the next port begin */
function addItem(items: StreamItem[], rows: readonly PortAndAddress[], from: number): number {
  const [port] = rows.slice(from, from + 1);
  if (port === undefined) return rows.length;
  const addresses: AddressItemRow[] = [];
  let at = from;
  for (let row: PortAndAddress | undefined = port; row?.id === port.id; row = rows[++at]) {
    const { subnet_id, ip_address, position } = row;
    if (subnet_id !== null && ip_address !== null && position !== null) addresses.push({ subnet_id, ip_address, position });
  }
  items.push(portItem(port, addresses));
  return at;
}

/** What is told of addresses, and whose they are. */
export const selectAddresses = (db: Kysely<Database>) => db.selectFrom("fixed_ips").select(["port_id", ...addressItemColumns]);

type Address = AddressItemRow & { readonly port_id: string };

function withAddresses(ports: readonly PortItemRow[], addresses: readonly Address[]): readonly StreamItem[] {
  const byPort = Map.groupBy(addresses, (address) => address.port_id);
  return ports.map((port) => portItem(port, byPort.get(port.id) ?? []));
}
