// dnsmasq's lease files are the truth about leases; signals only say that it is time to look. Every file is looked at each two
// seconds too, so that nothing depends on a signal: renewals have none, and a server that lost its bus has none either.
import { type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../base/clock.ts";
import { canonicalAddress } from "../linux/addresses.ts";
import { readDirectoryIfPresent, readFileIfPresent } from "../linux/atomic-file.ts";
import { parseLeases } from "../linux/dnsmasq-leases.ts";
import { isUuid, type NetworkId, networkId } from "../model/ids.ts";
import { runInBackground } from "../runtime/background.ts";
import type { Logger } from "../base/logger.ts";
import { type CancelTimer, repeatEvery, type Timers } from "../runtime/timers.ts";
import type { LeaseReport } from "../types/agent-messages.ts";
import type { KnownLeases } from "./known-leases.ts";

export interface LeaseFilesOptions {
  readonly stateDir: string;
  readonly known: KnownLeases;
  /** See `AgentLeasesOptions`. */
  readonly areLeasesFinite?: boolean | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  readonly tell: (report: LeaseReport) => void;
  /** Time between looks at all files. */
  readonly pollMs?: number;
}

/**
 * dnsmasq writes its file in place, in pieces. What is older than this was written whole; one that is always newer is
 * believed after so many looks, because the next look repairs what was wrong.
 */
const quietMs = 15;
const impatientAfter = 20;
/** Of processor time: a network with very many leases is not read all the time. */
const restFactor = 10;
const readersAtOnce = 4;
const looksAtOnce = 100;

export class LeaseFiles {
  readonly #options: LeaseFilesOptions;
  /** What a file looked like when it was read, by network. */
  readonly #seen = new Map<NetworkId, string>();
  /** Networks to read, and how often each was found unquiet. */
  readonly #dirty = new Map<NetworkId, number>();
  readonly #resting = new Set<NetworkId>();
  #readers = 0;
  #isClosed = false;
  #stopPolling: CancelTimer = () => {};

  constructor(options: LeaseFilesOptions) {
    this.#options = options;
  }

  start(): void {
    const { timers, pollMs = 2000 } = this.#options;
    this.#stopPolling = repeatEvery(timers, pollMs, () => this.#poll());
  }

  close(): void {
    this.#isClosed = true;
    this.#stopPolling();
    this.#dirty.clear();
  }

  /** Something about the network's leases may be new. */
  look(id: NetworkId): void {
    if (this.#isClosed || this.#dirty.has(id)) return;
    this.#dirty.set(id, 0);
    this.#options.timers.after(quietMs, () => this.#read());
  }

  async #poll(): Promise<void> {
    const entries = await readDirectoryIfPresent(join(this.#options.stateDir, "dhcp"));
    const ids = new Set(entries.filter(isUuid).map(networkId));
    for (const id of this.#seen.keys()) {
      if (ids.has(id)) continue;
      this.#seen.delete(id);
      this.#options.known.forget(id);
    }
    let looked = 0;
    for (const id of ids) {
      looked += 1;
      // A thousand looks take 10 ms: others have their turn in between.
      if (looked % looksAtOnce === 0) await nextTurn();
      const file = this.#stat(id);
      if (file !== undefined && this.#seen.get(id) !== lookOf(file)) this.look(id);
    }
  }

  #stat(id: NetworkId): Stats | undefined {
    return statSync(this.#path(id), { throwIfNoEntry: false });
  }

  #path(id: NetworkId): string {
    return join(this.#options.stateDir, "dhcp", id, "leases");
  }

  /** Reads what is to be read, few at a time. */
  #read(): void {
    for (const [id, tries] of this.#dirty) {
      if (this.#readers >= readersAtOnce) return;
      if (this.#resting.has(id)) continue;
      this.#dirty.delete(id);
      this.#readers += 1;
      const done = (): void => {
        this.#readers -= 1;
        if (!this.#isClosed) this.#read();
      };
      runInBackground(this.#options.log, "leases not read", () => this.#readOne(id, tries).finally(done));
    }
  }

  async #readOne(id: NetworkId, tries: number): Promise<void> {
    const { clock, timers } = this.#options;
    const before = this.#stat(id);
    const text = before === undefined ? undefined : await readFileIfPresent(this.#path(id));
    const after = this.#stat(id);
    if (before === undefined || text === undefined || after === undefined || this.#isClosed) return;
    const ageMs = clock.nowMs() - after.mtimeMs;
    const isQuiet = lookOf(before) === lookOf(after) && !(ageMs >= 0 && ageMs < quietMs);
    if (!isQuiet && tries < impatientAfter) {
      this.#dirty.set(id, tries + 1);
      timers.after(quietMs, () => this.#read());
      return;
    }
    const startedAt = performance.now();
    this.#compare(id, text);
    this.#seen.set(id, lookOf(before));
    this.#rest(id, performance.now() - startedAt);
  }

  #rest(id: NetworkId, tookMs: number): void {
    if (tookMs < 1) return;
    this.#resting.add(id);
    this.#options.timers.after(tookMs * restFactor, () => {
      this.#resting.delete(id);
      this.#read();
    });
  }

  #compare(id: NetworkId, text: string): void {
    const { known, clock, tell, areLeasesFinite } = this.#options;
    const nowMs = clock.nowMs();
    const isFirst = !this.#seen.has(id);
    const gone = new Set(known.addressesOf(id));
    for (const report of readLeaseFile(id, text, nowMs)) {
      if (areLeasesFinite === true && report.expiresAtMs === null) continue;
      const event = isFirst || gone.has(report.ipAddress) ? "old" : "add";
      gone.delete(report.ipAddress);
      if (known.note(report)) tell({ ...report, event });
    }
    for (const ipAddress of gone) {
      const nothing = { macAddress: null, hostname: null, expiresAtMs: nowMs, observedAtMs: nowMs };
      const report: LeaseReport = { event: "del", networkId: id, ipAddress, ...nothing };
      if (known.note(report)) tell(report);
    }
  }
}

const lookOf = ({ mtimeMs, size, ino }: Stats): string => `${mtimeMs} ${size} ${ino}`;

/** Leases in the text of one network's lease file; expired ones and lines that make no sense are left out. */
export function readLeaseFile(id: NetworkId, text: string, nowMs: number): readonly LeaseReport[] {
  return parseLeases(text)
    .filter((lease) => lease.expiresAtMs === null || lease.expiresAtMs > nowMs)
    .map((lease) => ({
      event: "old",
      networkId: id,
      ipAddress: canonicalAddress(lease.ipAddress),
      macAddress: lease.macAddress,
      hostname: lease.hostname !== null && lease.hostname.length <= 255 ? lease.hostname : null,
      expiresAtMs: lease.expiresAtMs,
      observedAtMs: nowMs,
    }));
}
