// Who was heard of, and when: in memory, because every server hears every heartbeat.
import type { Clock } from "../../base/clock.ts";
import type { Liveness } from "../scheduler/dhcp-scheduler.ts";

/** Where nothing else is configured. */
export const defaultAgentDownMs = 20_000;

export interface AgentKey {
  readonly role: string;
  readonly host: string;
}

export interface HeardAgent extends AgentKey {
  /** As some server wrote it last; ISO 8601. */
  readonly heartbeat_at: string;
}

export class LivenessTable {
  readonly agentDownMs: number;
  readonly #clock: Clock;
  readonly #heardAtMs = new Map<string, number>();
  #listeningSinceMs: number;

  constructor(clock: Clock, agentDownMs = defaultAgentDownMs) {
    this.#clock = clock;
    this.agentDownMs = agentDownMs;
    this.#listeningSinceMs = clock.monotonicMs();
  }

  /** Answers whether the agent had been silent for so long that it counted as dead. */
  heard({ role, host }: AgentKey): { readonly isRevived: boolean } {
    const key = keyOf({ role, host });
    const now = this.#clock.monotonicMs();
    // While nobody could be heard nobody was silent.
    const sinceMs = Math.max(this.#heardAtMs.get(key) ?? now, this.#listeningSinceMs);
    this.#heardAtMs.set(key, now);
    return { isRevived: now - sinceMs >= this.agentDownMs };
  }

  forget(agent: AgentKey): void {
    this.#heardAtMs.delete(keyOf(agent));
  }

  /** This server was deaf for a while: paused, or away from NATS. What it did not hear then says nothing. */
  listenAnew(): void {
    this.#listeningSinceMs = this.#clock.monotonicMs();
  }

  /** Nobody is dead before this server itself has listened long enough to know. */
  of(agent: HeardAgent): Liveness {
    if (this.#unheardMs(agent) < this.agentDownMs) return "alive";
    return this.#listenedMs() < this.agentDownMs ? "unknown" : "dead";
  }

  /** How long the agent has surely been silent, in milliseconds: never more than this server has listened. */
  silentMs(agent: HeardAgent): number {
    return Math.min(this.#unheardMs(agent), this.#listenedMs());
  }

  #listenedMs(): number {
    return this.#clock.monotonicMs() - this.#listeningSinceMs;
  }

  #unheardMs(agent: HeardAgent): number {
    const heardAtMs = this.#heardAtMs.get(keyOf(agent)) ?? Number.NEGATIVE_INFINITY;
    // What another server wrote; its clock is not ours, but as far off as `agentDownMs` it cannot be.
    const writtenMs = this.#clock.nowMs() - Date.parse(agent.heartbeat_at);
    const isOfTheFuture = writtenMs < -this.agentDownMs;
    return Math.min(this.#clock.monotonicMs() - heardAtMs, isOfTheFuture ? Number.POSITIVE_INFINITY : writtenMs);
  }
}

const keyOf = ({ role, host }: AgentKey): string => `${role}\0${host}`;
