// Lines of `host` (who gets which address) and `addn_hosts` (DNS) for one port.
import { ipVersionOf } from "../../linux/addresses.ts";
import { isClientId } from "../../model/dhcp-option.ts";
import type { SubnetId } from "../../model/ids.ts";
import type { FixedIp, Port, Subnet } from "../../model/network.ts";
import type { DnsmasqFeatures } from "./dnsmasq-version.ts";
import { checkAddress, checkLine, checkMac, formatClientId } from "./grammar.ts";
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

export interface HostContext {
  readonly subnets: ReadonlyMap<SubnetId, Subnet>;
  /** Of the network's names, "" for none. */
  readonly domain: string;
  readonly features: DnsmasqFeatures;
}

const ownersWithoutLines: ReadonlySet<string> = new Set([
  "network:router_ha_interface",
  "network:floatingip",
  "network:dhcp",
  "network:distributed",
]);

/** @param hasOptions the port has options of its own, beside a client-id: they hang on a tag that its host lines set */
export function buildPortLines(port: Port, hasOptions: boolean, context: HostContext): PortLines {
  if (ownersWithoutLines.has(port.deviceOwner)) return { host: [], dns: [] };
  const fixedIps = port.fixedIps.length > 1 ? port.fixedIps.toSorted(byAddress) : port.fixedIps;
  const dns = fixedIps.map(({ ipAddress }): HostLine => {
    const { fqdn, hostname } = nameOf(port, ipAddress, context.domain);
    // The name with the domain first: it is what a reverse look-up returns.
    const names = fqdn === hostname ? fqdn : `${fqdn} ${hostname}`;
    return { text: checkLine(`${checkAddress(ipAddress)}\t${names}`), addresses: [ipAddress] };
  });
  return { host: buildHostLines({ port, fixedIps, hasOptions, context }), dns };
}

const byAddress = (one: FixedIp, other: FixedIp): number => (one.ipAddress < other.ipAddress ? -1 : 1);

interface PortWork {
  readonly port: Port;
  readonly fixedIps: readonly FixedIp[];
  readonly hasOptions: boolean;
  readonly context: HostContext;
}

/** A line has room for about twenty; nobody gives one port so many on one subnet. */
const addressesInLine = 12;

function buildHostLines(work: PortWork): readonly HostLine[] {
  const { fixedIps, hasOptions } = work;
  const { features, subnets } = work.context;
  const on = (service: string, ipVersion: 4 | 6): readonly FixedIp[] =>
    fixedIps.filter(({ subnetId }) => {
      const subnet = subnets.get(subnetId);
      return subnet?.ipVersion === ipVersion && serviceOf(subnet, features) === service;
    });
  const line = (ipVersion: 4 | 6, ips: readonly FixedIp[]): HostLine => ({
    text: checkLine(formatHostLine(work, ipVersion, ips)),
    addresses: ips.map((ip) => ip.ipAddress),
  });
  const stateful = Map.groupBy(on("addresses", 6), (ip) => ip.subnetId);
  const inOneLine = features.hasHostTags ? addressesInLine : 1;
  // dnsmasq searches from the last line read backwards: the line without an address must come before those with one, or it
  // would hide them from this MAC.
  return [
    ...(hasOptions && on("options", 6).length > 0 ? [line(6, [])] : []),
    ...on("addresses", 4).map((ip) => line(4, [ip])),
    ...[...stateful.values()].flatMap((ips) => inPieces(ips, inOneLine).map((piece) => line(6, piece))),
  ];
}

function inPieces<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  const pieces: (readonly T[])[] = [];
  for (let at = 0; at < items.length; at += size) pieces.push(items.slice(at, at + size));
  return pieces;
}

function formatHostLine({ port, hasOptions, context }: PortWork, ipVersion: 4 | 6, ips: readonly FixedIp[]): string {
  const [first] = ips;
  const parts = [checkMac(port.macAddress)];
  // dnsmasq sets this tag for every DHCPv6 client: without it the line would answer an IPv4 client of the same MAC too.
  if (ipVersion === 6 && context.features.hasHostTags) parts.push("tag:dhcpv6");
  const identity = port.extraDhcpOpts.find((option) => option.ipVersion === ipVersion && isClientId(option));
  if (identity !== undefined && first !== undefined) parts.push(`id:${formatClientId(identity.optValue)}`);
  if (first !== undefined) parts.push(nameOf(port, first.ipAddress, context.domain).fqdn);
  for (const { ipAddress } of ips) {
    parts.push(ipVersionOf(checkAddress(ipAddress)) === 4 ? ipAddress : `[${ipAddress}]`);
  }
  if (hasOptions) parts.push(`set:port-${port.id}`);
  return parts.join(",");
}
