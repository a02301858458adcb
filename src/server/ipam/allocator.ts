// Fills slots with addresses inside one transaction. The primary key (subnet_id, ip_key) is the judge: whoever loses there
// runs again (Store.transaction) and sees the winner's address.
import { type Address, addressKey, formatAddress, type IpVersion, parseKey } from "../../model/addresses.ts";
import { ApiFault } from "../../types/api-faults.ts";
import type { Dialect, Trx } from "../store/database.ts";
import { inChunks, locksRows, type SubnetRow } from "../store/rows.ts";
import type { AddressSlot } from "./address-slots.ts";
import { findFreeKeys } from "./free-addresses.ts";
import { type AllocationPool, poolRange } from "./subnet-rules.ts";

export interface PortSlots {
  /** The port that may hold some of the exact addresses already. */
  readonly portId: string;
  readonly networkId: string;
  readonly slots: readonly AddressSlot[];
  /** DHCP servers take the lowest free address, all others the one after the last that was handed out. */
  readonly lowest: boolean;
}

export interface AllocatedAddress {
  readonly subnetId: string;
  readonly ipAddress: string;
  readonly ipKey: string;
}

/** One list per port, in the order of its slots. All of a bulk request at once, so that it costs a few queries and not hundreds. */
export async function allocateAddresses(
  trx: Trx,
  dialect: Dialect,
  ports: readonly PortSlots[],
): Promise<AllocatedAddress[][]> {
  const batch = new Batch(trx, dialect);
  const answers = ports.map((): AllocatedAddress[] => []);
  await batch.takeExact(ports, answers);
  await batch.pick(ports, answers);
  return answers;
}

/** A slot that is to be filled with any free address, and where the answer goes. */
interface Vacancy {
  readonly candidates: readonly SubnetRow[];
  readonly lowest: boolean;
  readonly networkId: string;
  readonly put: (address: AllocatedAddress) => void;
}

class Batch {
  readonly #trx: Trx;
  readonly #dialect: Dialect;
  /** By subnet: keys that this batch has given out. */
  readonly #taken = new Map<string, Set<string>>();

  constructor(trx: Trx, dialect: Dialect) {
    this.#trx = trx;
    this.#dialect = dialect;
  }

  async takeExact(ports: readonly PortSlots[], answers: readonly AllocatedAddress[][]): Promise<void> {
    const wanted = new Map<string, Map<string, string>>();
    ports.forEach((port, index) => {
      port.slots.forEach((slot, position) => {
        if (slot.kind === "any") return;
        const address = allocated(slot.subnet.id, slot.address);
        this.#take(address, port.networkId);
        put(answers, index, position, address);
        wanted.set(slot.subnet.id, (wanted.get(slot.subnet.id) ?? new Map<string, string>()).set(address.ipKey, port.portId));
      });
    });
    for (const [subnetId, owners] of wanted) await this.#refuseUsed(subnetId, owners);
  }

  async pick(ports: readonly PortSlots[], answers: readonly AllocatedAddress[][]): Promise<void> {
    const vacancies = ports.flatMap((port, index) =>
      port.slots.flatMap((slot, position): Vacancy[] => {
        if (slot.kind === "exact") return [];
        const { lowest, networkId } = port;
        return [{ candidates: slot.candidates, lowest, networkId, put: (address) => put(answers, index, position, address) }];
      }),
    );
    const alike = Map.groupBy(vacancies, (one) => [one.lowest, ...one.candidates.map((subnet) => subnet.id)].join());
    // Everybody locks subnets in the same order, so that transactions wait for each other and not in a circle.
    for (const key of [...alike.keys()].sort()) await this.#fill(alike.get(key) ?? []);
  }

  async #fill(vacancies: readonly Vacancy[]): Promise<void> {
    const [first] = vacancies;
    if (first === undefined) return;
    let filled = 0;
    for (const subnet of first.candidates) {
      const keys = await this.#freeKeys(subnet, vacancies.length - filled, first.lowest);
      for (const ipKey of keys) {
        const address = { subnetId: subnet.id, ipKey, ipAddress: formatAddress(parseKey(ipKey)) };
        this.#take(address, first.networkId);
        vacancies[filled++]?.put(address);
      }
      if (filled === vacancies.length) return;
    }
    throw new ApiFault(
      "IpAddressGenerationFailure",
      `No more IP addresses available on network ${first.networkId}.`,
      undefined,
      first.candidates.map((subnet) => subnet.id),
    );
  }

  async #freeKeys(subnet: SubnetRow, wanted: number, lowest: boolean): Promise<readonly string[]> {
    // Read again and under a lock: another transaction may have moved the cursor since the subnet was read.
    const fresh = await this.#trx
      .selectFrom("subnets")
      .select(["next_key", "allocation_pools"])
      .where("id", "=", subnet.id)
      .$if(locksRows(this.#dialect), (query) => query.forNoKeyUpdate())
      .executeTakeFirst();
    if (fresh === undefined) return [];
    // The casts: we wrote both.
    const keys = await findFreeKeys({
      version: subnet.ip_version as IpVersion,
      pools: (JSON.parse(fresh.allocation_pools) as readonly AllocationPool[]).map(poolRange),
      from: lowest ? 0n : BigInt(`0x${fresh.next_key}`),
      wanted,
      reserved: this.#taken.get(subnet.id) ?? new Set(),
      readUsed: (from, to) => this.#usedKeys(subnet.id, from, to),
    });
    const last = keys.at(-1);
    if (last !== undefined && !lowest) await this.#moveCursor(subnet, last);
    return keys;
  }

  async #usedKeys(subnetId: string, from: string, to: string): Promise<readonly string[]> {
    const rows = await this.#trx
      .selectFrom("fixed_ips")
      .select("ip_key")
      .where("subnet_id", "=", subnetId)
      .where("ip_key", ">=", from)
      .where("ip_key", "<=", to)
      .execute();
    return rows.map((row) => row.ip_key);
  }

  async #moveCursor(subnet: SubnetRow, lastKey: string): Promise<void> {
    const { version, value } = parseKey(lastKey);
    await this.#trx
      .updateTable("subnets")
      .set({ next_key: addressKey({ version, value: value + 1n }) })
      .where("id", "=", subnet.id)
      .execute();
  }

  /** @param owners by key: the port that asks for it. */
  async #refuseUsed(subnetId: string, owners: ReadonlyMap<string, string>): Promise<void> {
    const rows = await inChunks([...owners.keys()], (keys) =>
      this.#trx
        .selectFrom("fixed_ips")
        .select(["ip_key", "ip_address", "port_id", "network_id"])
        .where("subnet_id", "=", subnetId)
        .where("ip_key", "in", keys)
        .execute(),
    );
    const foreign = rows.find((row) => owners.get(row.ip_key) !== row.port_id);
    if (foreign !== undefined) throw alreadyAllocated(foreign.ip_address, foreign.network_id);
  }

  #take(address: AllocatedAddress, networkId: string): void {
    const keys = this.#taken.get(address.subnetId) ?? new Set();
    if (keys.has(address.ipKey)) throw alreadyAllocated(address.ipAddress, networkId);
    this.#taken.set(address.subnetId, keys.add(address.ipKey));
  }
}

function allocated(subnetId: string, address: Address): AllocatedAddress {
  return { subnetId, ipAddress: formatAddress(address), ipKey: addressKey(address) };
}

function put(answers: readonly AllocatedAddress[][], index: number, position: number, address: AllocatedAddress): void {
  const answer = answers[index];
  if (answer !== undefined) answer[position] = address;
}

function alreadyAllocated(ipAddress: string, networkId: string): ApiFault {
  return new ApiFault("IpAddressAlreadyAllocated", `IP address ${ipAddress} already allocated in network ${networkId}.`);
}
