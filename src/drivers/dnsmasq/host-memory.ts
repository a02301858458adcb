// What one dnsmasq has in memory of the hosts files: the base and every small file since, also lines that no longer count.
// It forgets nothing before the next SIGHUP.
import { addressesOf, identityOf, isTombstone, macOf, setsTag } from "./host-line.ts";

interface Index {
  /** The lines in force by identity. */
  readonly byIdentity: Map<string, readonly string[]>;
  /** Identities in force by MAC. */
  readonly byMac: Map<string, ReadonlySet<string>>;
  /** Every address of every line, in force or not. */
  readonly addresses: Set<string>;
  /** MACs with a line that is not in force any more. */
  readonly staleMacs: Set<string>;
}

export class HostMemory {
  readonly baseCount: number;
  #deltaCount = 0;
  #isTagged: boolean;
  readonly #lines: Set<string>;
  /** Made when a change is planned for the first time: most networks are looked at far more often than changed. */
  #index: Index | undefined;

  constructor(baseLines: Iterable<string>) {
    this.#lines = new Set(baseLines);
    this.baseCount = this.#lines.size;
    this.#isTagged = [...this.#lines].some(setsTag);
  }

  /** Lines in force. */
  get lines(): ReadonlySet<string> {
    return this.#lines;
  }

  /** Lines and tombstones that stand beside the base. */
  get deltaCount(): number {
    return this.#deltaCount;
  }

  /**
   * A line with `set:` is in memory. dnsmasq (seen with 2.90) links such a tag into a list of its own at each request of the
   * client, and frees that list with the line: when it is told to read its files again it dies.
   */
  get isTagged(): boolean {
    return this.#isTagged;
  }

  linesOf(identity: string): readonly string[] {
    return this.#indexed().byIdentity.get(identity) ?? [];
  }

  identitiesOf(mac: string): ReadonlySet<string> {
    return this.#indexed().byMac.get(mac) ?? new Set();
  }

  hasAddress(address: string): boolean {
    return this.#indexed().addresses.has(address);
  }

  hasStale(mac: string): boolean {
    return this.#indexed().staleMacs.has(mac);
  }

  /** One more small file: whatever it says about an identity replaces what was said before. */
  readDelta(lines: readonly string[]): void {
    const index = this.#indexed();
    for (const identity of new Set(lines.map((line) => identityOf(line)))) {
      for (const old of index.byIdentity.get(identity) ?? []) {
        this.#lines.delete(old);
        index.staleMacs.add(macOf(old));
      }
      index.byIdentity.delete(identity);
    }
    for (const line of lines) {
      if (isTombstone(line)) this.#bury(index, line);
      else {
        this.#lines.add(line);
        addToIndex(index, line);
      }
    }
    this.#deltaCount += lines.length;
    this.#isTagged ||= lines.some(setsTag);
  }

  #bury(index: Index, tombstone: string): void {
    const mac = macOf(tombstone);
    index.staleMacs.add(mac);
    const left = new Set(index.byMac.get(mac));
    left.delete(identityOf(tombstone));
    if (left.size === 0) index.byMac.delete(mac);
    else index.byMac.set(mac, left);
  }

  #indexed(): Index {
    if (this.#index !== undefined) return this.#index;
    const index: Index = { byIdentity: new Map(), byMac: new Map(), addresses: new Set(), staleMacs: new Set() };
    for (const line of this.#lines) addToIndex(index, line);
    this.#index = index;
    return index;
  }
}

function addToIndex(index: Index, line: string): void {
  const identity = identityOf(line);
  const mac = macOf(line);
  index.byIdentity.set(identity, [...(index.byIdentity.get(identity) ?? []), line]);
  const identities = index.byMac.get(mac);
  if (identities?.has(identity) !== true) index.byMac.set(mac, new Set([...(identities ?? []), identity]));
  for (const address of addressesOf(line)) index.addresses.add(address);
}
