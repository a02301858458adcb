// Lines of `host` (who gets which address) and `addn_hosts` (DNS) for one port.
import { ipVersionOf } from "../../linux/addresses.ts";
import type { SubnetId } from "../../model/ids.ts";
import type { ExtraDhcpOption, FixedIp, Port, Subnet } from "../../model/network.ts";
import { checkAddress, checkClientId, checkMac } from "./grammar.ts";
import { nameOf } from "./names.ts";
import { serviceOf } from "./subnet-service.ts";

export interface HostLine {
  readonly text: string;
  /** What the line claims; dnsmasq refuses a second line with one of them. */
  readonly addresses: readonly string[];
}

export interface PortLines {
  readonly host: readonly HostLine[];
  readonly dns: readonly HostLine[];
}

const ownersWithoutLines: ReadonlySet<string> = new Set([
  "network:router_ha_interface",
  "network:floatingip",
  "network:dhcp",
  "network:distributed",
]);

export function isClientId(option: ExtraDhcpOption): boolean {
  return option.optName === "client-id" || option.optName === "61";
}

/** @param domain of the network's names, "" for none */
export function buildPortLines(port: Port, subnets: ReadonlyMap<SubnetId, Subnet>, domain: string): PortLines {
  if (ownersWithoutLines.has(port.deviceOwner)) return { host: [], dns: [] };
  const dns = port.fixedIps.map(({ ipAddress }): HostLine => {
    const { fqdn, hostname } = nameOf(port, ipAddress, domain);
    // The name with the domain first: it is what a reverse look-up returns.
    const names = fqdn === hostname ? fqdn : `${fqdn} ${hostname}`;
    return { text: `${checkAddress(ipAddress)}\t${names}`, addresses: [ipAddress] };
  });
  return { host: buildHostLines(port, subnets, domain), dns };
}

function buildHostLines(port: Port, subnets: ReadonlyMap<SubnetId, Subnet>, domain: string): readonly HostLine[] {
  const served = port.fixedIps.map((fixedIp) => ({ fixedIp, subnet: subnets.get(fixedIp.subnetId) }));
  const on = (service: string, ipVersion: 4 | 6): readonly FixedIp[] =>
    served
      .filter(({ subnet }) => subnet?.ipVersion === ipVersion && serviceOf(subnet) === service)
      .map(({ fixedIp }) => fixedIp);
  const line = (ipVersion: 4 | 6, ips: readonly FixedIp[]): HostLine => ({
    text: formatHostLine(port, ipVersion, ips, domain),
    addresses: ips.map((ip) => ip.ipAddress),
  });

  const stateful = Map.groupBy(on("addresses", 6), (ip) => ip.subnetId);
  // dnsmasq searches from the last line read backwards: the line without an address must come before those with one, or it
  // would hide them from this MAC.
  return [
    ...(on("options", 6).length > 0 && setTag(port) !== "" ? [line(6, [])] : []),
    ...on("addresses", 4).map((ip) => line(4, [ip])),
    ...[...stateful.values()].map((ips) => line(6, ips)),
  ];
}

/** Options other than the client-id hang on a tag of the port. */
function setTag(port: Port): string {
  return port.extraDhcpOpts.some((option) => !isClientId(option)) ? `set:port-${port.id}` : "";
}

function formatHostLine(port: Port, ipVersion: 4 | 6, ips: readonly FixedIp[], domain: string): string {
  const [first] = ips;
  const identity = port.extraDhcpOpts.find((option) => isClientId(option) && option.ipVersion === ipVersion);
  const parts = [checkMac(port.macAddress)];
  if (ipVersion === 6) parts.push("tag:dhcpv6");
  if (identity !== undefined && first !== undefined) parts.push(`id:${checkClientId(identity.optValue)}`);
  if (first !== undefined) parts.push(nameOf(port, first.ipAddress, domain).fqdn);
  for (const { ipAddress } of ips) {
    parts.push(ipVersionOf(checkAddress(ipAddress)) === 4 ? ipAddress : `[${ipAddress}]`);
  }
  const tag = setTag(port);
  if (tag !== "") parts.push(tag);
  return parts.join(",");
}
