// A reload makes dnsmasq tell every lease again; only what is new goes on.
import type { LeaseReport } from "../types/agent-messages.ts";

/** Without an exact expiry two messages of one lease may differ by the seconds they were under way. */
const toleranceMs = 2000;

interface Seen {
  readonly isGone: boolean;
  readonly macAddress: string | null;
  readonly hostname: string | null;
  readonly expiresAtMs: number | null;
}

export class LeaseFilter {
  readonly #seen = new Map<string, Seen>();
  readonly #limit: number;

  /** @param limit leases remembered; beyond it the oldest are forgotten, and told again */
  constructor(limit = 100_000) {
    this.#limit = limit;
  }

  isNew(report: LeaseReport): boolean {
    const key = `${report.networkId}/${report.ipAddress}`;
    const { macAddress, hostname, expiresAtMs } = report;
    const now: Seen = { isGone: report.event === "del", macAddress, hostname, expiresAtMs };
    const before = this.#seen.get(key);
    if (before !== undefined && isSame(before, now)) return false;
    this.#seen.delete(key);
    this.#seen.set(key, now);
    if (this.#seen.size > this.#limit) {
      const oldest = this.#seen.keys().next();
      if (oldest.done !== true) this.#seen.delete(oldest.value);
    }
    return true;
  }
}

function isSame(one: Seen, other: Seen): boolean {
  if (one.isGone || other.isGone) return one.isGone && other.isGone;
  if (one.macAddress !== other.macAddress || one.hostname !== other.hostname) return false;
  if (one.expiresAtMs === null || other.expiresAtMs === null) return one.expiresAtMs === other.expiresAtMs;
  return Math.abs(one.expiresAtMs - other.expiresAtMs) <= toleranceMs;
}
