// Tells the server which ports are served and which leases were seen. Everything is kept until the server has stored it;
// a newer report about the same port or address replaces the older one.
import { NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { PortId } from "../model/ids.ts";
import { backoffMs } from "../runtime/backoff.ts";
import type { CancelTimer, Timers } from "../runtime/timers.ts";
import type { AgentEvent, LeaseReport, StatusReport } from "../types/agent-messages.ts";

export interface ReadyPort {
  readonly id: PortId;
  readonly revision: number;
}

/** Somebody waits for a `new` port; `known` ones are confirmed again, after a start for example. */
export type ReadyLane = "new" | "known";

export interface StatusReporterOptions {
  /** Resolves when stored. */
  readonly send: (report: StatusReport) => Promise<void>;
  readonly timers: Timers;
  readonly log: Logger;
  readonly lingerMs?: number;
  readonly maxPorts?: number;
  readonly maxLeases?: number;
  readonly random?: () => number;
}

const batch = 256;

export class StatusReporter {
  readonly #options: StatusReporterOptions;
  readonly #ports: Readonly<Record<ReadyLane, Map<PortId, ReadyPort>>> = { new: new Map(), known: new Map() };
  readonly #leases = new Map<string, LeaseReport>();
  #events: readonly AgentEvent[] = [];
  #isSending = false;
  #isClosed = false;
  #failures = 0;
  #dropped = 0;
  #cancelTimer: CancelTimer | undefined;

  constructor(options: StatusReporterOptions) {
    this.#options = options;
  }

  get pending(): number {
    return this.#ports.new.size + this.#ports.known.size + this.#leases.size + this.#events.length;
  }

  /** Reports that were given up because too many waited. */
  get dropped(): number {
    return this.#dropped;
  }

  addReadyPorts(ports: readonly ReadyPort[], lane: ReadyLane): void {
    for (const port of ports) {
      const isWaitedFor = this.#ports.new.has(port.id);
      this.#ports[isWaitedFor ? "new" : lane].set(port.id, port);
      if (!isWaitedFor && lane === "new") this.#ports.known.delete(port.id);
    }
    this.#bound(this.#ports.known, (this.#options.maxPorts ?? 100_000) - this.#ports.new.size);
    this.#schedule();
  }

  addLease(lease: LeaseReport): void {
    const key = `${lease.networkId} ${lease.ipAddress}`;
    // Deleting first puts the news at the end: what waits longest is sent first and dropped first.
    this.#leases.delete(key);
    this.#leases.set(key, lease);
    this.#bound(this.#leases, this.#options.maxLeases ?? 50_000);
    this.#schedule();
  }

  /** Of many, the latest are told. */
  addEvent(event: AgentEvent): void {
    this.#events = [...this.#events, event].slice(-batch);
    this.#schedule();
  }

  /** The connection is back: what failed may go now. */
  retryNow(): void {
    this.#failures = 0;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#schedule();
  }

  /** Sends what it can in one go; what the server does not take now is reported again after the next start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer?.();
    if (!this.#isSending && this.pending > 0) await this.#sendAll();
  }

  #schedule(): void {
    if (this.#isClosed || this.#isSending || this.#cancelTimer !== undefined || this.pending === 0) return;
    const delayMs =
      this.#failures === 0
        ? (this.#options.lingerMs ?? 2)
        : backoffMs(this.#failures, { firstMs: 200, maxMs: 10_000 }, this.#options.random ?? Math.random);
    this.#cancelTimer = this.#options.timers.after(delayMs, () => {
      this.#cancelTimer = undefined;
      void this.#sendAll();
    });
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    let isGoingOn = true;
    while (isGoingOn && this.pending > 0) isGoingOn = await this.#sendBatch();
    this.#isSending = false;
    this.#schedule();
  }

  /** @returns false when it is better to wait. */
  async #sendBatch(): Promise<boolean> {
    const readyPorts = [...take(this.#ports.new, batch), ...take(this.#ports.known, batch)].slice(0, batch);
    const leases = take(this.#leases, batch);
    const events = this.#events;
    try {
      await this.#options.send({ readyPorts, leases, ...(events.length === 0 ? {} : { events: [...events] }) });
    } catch (err) {
      // A report that the server refuses would be refused for ever, and hold up all others.
      const isRefused = err instanceof NetloomError && err.code === "INVALID";
      if (!isRefused) {
        this.#failures += 1;
        this.#logFailure(err);
        return false;
      }
      this.#options.log.error({ err, ports: readyPorts.length, leases: leases.length }, "status report was refused");
    }
    this.#failures = 0;
    this.#events = this.#events.filter((event) => !events.includes(event));
    for (const port of readyPorts) {
      for (const lane of [this.#ports.new, this.#ports.known]) if (lane.get(port.id) === port) lane.delete(port.id);
    }
    for (const lease of leases) {
      const key = `${lease.networkId} ${lease.ipAddress}`;
      if (this.#leases.get(key) === lease) this.#leases.delete(key);
    }
    return true;
  }

  /** Of a series the first is told; no server there, or a slow one, is no fault of ours: where it was noticed says nothing. */
  #logFailure(thrown: unknown): void {
    const err = thrown instanceof NetloomError && thrown.retryable ? thrown.message : thrown;
    const level = this.#failures === 1 ? "warn" : "debug";
    this.#options.log[level]({ err, attempt: this.#failures }, "status report failed, will be repeated");
  }

  #bound(entries: Map<string, unknown>, max: number): void {
    for (const key of entries.keys()) {
      if (entries.size <= max) return;
      entries.delete(key);
      this.#dropped += 1;
    }
  }
}

function take<T>(entries: ReadonlyMap<string, T>, count: number): T[] {
  const taken: T[] = [];
  for (const entry of entries.values()) {
    if (taken.length === count) break;
    taken.push(entry);
  }
  return taken;
}
