// Tells the servers every few seconds that this agent lives and how far it is. It has its own timer and waits for nothing,
// so that a long sync never makes an agent look dead.
import type { Logger } from "../base/logger.ts";
import type { Bus } from "../messaging/bus.ts";
import { heartbeatSubject, type Role } from "../messaging/subjects.ts";
import type { CancelTimer, Timers } from "../runtime/timers.ts";
import type { Heartbeat as HeartbeatMessage } from "../types/agent-messages.ts";

export type AgentPhase = HeartbeatMessage["phase"];

export interface HeartbeatOptions {
  readonly bus: Bus;
  readonly role: Role;
  readonly host: string;
  readonly intervalMs: number;
  readonly timers: Timers;
  readonly log: Logger;
  /** All but the phase, as it is now. */
  readonly read: () => Omit<HeartbeatMessage, "phase">;
}

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #phase: AgentPhase = "starting";
  #cancelTimer: CancelTimer = () => {};
  #isClosed = false;
  #isFailing = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  get phase(): AgentPhase {
    return this.#phase;
  }

  start(): void {
    // A server that has just become reachable should not have to wait for the next beat.
    this.#options.bus.onReconnect(() => this.#beat());
    this.#beat();
  }

  /** Reported at once. */
  setPhase(phase: AgentPhase): void {
    if (phase === this.#phase) return;
    this.#phase = phase;
    this.#beat();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
  }

  #beat(): void {
    if (this.#isClosed) return;
    this.#cancelTimer();
    this.#cancelTimer = this.#options.timers.after(this.#options.intervalMs, () => this.#beat());
    this.#publish();
  }

  #publish(): void {
    const { bus, role, host, read, log } = this.#options;
    if (!bus.isConnected) return;
    try {
      bus.publish(heartbeatSubject(role, host), { ...read(), phase: this.#phase });
      if (this.#isFailing) log.info({}, "heartbeat succeeded again");
      this.#isFailing = false;
    } catch (err) {
      if (!this.#isFailing) log.warn({ err }, "heartbeat failed");
      this.#isFailing = true;
    }
  }
}
