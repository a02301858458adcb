// What a router is connected to: the rules by which subnets may and may not be on one router.
import { contains, inRange, overlap, parseAddress, parseKey } from "../../model/addresses.ts";
import { ApiFault } from "../../types/api-faults.ts";
import { storedCidr } from "../ipam/address-slots.ts";
import { type AllocationPool, poolRange } from "../ipam/subnet-rules.ts";
import type { Trx } from "../store/database.ts";
import { inChunks, type RouterRow, type SubnetRow } from "../store/rows.ts";
import { readSubnets } from "./port-addresses.ts";
import type { RouterPort } from "./router-rows.ts";

export interface ConnectedSubnet {
  readonly subnet: SubnetRow;
  /** The whole network of a gateway counts, whatever addresses the gateway has. */
  readonly port: RouterPort;
}

export async function readConnectedSubnets(trx: Trx, ports: readonly RouterPort[]): Promise<readonly ConnectedSubnet[]> {
  const byNetwork = await readSubnets(trx, [...new Set(ports.map((port) => port.row.network_id))]);
  return ports.flatMap((port) => {
    if (port.kind === "ha") return [];
    const own = new Set(port.fixedIps.map((ip) => ip.subnet_id));
    const subnets = byNetwork.get(port.row.network_id) ?? [];
    return subnets.filter((subnet) => port.kind === "gateway" || own.has(subnet.id)).map((subnet) => ({ subnet, port }));
  });
}

export async function readSubnetsById(trx: Trx, ids: readonly string[]): Promise<readonly SubnetRow[]> {
  return inChunks(ids, (piece) => trx.selectFrom("subnets").selectAll().where("id", "in", piece).execute());
}

const rangeOf = ({ first_key, last_key }: SubnetRow) => ({
  first: parseKey(first_key).value,
  last: parseKey(last_key).value,
});

/** Nobody could say which way a packet should go. */
export function checkNoOverlap(router: RouterRow, wanted: readonly SubnetRow[], connected: readonly ConnectedSubnet[]): void {
  for (const subnet of wanted) {
    for (const { subnet: other } of connected) {
      if (other.id === subnet.id) {
        throw new ApiFault("BadRequest", `Router ${router.id} already has a port on subnet ${subnet.id}.`);
      }
      if (other.ip_version !== subnet.ip_version || !overlap(rangeOf(other), rangeOf(subnet))) continue;
      throw new ApiFault(
        "BadRequest",
        `Cidr ${subnet.cidr} of subnet ${subnet.id} overlaps with cidr ${other.cidr} of subnet ${other.id}.`,
      );
    }
  }
}

/** What can be an interface at all: its hosts hear router advertisements of nobody else. */
export function checkAdvertised(subnet: SubnetRow): void {
  if (subnet.ip_version !== 6 || subnet.ipv6_ra_mode !== null || subnet.ipv6_address_mode === null) return;
  throw new ApiFault(
    "BadRequest",
    `IPv6 subnet ${subnet.id} configured to receive RAs from an external router cannot be added to a router.`,
  );
}

/** On a subnet of somebody else a tenant takes no address that its owner has kept out of the pools. */
export function checkInPools(subnet: SubnetRow, ipAddress: string): void {
  const address = parseAddress(ipAddress);
  // The cast: we wrote it.
  const pools = JSON.parse(subnet.allocation_pools) as readonly AllocationPool[];
  if (address !== undefined && pools.some((pool) => inRange(poolRange(pool), address.value))) return;
  throw new ApiFault(
    "BadRequest",
    `Cannot add interface to router because address ${ipAddress} is not in allocation pools of subnet ${subnet.id}, which is not owned by project making the request`,
  );
}

export function subnetContains(subnet: SubnetRow, ipAddress: string): boolean {
  const address = parseAddress(ipAddress);
  return address !== undefined && contains(storedCidr(subnet), address);
}
