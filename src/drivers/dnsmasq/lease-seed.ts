// What a dnsmasq that is about to start should believe of leases: pure. It answers no renewal of a lease that it does not know.
import { type DnsmasqLease, filterLeaseFile } from "../../linux/dnsmasq-leases.ts";
import type { Port } from "../../model/network.ts";
import { addressesOf, macOf } from "./host-line.ts";

export interface LeaseSeed {
  /** The lease file that the last server here left; undefined: there is none. */
  readonly previous: string | undefined;
  readonly isKept: (lease: DnsmasqLease) => boolean;
  readonly hostLines: readonly string[];
  /** Another host has served the network until now. */
  readonly isTakenOver: boolean;
}

/**
 * The file of the last server here is the truth: what clients were really given, with its real end, less what has changed
 * hands, and with the server's own DHCPv6 identity. A lease for every port instead would make each later change cost more,
 * because dnsmasq goes through leases × hosts at each.
 *
 * Only where the network comes from another host and nothing is known every IPv4 address is taken for leased, without an end:
 * dnsmasq sets the right one when the client renews. DHCPv6 leases cannot be made up: they need a number that the client chose.
 *
 * @returns undefined when there is nothing to write
 */
export function seedLeases({ previous, isKept, hostLines, isTakenOver }: LeaseSeed): string | undefined {
  if (previous !== undefined) return filterLeaseFile(previous, isKept);
  if (!isTakenOver) return undefined;
  const lines = hostLines.flatMap((line) =>
    addressesOf(line)
      .filter((address) => !address.includes(":"))
      .map((address) => `0 ${macOf(line)} ${address} * *\n`),
  );
  return lines.length === 0 ? undefined : lines.join("");
}

/**
 * A port that was made for this host, and is new, has its first revision; one that a host left for another has been
 * changed twice since. A few changed ones are our own: that costs a moment, and the opposite clients without an answer.
 */
export const isTakenOverPort = (dhcpPort: Port): boolean => dhcpPort.revision > 1;
