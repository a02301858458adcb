// What a change of a port makes of its addresses.
import { deviceOwners } from "../../model/device-names.ts";
import { ApiFault } from "../../types/api-faults.ts";
import { type AddressSlot, isRouterOwner, slotsForNewPort, slotsForUpdatedPort } from "../ipam/address-slots.ts";
import { allocateAddresses } from "../ipam/allocator.ts";
import type { Dialect, Trx } from "../store/database.ts";
import type { FixedIpRow, PortRow } from "../store/rows.ts";
import { checkAddressesReach, readTouchedSegments, subnetsForPort } from "./host-segments.ts";
import { checkSubnetsBelong, readSubnets } from "./port-addresses.ts";
import { fixedIpRows, insertFixedIps, type PortWithAddresses, removeLeases } from "./port-rows.ts";
import { fixedIpsOf } from "./port-rules.ts";
import type { Attributes } from "./resource-service.ts";

export function changedAllocation(before: PortRow, { changes, host }: { changes: Attributes; host: string }): string {
  const fixedIps = fixedIpsOf(changes);
  if (fixedIps !== undefined) return fixedIps.length === 0 ? "none" : "immediate";
  return getsAddresses(before, host) ? "immediate" : before.ip_allocation;
}

/** It was to wait for its host. */
const getsAddresses = (before: PortRow, host: string): boolean => before.ip_allocation === "deferred" && host !== "";

interface AddressChange {
  readonly before: PortWithAddresses;
  readonly wanted: PortRow;
  readonly changes: Attributes;
}

/** The same array when nothing is asked for. */
export async function changedAddresses(trx: Trx, dialect: Dialect, change: AddressChange): Promise<readonly FixedIpRow[]> {
  const { before, wanted } = change;
  const { row, fixedIps: held } = before;
  const slots = await changedSlots(trx, change);
  if (slots === undefined) return held;
  const lowest = wanted.device_owner === deviceOwners.dhcp;
  const [addresses = []] = await allocateAddresses(trx, dialect, [
    { portId: row.id, networkId: row.network_id, slots, lowest },
  ]);
  const rows = fixedIpRows(wanted, addresses);
  checkRouterAddresses(row, held, rows);
  return rows;
}

/** `undefined`: the addresses stay. Throws as `subnetsForPort` does, and HostNotCompatibleWithFixedIps. */
async function changedSlots(
  trx: Trx,
  { before: { row, fixedIps: held }, wanted, changes }: AddressChange,
): Promise<readonly AddressSlot[] | undefined> {
  const fixedIps = fixedIpsOf(changes);
  const host = wanted.binding_host_id;
  const isLate = getsAddresses(row, host);
  const isMoved = host !== "" && host !== row.binding_host_id && held.length > 0;
  const isSameMac = wanted.mac_address === row.mac_address;
  if (fixedIps === undefined && isSameMac && !isLate && !isMoved) return undefined;
  const all = (await readSubnets(trx, [row.network_id])).get(row.network_id) ?? [];
  await checkSubnetsBelong(trx, row.network_id, { subnets: all, fixedIps });
  const port = { networkId: row.network_id, deviceOwner: wanted.device_owner, fixedIps };
  const heldAddresses = held.map((ip) => ({ subnetId: ip.subnet_id, ipAddress: ip.ip_address }));
  const keeps = fixedIps === undefined && !isLate;
  // What nobody asks about stays as it is, although the host may be plugged in another way by now.
  if (keeps && !isMoved) return slotsForUpdatedPort({ ...port, subnets: all, mac: wanted.mac_address }, heldAddresses);
  const touched = await readTouchedSegments(trx, { subnets: all, hosts: [host] });
  const own = subnetsForPort(all, { ...port, host }, touched);
  if (keeps) checkAddressesReach(row.id, held, { host, subnets: own });
  if (keeps && isSameMac) return undefined;
  const request = { ...port, subnets: own === "deferred" ? all : own, mac: wanted.mac_address };
  return isLate ? slotsForNewPort(request) : slotsForUpdatedPort(request, heldAddresses);
}

/** A router interface's IPv4 addresses are its networks' gateways: only the router's own API moves them. */
function checkRouterAddresses(row: PortRow, before: readonly FixedIpRow[], after: readonly FixedIpRow[]): void {
  if (!isRouterOwner(row.device_owner) || row.device_owner === deviceOwners.routerGateway) return;
  const ipv4 = (ips: readonly FixedIpRow[]): string =>
    ips
      .flatMap((ip) => (ip.ip_key.length === 8 ? [ip.ip_key] : []))
      .sort()
      .join();
  if (ipv4(before) === ipv4(after)) return;
  throw new ApiFault("BadRequest", `IPv4 addresses of router port ${row.id} cannot be changed; use the router's API`);
}

export async function replaceAddresses(trx: Trx, before: PortWithAddresses, after: readonly FixedIpRow[]): Promise<void> {
  const { row } = before;
  await trx.deleteFrom("fixed_ips").where("port_id", "=", row.id).execute();
  await insertFixedIps(trx, after);
  const kept = new Set(after.map((ip) => ip.ip_address));
  const lost = before.fixedIps.map((ip) => ip.ip_address).filter((address) => !kept.has(address));
  await removeLeases(trx, row.network_id, lost);
}
