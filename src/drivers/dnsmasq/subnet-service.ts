// What dnsmasq does for a subnet.
import { parseCidr } from "../../linux/addresses.ts";
import type { Subnet } from "../../model/network.ts";

/**
 * `addresses`: leases; `options`: only options, clients make their own address (stateless); `nothing`: DHCP is off, the
 * router alone serves it (slaac), or dnsmasq cannot (IPv6 shorter than /64). Modes that are not set count as stateful.
 */
export type SubnetService = "addresses" | "options" | "nothing";

export function serviceOf(subnet: Subnet): SubnetService {
  if (!subnet.enableDhcp) return "nothing";
  if (subnet.ipVersion === 4) return "addresses";
  const { ipv6AddressMode: addressMode, ipv6RaMode: raMode } = subnet;
  if (addressMode === null && raMode !== null) return "nothing";
  if (addressMode === "slaac" || parseCidr(subnet.cidr).prefixLength < 64) return "nothing";
  return addressMode === "dhcpv6-stateless" ? "options" : "addresses";
}
