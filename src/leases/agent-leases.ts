// All that an agent hears about leases, as one stream without repetitions: hints from the bus, messages of the script, and
// what the lease files say.
import type { Clock } from "../base/clock.ts";
import { errorText } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { NetworkId } from "../model/ids.ts";
import type { CancelTimer, Timers } from "../runtime/timers.ts";
import type { LeaseReport } from "../types/agent-messages.ts";
import { KnownLeases } from "./known-leases.ts";
import { LeaseFiles } from "./lease-files.ts";

/** Says that leases of a network may have changed. */
export interface LeaseHints {
  /** Networks whose server gives hints. */
  readonly reachable: ReadonlySet<NetworkId>;
  /** The servers' own counters, summed. */
  readTotals(): Promise<ReadonlyMap<string, number>>;
  onChange(listener: (id: NetworkId) => void): void;
  start(): Promise<void>;
  close(): void;
}

/** Tells leases one by one. */
export interface LeaseMessages {
  onLease(listener: (report: LeaseReport) => void): void;
  start(): Promise<void>;
  close(): Promise<void>;
}

export interface AgentLeasesOptions {
  readonly stateDir: string;
  /** The lease bus; undefined when it is not used. */
  readonly hints: LeaseHints | undefined;
  /** The relay of the script; it listens also where servers use the bus, for those that were started before. */
  readonly messages: LeaseMessages;
  /**
   * Servers give leases that end. One without an end is then none that a client has: a server was told to believe in it, so
   * that it answers clients whose lease is from elsewhere.
   */
  readonly areLeasesFinite?: boolean | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  readonly pollMs?: number;
  /** What comes within this time is told together. */
  readonly batchMs?: number;
}

export interface LeaseFigures {
  readonly leases: number;
  readonly serversOnBus: number;
  readonly counters: ReadonlyMap<string, number>;
}

export class AgentLeases {
  readonly #options: AgentLeasesOptions;
  readonly #known = new KnownLeases();
  readonly #files: LeaseFiles;
  readonly #listeners: ((report: LeaseReport) => void)[] = [];
  /** The newest report about each lease, in the order in which they came. */
  readonly #waiting = new Map<string, LeaseReport>();
  #cancelTimer: CancelTimer | undefined;

  constructor(options: AgentLeasesOptions) {
    const { stateDir, clock, timers, log, pollMs, hints, messages, areLeasesFinite = false } = options;
    this.#options = options;
    this.#files = new LeaseFiles({
      ...{ stateDir, clock, timers, log, known: this.#known, areLeasesFinite },
      ...(pollMs === undefined ? {} : { pollMs }),
      tell: (report) => this.#add(report),
    });
    hints?.onChange((id) => this.#files.look(id));
    messages.onLease((report) => {
      const isMadeUp = areLeasesFinite && report.event !== "del" && report.expiresAtMs === null;
      if (!isMadeUp && this.#known.note(report)) this.#add(report);
    });
  }

  onLease(listener: (report: LeaseReport) => void): void {
    this.#listeners.push(listener);
  }

  /** For metrics: leases that are known, servers on the bus, and their counters (`dhcp_nak`, …) as far as the bus reaches. */
  async readFigures(): Promise<LeaseFigures> {
    const { hints } = this.#options;
    const counters = (await hints?.readTotals()) ?? new Map<string, number>();
    return { leases: this.#known.count, serversOnBus: hints?.reachable.size ?? 0, counters };
  }

  async start(): Promise<void> {
    await this.#options.messages.start();
    await this.#options.hints?.start();
    this.#files.start();
  }

  async close(): Promise<void> {
    this.#files.close();
    this.#options.hints?.close();
    await this.#options.messages.close();
    this.#flush();
  }

  #add(report: LeaseReport): void {
    const key = `${report.networkId} ${report.ipAddress}`;
    this.#waiting.delete(key);
    this.#waiting.set(key, report);
    this.#cancelTimer ??= this.#options.timers.after(this.#options.batchMs ?? 200, () => this.#flush());
  }

  #flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const reports = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const report of reports) for (const listener of this.#listeners) this.#tell(listener, report);
  }

  #tell(listener: (report: LeaseReport) => void, report: LeaseReport): void {
    try {
      listener(report);
    } catch (error) {
      this.#options.log.error({ networkId: report.networkId, err: errorText(error) }, "lease listener failed");
    }
  }
}
