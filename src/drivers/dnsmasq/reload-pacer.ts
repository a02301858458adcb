// How soon the next change of a network may follow the last: dnsmasq does one thing at a time, and while it takes in a change
// it answers nobody. What a change costs grows with ports × leases, so it is measured each time and never guessed.
import type { Clock } from "../../base/clock.ts";
import { type ProcessLoad, readProcessLoad } from "../../linux/process-load.ts";
import type { ProcessIdentity } from "../../linux/process-table.ts";
import type { NetworkId } from "../../model/ids.ts";

const leastGapMs = 5;
const mostGapMs = 2000;

/** A client that has to wait for less than this does not notice. */
const noticedMs = 4;

/**
 * Rest after a change that cost `cpuMs` of the server's time. Eight times as much keeps its share at 1/9; the upper limit
 * bounds how long an event waits on a network so large that the share cannot be kept. Where clients would not notice, those
 * who wait for the next port come first: there the rest falls with the square.
 */
export const restAfter = (cpuMs: number): number =>
  Math.min(Math.max(8 * cpuMs * Math.min(1, cpuMs / noticedMs), leastGapMs), mostGapMs);

interface Change {
  readonly server: ProcessIdentity;
  readonly cpuBeforeMs: number;
  readonly atMs: number;
  /** Known once the server was seen at rest. */
  cpuMs: number | undefined;
}

export interface ReloadPacerDeps {
  readonly clock: Clock;
  readonly readLoad?: (pid: number) => ProcessLoad | undefined;
}

export class ReloadPacer {
  readonly #clock: Clock;
  readonly #readLoad: (pid: number) => ProcessLoad | undefined;
  readonly #changes = new Map<NetworkId, Change>();
  #totalCpuMs = 0;

  constructor({ clock, readLoad = readProcessLoad }: ReloadPacerDeps) {
    this.#clock = clock;
    this.#readLoad = readLoad;
  }

  /** Call just before the server is told of a change. */
  note(id: NetworkId, server: ProcessIdentity): void {
    const cpuBeforeMs = this.#readLoad(server.pid)?.cpuMs ?? 0;
    this.#changes.set(id, { server, cpuBeforeMs, atMs: this.#clock.monotonicMs(), cpuMs: undefined });
  }

  /** Looks soon and often until the server has taken the change in: later, what it does for clients would count as well. */
  watch(id: NetworkId): void {
    const change = this.#changes.get(id);
    const lookIn = (pauseMs: number): void => {
      setTimeout(() => {
        if (change === undefined || this.#changes.get(id) !== change || change.cpuMs !== undefined) return;
        this.delayMs(id);
        lookIn(Math.min(2 * pauseMs, 50));
      }, pauseMs).unref();
    };
    lookIn(1);
  }

  /**
   * Milliseconds from now; 0 when the next change may come at once. While the server is still at the last one the answer is
   * a lower bound: ask again then.
   */
  delayMs(id: NetworkId): number {
    const change = this.#changes.get(id);
    if (change === undefined) return 0;
    const nowMs = this.#clock.monotonicMs();
    if (change.cpuMs === undefined) {
      const load = this.#readLoad(change.server.pid);
      if (load === undefined) return this.#forget(id);
      const cpuMs = load.cpuMs - change.cpuBeforeMs;
      // Rest is counted from when it is done, which is not yet.
      if (!load.isSleeping) return Math.max(leastGapMs, restAfter(cpuMs));
      change.cpuMs = cpuMs;
      this.#totalCpuMs += cpuMs;
    }
    // A change that cost so much also took at least that long.
    const leftMs = change.atMs + change.cpuMs + restAfter(change.cpuMs) - nowMs;
    return leftMs > 0 ? leftMs : this.#forget(id);
  }

  /** What all changes cost that were seen to their end. */
  get totalCpuMs(): number {
    return this.#totalCpuMs;
  }

  forget(id: NetworkId): void {
    this.#changes.delete(id);
  }

  #forget(id: NetworkId): 0 {
    this.#changes.delete(id);
    return 0;
  }
}
