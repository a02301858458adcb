// Who was heard of, and when: in memory, because every server hears every heartbeat.
import type { Clock } from "../../base/clock.ts";
import type { Liveness } from "../scheduler/dhcp-scheduler.ts";

export const agentDownMs = 20_000;

export interface AgentKey {
  readonly role: string;
  readonly host: string;
}

export class LivenessTable {
  readonly #clock: Clock;
  readonly #listeningSinceMs: number;
  readonly #heardAtMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#listeningSinceMs = clock.monotonicMs();
  }

  heard({ role, host }: AgentKey): void {
    this.#heardAtMs.set(`${role}\0${host}`, this.#clock.monotonicMs());
  }

  forget({ role, host }: AgentKey): void {
    this.#heardAtMs.delete(`${role}\0${host}`);
  }

  /** Nobody is dead before this server itself has listened long enough to know. */
  of(agent: AgentKey & { readonly heartbeat_at: string }): Liveness {
    const now = this.#clock.monotonicMs();
    const heardAtMs = this.#heardAtMs.get(`${agent.role}\0${agent.host}`);
    if (heardAtMs !== undefined && now - heardAtMs < agentDownMs) return "alive";
    // What another server wrote; its clock is not ours, but this far off it cannot be.
    if (this.#clock.nowMs() - Date.parse(agent.heartbeat_at) < agentDownMs) return "alive";
    return now - this.#listeningSinceMs < agentDownMs ? "unknown" : "dead";
  }
}
