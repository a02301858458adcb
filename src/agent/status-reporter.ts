// Tells the server which ports are served and which leases were seen. Everything is kept until the server has stored it;
// a newer report about the same port or address replaces the older one.
import type { Logger } from "../base/logger.ts";
import type { PortId } from "../model/ids.ts";
import { firstOf, isRefused, SendLoop } from "../runtime/send-loop.ts";
import type { Timers } from "../runtime/timers.ts";
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
  readonly #loop: SendLoop;
  #events: readonly AgentEvent[] = [];
  #dropped = 0;

  constructor(options: StatusReporterOptions) {
    const { timers, log, lingerMs, random } = options;
    this.#options = options;
    this.#loop = new SendLoop({
      ...{ timers, log, lingerMs, random, what: "status report" },
      pending: () => this.pending,
      sendBatch: () => this.#sendBatch(),
    });
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
    this.#loop.wake();
  }

  addLease(lease: LeaseReport): void {
    const key = `${lease.networkId} ${lease.ipAddress}`;
    // Deleting first puts the news at the end: what waits longest is sent first and dropped first.
    this.#leases.delete(key);
    this.#leases.set(key, lease);
    this.#bound(this.#leases, this.#options.maxLeases ?? 50_000);
    this.#loop.wake();
  }

  /** Of many, the latest are told. */
  addEvent(event: AgentEvent): void {
    this.#events = [...this.#events, event].slice(-batch);
    this.#loop.wake();
  }

  /** The connection is back: what failed may go now. */
  retryNow(): void {
    this.#loop.retryNow();
  }

  /** Sends what it can in one go; what the server does not take now is reported again after the next start. */
  async close(): Promise<void> {
    await this.#loop.close();
  }

  async #sendBatch(): Promise<void> {
    const readyPorts = firstOf(
      [...firstOf(this.#ports.new.values(), batch), ...firstOf(this.#ports.known.values(), batch)],
      batch,
    );
    const leases = firstOf(this.#leases.values(), batch);
    const events = this.#events;
    try {
      await this.#options.send({ readyPorts, leases, ...(events.length === 0 ? {} : { events: [...events] }) });
    } catch (err) {
      if (!isRefused(err)) throw err;
      this.#options.log.error({ err, ports: readyPorts.length, leases: leases.length }, "status report was refused");
    }
    this.#events = this.#events.filter((event) => !events.includes(event));
    for (const port of readyPorts) {
      for (const lane of [this.#ports.new, this.#ports.known]) if (lane.get(port.id) === port) lane.delete(port.id);
    }
    for (const lease of leases) {
      const key = `${lease.networkId} ${lease.ipAddress}`;
      if (this.#leases.get(key) === lease) this.#leases.delete(key);
    }
  }

  #bound(entries: Map<string, unknown>, max: number): void {
    for (const key of entries.keys()) {
      if (entries.size <= max) return;
      entries.delete(key);
      this.#dropped += 1;
    }
  }
}
