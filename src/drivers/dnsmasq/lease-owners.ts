// Which leases may stay: those whose address still belongs to the client that holds it. Pure.
import type { DnsmasqLease } from "../../linux/dnsmasq-leases.ts";
import { addressesOf, macOf } from "./host-line.ts";

/** Address → MAC of each host line. */
export function ownersOf(hostLines: Iterable<string>): ReadonlyMap<string, string> {
  const owners = new Map<string, string>();
  for (const line of hostLines) for (const address of addressesOf(line)) owners.set(address, macOf(line));
  return owners;
}

/**
 * By address and MAC only: a client-id that the client chose itself says nothing about who owns the address. A DHCPv6
 * client whose DUID does not tell its MAC is believed as long as the address is in use at all and has not changed hands.
 *
 * @param freed addresses that lost their owner since the server was last in order
 */
export function isLeaseKept(lease: DnsmasqLease, owners: ReadonlyMap<string, string>, freed: ReadonlySet<string>): boolean {
  const owner = owners.get(lease.ipAddress);
  if (owner === undefined) return false;
  if (lease.ipVersion === 4) return lease.macAddress === owner;
  return !freed.has(lease.ipAddress);
}
