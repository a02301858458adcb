// What a small file must say to bring the hosts in dnsmasq's memory from what they are to what they should be; or why no
// small file can: dnsmasq refuses a line whose address is in its memory, and goes by order between lines of one client.
import { addressesOf, identityOf, macOf, tombstoneOf } from "./host-line.ts";
import type { HostMemory } from "./host-memory.ts";

export type HostDelta =
  | {
      readonly lines: readonly string[];
      /** Addresses that their client no longer owns, whether or not another does. */
      readonly freed: readonly string[];
    }
  /** Only new base files will do. */
  | { readonly reason: string; readonly freed: readonly string[] };

export interface HostDifference {
  readonly missing: readonly string[];
  readonly gone: readonly string[];
}

/** Compares whole lines. Costs one look-up per line where nothing has gone, which is the usual case. */
export function compareHosts(desired: readonly string[], memory: HostMemory): HostDifference {
  const missing = desired.filter((line) => !memory.lines.has(line));
  // No line is desired twice, so counting tells whether one is there too many.
  if (desired.length - missing.length === memory.lines.size) return { missing, gone: [] };
  const wanted = new Set(desired);
  return { missing, gone: [...memory.lines].filter((line) => !wanted.has(line)) };
}

export function planHostDelta({ missing, gone }: HostDifference, memory: HostMemory): HostDelta {
  const freed = freedAddresses(missing, gone);
  const macs = [...Map.groupBy([...missing, ...gone], macOf).keys()];
  const missingByMac = Map.groupBy(missing, macOf);
  const goneByMac = Map.groupBy(gone, macOf);
  if (missing.some((line) => addressesOf(line).some((address) => memory.hasAddress(address)))) {
    return { reason: "an address gets another line", freed };
  }
  const lines: string[] = [];
  for (const mac of macs) {
    const change = planMac(mac, missingByMac.get(mac) ?? [], goneByMac.get(mac) ?? [], memory);
    if (change === undefined) return { reason: "lines of one MAC would stand in the wrong order", freed };
    lines.push(...change);
  }
  return { lines, freed };
}

/** `undefined`: not by a small file. */
function planMac(
  mac: string,
  missing: readonly string[],
  gone: readonly string[],
  memory: HostMemory,
): readonly string[] | undefined {
  const known = memory.identitiesOf(mac);
  // A client that was buried or moved before may still be found by an older line, if that names its client-id.
  if (missing.length > 0 && memory.hasStale(mac)) return undefined;
  if (gone.length === 0) return known.size === 0 ? missing : undefined;

  const goneIdentities = new Set(gone.map(identityOf));
  if ([...goneIdentities].some((identity) => isPartlyGone(identity, gone, memory))) return undefined;
  if (missing.length === 0) return [...new Set(gone.map(tombstoneOf))];
  // A move: one line for one line of the same identity, and each identity with a new line loses its old one.
  const missingIdentities = missing.map(identityOf);
  const isMove =
    new Set(missingIdentities).size === missing.length &&
    missingIdentities.every((identity) => goneIdentities.has(identity) && memory.linesOf(identity).length === 1);
  if (!isMove) return undefined;
  const buried = gone.filter((line) => !missingIdentities.includes(identityOf(line)));
  return [...new Set(buried.map(tombstoneOf)), ...missing];
}

/** A tombstone would hide those that stay. */
const isPartlyGone = (identity: string, gone: readonly string[], memory: HostMemory): boolean =>
  memory.linesOf(identity).length !== gone.filter((line) => identityOf(line) === identity).length;

function freedAddresses(missing: readonly string[], gone: readonly string[]): readonly string[] {
  const owners = new Map(missing.flatMap((line) => addressesOf(line).map((address) => [address, macOf(line)] as const)));
  return gone.flatMap((line) => addressesOf(line).filter((address) => owners.get(address) !== macOf(line)));
}
