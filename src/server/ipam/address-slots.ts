// Turns what a port asks for into slots: an exact address, or any of some subnets. Pure; which address is free is decided later.
import {
  type Address,
  bitsOf,
  canonicalAddress,
  type Cidr,
  contains,
  eui64Address,
  formatAddress,
  parseAddress,
  parseCidr,
} from "../../model/addresses.ts";
import { deviceOwners } from "../../model/device-names.ts";
import { ApiFault } from "../../types/api-faults.ts";
import type { SubnetRow } from "../store/rows.ts";
import { isAutoAddressed } from "./subnet-rules.ts";

/** One element of a port's `fixed_ips` as a client gives it. */
export interface FixedIpRequest {
  readonly subnet_id?: string;
  readonly ip_address?: string;
  /** Only on update: this subnet's addresses go, SLAAC or not. */
  readonly delete_subnet?: boolean;
}

export type AddressSlot =
  | { readonly kind: "exact"; readonly subnet: SubnetRow; readonly address: Address }
  | { readonly kind: "any"; readonly candidates: readonly SubnetRow[] };

export interface SlotRequest {
  readonly networkId: string;
  /** All of the network's subnets, oldest first. */
  readonly subnets: readonly SubnetRow[];
  readonly mac: string;
  readonly deviceOwner: string;
  /** `undefined`: what such a port gets when nobody asks for anything. */
  readonly fixedIps: readonly FixedIpRequest[] | undefined;
}

const routerOwners = new Set<string>([
  deviceOwners.routerInterface,
  deviceOwners.routerGateway,
  "network:ha_router_replicated_interface",
  "network:router_ha_interface",
  "network:router_interface_distributed",
  "network:router_centralized_snat",
]);

/** Such ports carry chosen addresses even where everybody else makes their own. */
export const isRouterOwner = (deviceOwner: string): boolean => routerOwners.has(deviceOwner);

/** No host stands behind these that could make itself an address. */
export const makesNoAddress = (deviceOwner: string): boolean =>
  isRouterOwner(deviceOwner) || deviceOwner === deviceOwners.floatingIp;

export function slotsForNewPort(request: SlotRequest): readonly AddressSlot[] {
  const { fixedIps } = request;
  if (fixedIps === undefined) return defaultSlots(request);
  if (fixedIps.length === 0) return [];
  const asked = fixedIps.map((one) => slotFor(request, one));
  checkDistinct(asked);
  const segments = checkOneSegment(request, asked);
  const listed = new Set(asked.map(subnetIdOf));
  return [...asked, ...autoSlots(request, (subnet) => !listed.has(subnet.id) && segments.has(subnet.segment_id))];
}

export interface HeldAddress {
  readonly subnetId: string;
  readonly ipAddress: string;
}

/** @param held what the port has now: a subnet without an address keeps it, and SLAAC addresses stay until they are deleted by name. */
export function slotsForUpdatedPort(request: SlotRequest, held: readonly HeldAddress[]): readonly AddressSlot[] {
  const asked = request.fixedIps ?? keepAll(request, held);
  const deleted = new Set(asked.filter((one) => one.delete_subnet === true).map((one) => one.subnet_id));
  // What is asked for by name is spoken for: a subnet alone beside it means a further address.
  const named = new Set(asked.map(({ ip_address }) => canonicalAddress(ip_address ?? "")));
  const left = held.filter((one) => !named.has(one.ipAddress));
  const slots = asked
    .filter((one) => one.delete_subnet !== true)
    .map((one) => slotFor(request, one.ip_address === undefined ? keepHeld(request, one, left) : one));
  checkDistinct(slots);
  checkOneSegment(request, slots);
  const listed = new Set(slots.map(subnetIdOf));
  const heldSubnets = new Set(held.map((one) => one.subnetId));
  const stays = (subnet: SubnetRow): boolean => heldSubnets.has(subnet.id) && !listed.has(subnet.id) && !deleted.has(subnet.id);
  return [...slots, ...autoSlots(request, stays)];
}

/** SLAAC addresses by subnet only, because a new MAC makes them new. */
function keepAll(request: SlotRequest, held: readonly HeldAddress[]): readonly FixedIpRequest[] {
  return held.map(({ subnetId, ipAddress }) =>
    isAuto(request, subnetId) ? { subnet_id: subnetId } : { subnet_id: subnetId, ip_address: ipAddress },
  );
}

function keepHeld(request: SlotRequest, one: FixedIpRequest, left: HeldAddress[]): FixedIpRequest {
  const index = left.findIndex((address) => address.subnetId === one.subnet_id);
  const [kept] = index < 0 || isAuto(request, one.subnet_id) ? [] : left.splice(index, 1);
  return kept === undefined ? one : { ...one, ip_address: kept.ipAddress };
}

function isAuto(request: SlotRequest, subnetId: string | undefined): boolean {
  const subnet = request.subnets.find((one) => one.id === subnetId);
  return subnet !== undefined && isAutoAddressed(subnet.ipv6_address_mode) && !isRouterOwner(request.deviceOwner);
}

function defaultSlots(request: SlotRequest): readonly AddressSlot[] {
  const eligible = eligibleSubnets(request);
  if (segmentsOf(eligible).size > 1 && request.deviceOwner !== deviceOwners.dhcp) {
    // Ports of services: those of clients come here with the subnets of one segment, or not at all.
    const why = `The subnets of network ${request.networkId} belong to several segments: choose one of them in fixed_ips.`;
    throw new ApiFault("InvalidInput", why);
  }
  const picked = eligible.filter((subnet) => !isAutoAddressed(subnet.ipv6_address_mode));
  // A floating IP is one address, and that of IPv4.
  const versions = request.deviceOwner === deviceOwners.floatingIp ? [4] : [4, 6];
  const families = versions.map((version) => picked.filter((subnet) => subnet.ip_version === version));
  const chosen = families
    .filter((candidates) => candidates.length > 0)
    .map((candidates): AddressSlot => ({ kind: "any", candidates }));
  const ids = new Set(eligible.map((subnet) => subnet.id));
  return [...chosen, ...autoSlots(request, (subnet) => ids.has(subnet.id))];
}

/** A subnet with service types serves only those owners, and those look there first. */
function eligibleSubnets({ networkId, subnets, deviceOwner }: SlotRequest): readonly SubnetRow[] {
  const typesOf = (subnet: SubnetRow): readonly string[] => JSON.parse(subnet.service_types) as readonly string[];
  const serves = (type: string): boolean => deviceOwner === type || (type.endsWith(":") && deviceOwner.startsWith(type));
  const typed = subnets.filter((subnet) => typesOf(subnet).some(serves));
  const open = subnets.filter((subnet) => subnet.service_types === "[]");
  if (subnets.length > 0 && typed.length + open.length === 0) {
    throw new ApiFault(
      "IpAddressGenerationFailureNoMatchingSubnet",
      `No valid service subnet for the given device owner, network ${networkId}, service type ${deviceOwner}.`,
    );
  }
  return [...typed, ...open];
}

function autoSlots(request: SlotRequest, wanted: (subnet: SubnetRow) => boolean): readonly AddressSlot[] {
  if (makesNoAddress(request.deviceOwner)) return [];
  return request.subnets
    .filter((subnet) => isAutoAddressed(subnet.ipv6_address_mode) && wanted(subnet))
    .map((subnet) => ({ kind: "exact", subnet, address: eui64Address(storedCidr(subnet), request.mac) }));
}

function slotFor(request: SlotRequest, asked: FixedIpRequest): AddressSlot {
  const address = asked.ip_address === undefined ? undefined : parseAddress(asked.ip_address);
  if (asked.ip_address !== undefined && address === undefined) {
    throw new ApiFault("InvalidInput", `'${asked.ip_address}' is not a valid IP address`);
  }
  if (asked.subnet_id !== undefined) {
    const subnet = request.subnets.find((one) => one.id === asked.subnet_id);
    if (subnet === undefined) throw new ApiFault("SubnetNotFound", `Subnet ${asked.subnet_id} could not be found.`);
    return address === undefined ? slotInSubnet(request, subnet) : exactSlot(request, subnet, address);
  }
  if (address === undefined) throw new ApiFault("InvalidInput", "an element of fixed_ips needs a subnet_id or an ip_address");
  const subnet = request.subnets.find((one) => contains(storedCidr(one), address));
  if (subnet === undefined) {
    throw new ApiFault(
      "InvalidIpForNetwork",
      `IP address ${asked.ip_address} is not a valid IP for any of the subnets on the specified network.`,
    );
  }
  return exactSlot(request, subnet, address);
}

function slotInSubnet(request: SlotRequest, subnet: SubnetRow): AddressSlot {
  return isAuto(request, subnet.id)
    ? { kind: "exact", subnet, address: eui64Address(storedCidr(subnet), request.mac) }
    : { kind: "any", candidates: [subnet] };
}

function exactSlot(request: SlotRequest, subnet: SubnetRow, address: Address): AddressSlot {
  const cidr = storedCidr(subnet);
  const text = formatAddress(address);
  if (!contains(cidr, address) || isReserved(cidr, address)) {
    throw new ApiFault("InvalidIpForSubnet", `IP address ${text} is not a valid IP for the specified subnet.`);
  }
  if (isAuto(request, subnet.id) && eui64Address(cidr, request.mac).value !== address.value) {
    throw new ApiFault(
      "AllocationOnAutoAddressSubnet",
      `IPv6 address ${text} cannot be directly assigned to a port on subnet ${subnet.id} as the subnet is configured for automatic addresses`,
    );
  }
  return { kind: "exact", subnet, address };
}

/** The network address and, in IPv4, the broadcast address; a block of one or two addresses has neither. */
function isReserved(cidr: Cidr, { version, value }: Address): boolean {
  if (bitsOf(version) - cidr.prefixLength < 2) return false;
  // A router may sit on the IPv6 network address: it is the subnet's default gateway.
  return version === 4 && (value === cidr.first || value === cidr.last);
}

function checkDistinct(slots: readonly AddressSlot[]): void {
  const seen = new Set<string>();
  for (const slot of slots) {
    if (slot.kind === "any") continue;
    const text = formatAddress(slot.address);
    if (seen.has(text)) throw new ApiFault("InvalidInput", `Duplicate IP address '${text}' in fixed_ips`);
    seen.add(text);
  }
}

const segmentsOf = (subnets: readonly SubnetRow[]): ReadonlySet<string | null> =>
  new Set(subnets.map((subnet) => subnet.segment_id));

/** A port is on one wire; only DHCP is served on all. Answers the segments of the slots. */
function checkOneSegment({ networkId, deviceOwner }: SlotRequest, slots: readonly AddressSlot[]): ReadonlySet<string | null> {
  const segments = segmentsOf(slots.flatMap((slot) => (slot.kind === "exact" ? [slot.subnet] : slot.candidates)));
  if (segments.size <= 1 || deviceOwner === deviceOwners.dhcp) return segments;
  const why = `The fixed_ips of a port on network ${networkId} are of subnets on different segments.`;
  throw new ApiFault("FixedIpsSubnetsNotOnSameSegment", why);
}

/** The subnet that a client named; a slot from a list has exactly one. */
function subnetIdOf(slot: AddressSlot): string | undefined {
  return slot.kind === "exact" ? slot.subnet.id : slot.candidates[0]?.id;
}

export function storedCidr(subnet: SubnetRow): Cidr {
  const cidr = parseCidr(subnet.cidr);
  if (cidr === undefined) throw new RangeError(`subnet ${subnet.id} is stored with the CIDR ${subnet.cidr}`);
  return cidr;
}
