// Reading and writing ports together with their addresses.
import type { Insertable } from "kysely";
import { type Cidr, contains, parseAddress } from "../../model/addresses.ts";
import { deviceOwners } from "../../model/device-names.ts";
import { storedCidr } from "../ipam/address-slots.ts";
import type { AllocatedAddress } from "../ipam/allocator.ts";
import type { Dialect, Trx } from "../store/database.ts";
import { chunks, type FixedIpRow, hasRowLocks, inChunks, locksRows, type PortRow, type SubnetRow } from "../store/rows.ts";
import type { PortSecurityGroupsTable } from "../store/schema-kept.ts";

export interface PortWithAddresses {
  readonly row: PortRow;
  readonly fixedIps: readonly FixedIpRow[];
}

const autoDeleted = new Set<string>([deviceOwners.dhcp, "network:distributed", "network:floatingip_agent_gateway"]);

/** Such ports serve the network and go with it. */
export const isAutoDeleted = (deviceOwner: string): boolean => autoDeleted.has(deviceOwner);

export function fixedIpRows(port: PortRow, addresses: readonly AllocatedAddress[]): FixedIpRow[] {
  return addresses.map((address, position) => ({
    port_id: port.id,
    network_id: port.network_id,
    subnet_id: address.subnetId,
    ip_address: address.ipAddress,
    ip_key: address.ipKey,
    position,
  }));
}

type PortGroupRow = Insertable<PortSecurityGroupsTable>;

export const groupRows = (portId: string, groups: readonly string[]): readonly PortGroupRow[] =>
  groups.map((id) => ({ port_id: portId, security_group_id: id }));

type PortWithGroups = PortWithAddresses & { readonly securityGroups: readonly string[] };

/** With their addresses and security groups. */
export async function insertPorts(trx: Trx, ports: readonly PortWithGroups[]): Promise<void> {
  for (const piece of chunks(ports)) {
    const addresses = piece.flatMap((port) => port.fixedIps);
    const groups = piece.flatMap(({ row, securityGroups }) => groupRows(row.id, securityGroups));
    const parts = { ports: piece.map((port) => port.row), addresses, groups };
    const isSmall = piece.length <= 100 && addresses.length + groups.length <= 1000;
    await (hasRowLocks(trx) && isSmall && addresses.length > 0 ? insertAtOnce(trx, parts) : insertInTurn(trx, parts));
  }
}

interface PortParts {
  readonly ports: readonly PortRow[];
  readonly addresses: readonly FixedIpRow[];
  readonly groups: readonly PortGroupRow[];
}

/** One way to PostgreSQL and back instead of three, because others wait for addresses of the same subnet meanwhile. */
async function insertAtOnce(trx: Trx, { ports, addresses, groups }: PortParts): Promise<void> {
  const withPorts = trx.with("new_ports", (query) => query.insertInto("ports").values(ports));
  const withGroups =
    groups.length === 0
      ? withPorts
      : withPorts.with("new_groups", (query) => query.insertInto("port_security_groups").values(groups));
  await withGroups.insertInto("fixed_ips").values(addresses).execute();
}

async function insertInTurn(trx: Trx, { ports, addresses, groups }: PortParts): Promise<void> {
  await trx.insertInto("ports").values(ports).execute();
  await insertFixedIps(trx, addresses);
  await insertPortGroups(trx, groups);
}

export async function insertPortGroups(trx: Trx, rows: readonly PortGroupRow[]): Promise<void> {
  for (const piece of chunks(rows)) await trx.insertInto("port_security_groups").values(piece).execute();
}

export async function insertFixedIps(trx: Trx, rows: readonly FixedIpRow[]): Promise<void> {
  for (const piece of chunks(rows)) await trx.insertInto("fixed_ips").values(piece).execute();
}

/** In the order of the ids; what does not exist is left out. The rows stay as they are until the transaction ends. */
export async function lockPorts(trx: Trx, dialect: Dialect, ids: readonly string[]): Promise<PortWithAddresses[]> {
  const rows = await inChunks(ids, (piece) =>
    trx
      .selectFrom("ports")
      .selectAll()
      .where("id", "in", piece)
      .orderBy("id")
      .$if(locksRows(dialect), (query) => query.forUpdate())
      .execute(),
  );
  return withAddresses(trx, rows);
}

export async function withAddresses(trx: Pick<Trx, "selectFrom">, rows: readonly PortRow[]): Promise<PortWithAddresses[]> {
  const addresses = await inChunks(
    rows.map((row) => row.id),
    (piece) => trx.selectFrom("fixed_ips").selectAll().where("port_id", "in", piece).orderBy("position").execute(),
  );
  const byPort = Map.groupBy(addresses, (address) => address.port_id);
  return rows.map((row) => ({ row, fixedIps: byPort.get(row.id) ?? [] }));
}

export async function removePortRows(trx: Trx, ids: readonly string[]): Promise<void> {
  // Their addresses go by cascade.
  for (const piece of chunks(ids)) await trx.deleteFrom("ports").where("id", "in", piece).execute();
}

/** Nobody renews a lease on a subnet where no DHCP server answers. */
export async function removeSubnetLeases(trx: Trx, subnet: SubnetRow): Promise<void> {
  const cidr = storedCidr(subnet);
  const rows = await trx.selectFrom("leases").select("ip_address").where("network_id", "=", subnet.network_id).execute();
  const addresses = rows.map((row) => row.ip_address);
  await removeLeases(
    trx,
    subnet.network_id,
    addresses.filter((text) => holds(cidr, text)),
  );
}

function holds(cidr: Cidr, text: string): boolean {
  const address = parseAddress(text);
  return address !== undefined && contains(cidr, address);
}

/** Leases of addresses that nobody has any more. */
export async function removeLeases(trx: Trx, networkId: string, addresses: readonly string[]): Promise<void> {
  for (const piece of chunks(addresses)) {
    await trx.deleteFrom("leases").where("network_id", "=", networkId).where("ip_address", "in", piece).execute();
  }
}
