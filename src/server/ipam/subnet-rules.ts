// Which CIDRs, gateways and pools a subnet may have. Pure; what other subnets and ports have to say is the services' business.
import {
  type AddressRange,
  bitsOf,
  type Cidr,
  formatAddress,
  formatCidr,
  inRange,
  type IpVersion,
  overlap,
  parseAddress,
  parseCidr,
  usableRange,
} from "../../model/addresses.ts";
import type { Ipv6Mode } from "../../model/network.ts";
import { ApiFault } from "../../types/api-faults.ts";

/** As in the API and in the store: canonical text. */
export interface AllocationPool {
  readonly start: string;
  readonly end: string;
}

export function checkedCidr(text: string, version: IpVersion): Cidr {
  const cidr = parseCidr(text);
  if (cidr === undefined) throw new ApiFault("InvalidInput", `'${text}' is not a network in CIDR notation`);
  if (cidr.version !== version) throw new ApiFault("InvalidInput", `CIDR ${text} does not match ip_version ${version}`);
  if (cidr.prefixLength === 0) throw new ApiFault("InvalidInput", `CIDR ${text} has a prefix length of 0`);
  if (version === 6 && cidr.first === 0n) throw new ApiFault("InvalidInput", `CIDR ${text} lies in the unspecified network ::`);
  if (version === 6 && overlap(cidr, ipv4Mapped)) {
    throw new ApiFault("InvalidInput", `CIDR ${text} holds IPv4 addresses written as IPv6 (::ffff:0:0/96): use ip_version 4`);
  }
  return cidr;
}

const ipv4Mapped: AddressRange = { first: 0xffff_0000_0000n, last: 0xffff_ffff_ffffn };

interface Unservable extends AddressRange {
  readonly why: string;
}

/** Addresses that no host may have as its own, and the one that instances ask for their metadata. */
const unservable: Readonly<Record<IpVersion, readonly Unservable[]>> = {
  4: [
    { first: 0n, last: 0x00ff_ffffn, why: "0.0.0.0/8 is reserved" },
    { first: 0x7f00_0000n, last: 0x7fff_ffffn, why: "it is a loopback network" },
    { first: 0xe000_0000n, last: 0xefff_ffffn, why: "it is a multicast network" },
    { first: 0xa9fe_a9fen, last: 0xa9fe_a9fen, why: "it contains 169.254.169.254, where instances ask for metadata" },
  ],
  6: [
    { first: 0n, last: (1n << 120n) - 1n, why: "::/8 is reserved" },
    { first: 0xfe80n << 112n, last: (0xfec0n << 112n) - 1n, why: "it is a link-local network" },
    { first: 0xffn << 120n, last: (1n << 128n) - 1n, why: "it is a multicast network" },
  ],
};

/** DHCP needs room for the server and one client, and addresses that a host may have. */
export function checkDhcpCidr(cidr: Cidr): void {
  const refuse = (why: string): never => {
    throw new ApiFault("InvalidInput", `DHCP cannot be enabled on ${formatCidr(cidr)}: ${why}`);
  };
  const longest = bitsOf(cidr.version) - 2;
  if (cidr.prefixLength > longest) refuse(`the prefix may have at most ${longest} bits`);
  const found = unservable[cidr.version].find((range) => overlap(cidr, range));
  if (found !== undefined) refuse(found.why);
}

export interface Ipv6Modes {
  readonly raMode: Ipv6Mode | null;
  readonly addressMode: Ipv6Mode | null;
}

export function checkIpv6Modes(cidr: Cidr, modes: Ipv6Modes, enableDhcp: boolean): void {
  const { raMode, addressMode } = modes;
  if (raMode === null && addressMode === null) return;
  if (cidr.version === 4) {
    throw new ApiFault("InvalidInput", "ipv6_ra_mode and ipv6_address_mode cannot be set on an IPv4 subnet");
  }
  if (!enableDhcp) throw new ApiFault("InvalidInput", "ipv6_ra_mode and ipv6_address_mode need enable_dhcp to be true");
  if (raMode !== null && addressMode !== null && raMode !== addressMode) {
    throw new ApiFault("InvalidInput", `ipv6_ra_mode ${raMode} and ipv6_address_mode ${addressMode} must be the same`);
  }
  const autonomous = isAutoAddressed(raMode) || isAutoAddressed(addressMode);
  if (autonomous && cidr.prefixLength !== 64) {
    throw new ApiFault("InvalidInput", `a subnet with SLAAC must be a /64, not ${formatCidr(cidr)}`);
  }
}

/** Hosts make their own address from the prefix; nothing is picked from a pool. */
export function isAutoAddressed(addressMode: string | null): boolean {
  return addressMode === "slaac" || addressMode === "dhcpv6-stateless";
}

/** @param asked `undefined`: the default; null: none. It may lie outside of the CIDR (a route on the link). */
export function chooseGateway(cidr: Cidr, asked: string | null | undefined): string | null {
  if (asked === null) return null;
  if (asked === undefined) return defaultGateway(cidr);
  const address = parseAddress(asked);
  if (address === undefined || address.version !== cidr.version) {
    throw new ApiFault("InvalidInput", `gateway_ip ${asked} is not an IPv${cidr.version} address`);
  }
  const isBlock = bitsOf(cidr.version) - cidr.prefixLength >= 2;
  if (cidr.version === 4 && isBlock && (address.value === cidr.first || address.value === cidr.last)) {
    throw new ApiFault("InvalidInput", `gateway_ip ${asked} is the network or broadcast address of ${formatCidr(cidr)}`);
  }
  return formatAddress(address);
}

/** IPv4: the one after the network address, which for a /32 lies outside. IPv6: the network address itself. */
function defaultGateway({ version, first }: Cidr): string | null {
  const value = version === 6 ? first : first + 1n;
  return value < 1n << BigInt(bitsOf(version)) ? formatAddress({ version, value }) : null;
}

/** All usable addresses without the gateway; a block of one address has that one. */
export function defaultPools(cidr: Cidr, gatewayIp: string | null): readonly AllocationPool[] {
  const usable = usableRange(cidr);
  const gateway = gatewayIp === null ? undefined : parseAddress(gatewayIp)?.value;
  const pieces =
    gateway === undefined || !inRange(usable, gateway) || cidr.first === cidr.last
      ? [usable]
      : [
          { first: usable.first, last: gateway - 1n },
          { first: gateway + 1n, last: usable.last },
        ];
  return pieces.filter((piece) => piece.first <= piece.last).map((piece) => formatPool(cidr.version, piece));
}

function formatPool(version: IpVersion, { first, last }: AddressRange): AllocationPool {
  return { start: formatAddress({ version, value: first }), end: formatAddress({ version, value: last }) };
}

/** The asked pools in canonical text, sorted by their start. */
export function checkedPools(cidr: Cidr, asked: readonly AllocationPool[]): readonly AllocationPool[] {
  const usable = usableRange(cidr);
  const ranges = asked.map((pool) => {
    const range = checkedPool(cidr, pool);
    if (!inRange(usable, range.first) || !inRange(usable, range.last)) {
      throw new ApiFault(
        "OutOfBoundsAllocationPool",
        `The allocation pool ${pool.start}-${pool.end} spans beyond the subnet cidr ${formatCidr(cidr)}.`,
      );
    }
    return range;
  });
  ranges.sort((a, b) => (a.first < b.first ? -1 : 1));
  ranges.forEach((range, index) => {
    const before = ranges[index - 1];
    if (before !== undefined && overlap(before, range)) {
      const [a, b] = [formatPool(cidr.version, before), formatPool(cidr.version, range)];
      const text = `${a.start}-${a.end} ${b.start}-${b.end}`;
      throw new ApiFault(
        "OverlappingAllocationPools",
        `Found overlapping allocation pools: ${text} for subnet ${formatCidr(cidr)}.`,
      );
    }
  });
  return ranges.map((range) => formatPool(cidr.version, range));
}

function checkedPool(cidr: Cidr, pool: AllocationPool): AddressRange {
  const start = parseAddress(pool.start);
  const end = parseAddress(pool.end);
  if (start?.version !== cidr.version || end?.version !== cidr.version || start.value > end.value) {
    throw new ApiFault("InvalidAllocationPool", `The allocation pool ${pool.start}-${pool.end} is not valid.`);
  }
  return { first: start.value, last: end.value };
}

export function checkGatewayOutsidePools(gatewayIp: string | null, pools: readonly AllocationPool[]): void {
  const gateway = gatewayIp === null ? undefined : parseAddress(gatewayIp);
  if (gateway === undefined) return;
  const pool = pools.find((one) => inRange(poolRange(one), gateway.value));
  if (pool === undefined) return;
  const text = `Gateway ip ${gatewayIp} conflicts with allocation pool ${pool.start}-${pool.end}.`;
  throw new ApiFault("GatewayConflictWithAllocationPools", text);
}

/** @param pool one that has been checked before. */
export function poolRange(pool: AllocationPool): AddressRange {
  const [start, end] = [parseAddress(pool.start), parseAddress(pool.end)];
  if (start === undefined || end === undefined) throw new RangeError(`not an allocation pool: ${pool.start}-${pool.end}`);
  return { first: start.value, last: end.value };
}
