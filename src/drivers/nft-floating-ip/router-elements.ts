// One router: what its floating addresses ask for, what the kernel has as far as we know, and the changes between the two.
// Costs what changed, not what there is. Pure.
import { errorText } from "../../base/errors.ts";
import type { FloatingAddress } from "../floating-ip-driver.ts";
import { type Element, elementsOf, type ObjectName } from "./elements.ts";
import type { ElementChange } from "./nft-lines.ts";

interface Claim {
  readonly address: string;
  readonly value: string;
  readonly revision: number;
}

/** Object and key in one text. */
type KeyId = string;
const keyId = (object: string, key: string): KeyId => `${object} ${key}`;

/** Between what was known and what was found. */
export interface Differences {
  readonly elements: number;
  readonly routes: number;
}

export interface RouteChanges {
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

export class RouterElements {
  /** By address: what it asks for, as elements. */
  readonly #wishes = new Map<string, readonly Element[]>();
  readonly #refusals = new Map<string, string>();
  readonly #claims = new Map<KeyId, readonly Claim[]>();
  #applied = new Map<KeyId, string>();
  #routes = new Set<string>();
  /** May differ between what is asked for and what is there. */
  readonly #touchedKeys = new Set<KeyId>();
  readonly #touchedRoutes = new Set<string>();

  /** Addresses that cannot be put into elements at all, and why. */
  get refusals(): ReadonlyMap<string, string> {
    return this.#refusals;
  }

  /** How many elements there are, or should be. */
  get size(): number {
    return Math.max(this.#applied.size, this.#claims.size);
  }

  setWish(address: string, wish: FloatingAddress | undefined): void {
    for (const element of this.#wishes.get(address) ?? []) this.#unclaim(address, element);
    this.#wishes.delete(address);
    this.#refusals.delete(address);
    this.#touchedRoutes.add(address);
    if (wish === undefined) return;
    const elements = this.#elementsOf(wish);
    this.#wishes.set(address, elements);
    for (const element of elements) this.#claim(wish, element);
  }

  /** What the kernel has. @returns how much of it was not known */
  load(tables: ReadonlyMap<ObjectName, ReadonlyMap<string, string>>, routes: ReadonlySet<string>): Differences {
    const applied = new Map<KeyId, string>();
    for (const [object, values] of tables) for (const [key, value] of values) applied.set(keyId(object, key), value);
    const differences = {
      elements: countDifferences(this.#applied, applied),
      routes: countDifferences(keysOf(this.#routes), keysOf(routes)),
    };
    this.#applied = applied;
    this.#routes = new Set(routes);
    for (const id of [...applied.keys(), ...this.#claims.keys()]) this.#touchedKeys.add(id);
    for (const address of [...routes, ...this.#wishes.keys()]) this.#touchedRoutes.add(address);
    return differences;
  }

  /** Pure deletes first. @param address only what this address asks for */
  planElements(address?: string): readonly ElementChange[] {
    const ids = address === undefined ? this.#touchedKeys : this.#keysOf(address);
    const changes: ElementChange[] = [];
    for (const id of ids) {
      const from = this.#applied.get(id);
      const to = this.#winner(id)?.value;
      if (from === to) continue;
      const split = id.indexOf(" ");
      // The cast: keys are made of object names.
      changes.push({ object: id.slice(0, split) as ObjectName, key: id.slice(split + 1), from, to });
    }
    return changes.toSorted((one, other) => Number(one.to !== undefined) - Number(other.to !== undefined));
  }

  planRoutes(address?: string): RouteChanges {
    const addresses = [...(address === undefined ? this.#touchedRoutes : [address])];
    return {
      add: addresses.filter((one) => this.#wantsRoute(one) && !this.#routes.has(one)),
      remove: addresses.filter((one) => !this.#wantsRoute(one) && this.#routes.has(one)),
    };
  }

  /** Addresses whose elements are not what they ask for. */
  addressesIn(changes: readonly ElementChange[]): ReadonlySet<string> {
    return new Set(
      changes.flatMap(({ object, key }) => (this.#claims.get(keyId(object, key)) ?? []).map((one) => one.address)),
    );
  }

  commitElements(changes: readonly ElementChange[]): void {
    for (const { object, key, to } of changes) {
      const id = keyId(object, key);
      if (to === undefined) this.#applied.delete(id);
      else this.#applied.set(id, to);
      this.#touchedKeys.delete(id);
    }
  }

  commitRoutes({ add, remove }: RouteChanges): void {
    for (const address of add) this.#routes.add(address);
    for (const address of remove) this.#routes.delete(address);
    for (const address of [...add, ...remove]) this.#touchedRoutes.delete(address);
  }

  hasRoute(address: string): boolean {
    return this.#routes.has(address);
  }

  /** It is still to be looked at. */
  touchRoute(address: string): void {
    this.#touchedRoutes.add(address);
  }

  /** Nothing is left to do. */
  settle(): void {
    this.#touchedKeys.clear();
    this.#touchedRoutes.clear();
  }

  #wantsRoute(address: string): boolean {
    return (this.#wishes.get(address)?.length ?? 0) > 0;
  }

  #elementsOf(wish: FloatingAddress): readonly Element[] {
    try {
      return elementsOf(wish);
    } catch (thrown) {
      this.#refusals.set(wish.address, errorText(thrown));
      return [];
    }
  }

  #keysOf(address: string): readonly KeyId[] {
    return (this.#wishes.get(address) ?? []).map(({ object, key }) => keyId(object, key));
  }

  #winner(id: KeyId): Claim | undefined {
    const claims = this.#claims.get(id);
    return claims?.reduce((best, claim) => (claim.revision > best.revision ? claim : best));
  }

  #claim({ address, revision }: FloatingAddress, { object, key, value }: Element): void {
    const id = keyId(object, key);
    this.#claims.set(id, [...(this.#claims.get(id) ?? []), { address, value, revision }]);
    this.#touchedKeys.add(id);
  }

  #unclaim(address: string, { object, key }: Element): void {
    const id = keyId(object, key);
    const rest = (this.#claims.get(id) ?? []).filter((claim) => claim.address !== address);
    if (rest.length === 0) this.#claims.delete(id);
    else this.#claims.set(id, rest);
    this.#touchedKeys.add(id);
  }
}

const keysOf = (values: ReadonlySet<string>): ReadonlyMap<string, string> => new Map([...values].map((value) => [value, ""]));

function countDifferences(known: ReadonlyMap<string, string>, found: ReadonlyMap<string, string>): number {
  let count = 0;
  for (const [key, value] of known) if (found.get(key) !== value) count += 1;
  for (const key of found.keys()) if (!known.has(key)) count += 1;
  return count;
}
