// What a dnsmasq that is about to start should believe of leases: pure. It answers no renewal of a lease that it does not know.
import { type DnsmasqLease, filterLeaseFile, parseLeases } from "../../linux/dnsmasq-leases.ts";
import { deviceOwners } from "../../model/device-names.ts";
import type { NetworkView, Port } from "../../model/network.ts";
import type { AddedLease } from "../lease-control.ts";
import { addressesOf, macOf } from "./host-line.ts";

export interface LeaseSeed {
  /** The lease file that the last server here left; undefined: there is none. */
  readonly previous: string | undefined;
  readonly isKept: (lease: DnsmasqLease) => boolean;
  readonly hostLines: readonly string[];
  /** Another host has served the network until now. */
  readonly isTakenOver: boolean;
  /** Other hosts serve the network too: whoever got a lease there may ask here when that host is gone. */
  readonly isShared?: boolean | undefined;
}

/**
 * The file of the last server here is the truth: what clients were really given, with its real end, less what has changed
 * hands, and with the server's own DHCPv6 identity. A lease for every port instead would make each later change cost more,
 * because dnsmasq goes through leases × hosts at each.
 *
 * Where other hosts give leases too, or have until now, every other IPv4 address is taken for leased, without an end: dnsmasq
 * sets the right one when the client renews. DHCPv6 leases cannot be made up: they need a number that the client chose.
 *
 * @returns undefined when there is nothing to write
 */
export function seedLeases({ previous, isKept, hostLines, isTakenOver, isShared }: LeaseSeed): string | undefined {
  const kept = previous === undefined ? undefined : filterLeaseFile(previous, isKept);
  if (!isShared && !(isTakenOver && kept === undefined)) return kept;
  const lines = unleased(hostLines, parseLeases(kept ?? "")).map(
    ({ macAddress, ipAddress }) => `0 ${macAddress} ${ipAddress} * *\n`,
  );
  return lines.length === 0 ? kept : `${kept ?? ""}${lines.join("")}`;
}

/**
 * Clients that have no lease, with the IPv4 address that each is given when it asks: of several that which was read last. With
 * more than one lease of a client dnsmasq would look at the first, and refuse the others.
 */
export function unleased(hostLines: readonly string[], leases: readonly DnsmasqLease[]): readonly AddedLease[] {
  const taken = new Set(leases.flatMap(({ ipVersion, macAddress }) => (ipVersion === 4 ? macAddress : [])));
  const addressOf = new Map<string, string>();
  for (const line of hostLines) {
    const [ipAddress] = addressesOf(line).filter((address) => !address.includes(":"));
    const macAddress = macOf(line);
    if (ipAddress !== undefined && !taken.has(macAddress)) addressOf.set(macAddress, ipAddress);
  }
  return [...addressOf].map(([macAddress, ipAddress]) => ({ macAddress, ipAddress }));
}

/**
 * A port that was made for this host, and is new, has its first revision; one that a host left for another has been
 * changed twice since. A few changed ones are our own: that costs a moment, and the opposite clients without an answer.
 */
export const isTakenOverPort = (dhcpPort: Port): boolean => dhcpPort.revision > 1;

/**
 * Hosts that serve the network: each has one DHCP port. One that nobody holds now was a host's and may be again at any moment.
 */
export const countServingHosts = ({ ports }: Pick<NetworkView, "ports">): number =>
  ports.filter(({ deviceOwner }) => deviceOwner === deviceOwners.dhcp).length;
