// What dnsmasq does for a subnet.
import { parseCidr } from "../../linux/addresses.ts";
import type { Subnet } from "../../model/network.ts";
import { currentFeatures, type DnsmasqFeatures } from "./dnsmasq-version.ts";

/** `addresses`: leases; `options`: only options, clients make their own address (stateless); `nothing`: see `whyNotServed`. */
export type SubnetService = "addresses" | "options" | "nothing";

export function serviceOf(subnet: Subnet, features: DnsmasqFeatures = currentFeatures): SubnetService {
  if (whyNotServed(subnet, features) !== undefined) return "nothing";
  return subnet.ipVersion === 6 && subnet.ipv6AddressMode === "dhcpv6-stateless" ? "options" : "addresses";
}

/** Modes that are not set count as stateful. `undefined`: it is served. */
export function whyNotServed(subnet: Subnet, features: DnsmasqFeatures = currentFeatures): string | undefined {
  if (!subnet.enableDhcp) return "DHCP is off";
  if (subnet.ipVersion === 4) return undefined;
  const { ipv6AddressMode: addressMode, ipv6RaMode: raMode } = subnet;
  if (addressMode === "slaac") return "clients make their addresses by router advertisements alone";
  if (addressMode === null && raMode !== null) return "addresses are no business of DHCP here";
  if (parseCidr(subnet.cidr).prefixLength < 64) return "dnsmasq serves no IPv6 subnet that is larger than /64";
  return features.hasDhcpv6 ? undefined : "dnsmasq was built without DHCPv6";
}
