// Which leases have been told already: a lease is told again only when something about it is new.
import type { NetworkId } from "../model/ids.ts";
import type { LeaseReport } from "../types/agent-messages.ts";

/** What a report says beside which lease it is about. */
type Said = Pick<LeaseReport, "macAddress" | "hostname" | "expiresAtMs">;

/** Without an exact expiry two messages of one lease may differ by the seconds they were under way. */
const toleranceMs = 2000;

export class KnownLeases {
  readonly #networks = new Map<NetworkId, Map<string, Said>>();
  readonly #limit: number;
  #count = 0;

  /** @param limit leases remembered on this host; those beyond it are told each time they are seen */
  constructor(limit = 200_000) {
    this.#limit = limit;
  }

  /** Leases on this host. */
  get count(): number {
    return this.#count;
  }

  /** Addresses of a network that are known to be leased. */
  addressesOf(id: NetworkId): readonly string[] {
    return [...(this.#networks.get(id)?.keys() ?? [])];
  }

  /** Notes what the report says. @returns false when it says nothing new */
  note(report: LeaseReport): boolean {
    const { networkId, ipAddress } = report;
    const leases = this.#networks.get(networkId) ?? new Map<string, Said>();
    const before = leases.get(ipAddress);
    if (report.event === "del") return this.#drop(networkId, ipAddress);
    if (before !== undefined && isSame(before, report)) return false;
    if (before === undefined && this.#count >= this.#limit) return true;
    if (before === undefined) this.#count += 1;
    const { macAddress, hostname, expiresAtMs } = report;
    leases.set(ipAddress, { macAddress, hostname, expiresAtMs });
    this.#networks.set(networkId, leases);
    return true;
  }

  /** The network is not served here any more. */
  forget(id: NetworkId): void {
    this.#count -= this.#networks.get(id)?.size ?? 0;
    this.#networks.delete(id);
  }

  #drop(id: NetworkId, ipAddress: string): boolean {
    const isDropped = this.#networks.get(id)?.delete(ipAddress) ?? false;
    if (isDropped) this.#count -= 1;
    return isDropped;
  }
}

/** The two sources do not know equally much of a DHCPv6 client: null says nothing. */
const agree = (one: string | null, other: string | null): boolean => one === null || other === null || one === other;

function isSame(one: Said, other: Said): boolean {
  if (!agree(one.macAddress, other.macAddress) || !agree(one.hostname, other.hostname)) return false;
  if (one.expiresAtMs === null || other.expiresAtMs === null) return one.expiresAtMs === other.expiresAtMs;
  return Math.abs(one.expiresAtMs - other.expiresAtMs) <= toleranceMs;
}
