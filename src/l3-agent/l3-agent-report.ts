// What the L3 agent says of itself: to the server with each heartbeat, to people and scrapers on its socket.
import { randomUUID } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import type { StreamPosition } from "../runtime/item-stream.ts";
import type { AgentDescription, Heartbeat as HeartbeatMessage } from "../types/agent-messages.ts";
import type { L3Agent } from "./l3-agent.ts";

export interface DescribedSettings {
  readonly host: string;
  readonly availabilityZone: string;
  readonly handleInternalOnlyRouters: boolean;
  /** What this host can do, as the parts that were chosen say. */
  readonly capabilities?: Readonly<Record<string, unknown>> | undefined;
}

/** So many routers that are not simply served are named in a heartbeat; all are on the agent's socket. */
const mostTroubles = 20;

export class L3AgentReport {
  readonly #parts: {
    readonly settings: DescribedSettings;
    readonly agent: L3Agent;
    readonly clock: Clock;
    readonly readSeen: () => StreamPosition;
  };
  readonly #bootId = randomUUID();
  readonly #startedAtMs: number;

  constructor(parts: {
    readonly settings: DescribedSettings;
    readonly agent: L3Agent;
    readonly clock: Clock;
    readonly readSeen: () => StreamPosition;
  }) {
    this.#parts = parts;
    this.#startedAtMs = parts.clock.nowMs();
  }

  describe(): AgentDescription {
    const { settings, agent } = this.#parts;
    const { host, availabilityZone, handleInternalOnlyRouters, capabilities } = settings;
    return {
      agentType: "L3 agent",
      binary: "netloom-l3-agent",
      host,
      bootId: this.#bootId,
      availabilityZone,
      startedAtMs: this.#startedAtMs,
      configurations: {
        agent_mode: "legacy",
        handle_internal_only_routers: handleInternalOnlyRouters,
        ...capabilities,
        routers: agent.routers,
        foreign_changes: agent.journal.foreignChanges,
        routers_in_trouble: this.#readTroubles(),
      },
    };
  }

  readHeartbeat(): Omit<HeartbeatMessage, "phase"> {
    const { agent, clock, readSeen } = this.#parts;
    const { dirty, oldestDirtyMs } = agent.queueStats;
    const total = agent.routers;
    return {
      agent: this.describe(),
      sentAtMs: clock.nowMs(),
      progress: { done: Math.max(0, total - dirty), total },
      seen: readSeen(),
      load: { networks: 0, subnets: 0, ports: 0, routers: total, dirty, oldestDirtyMs },
    };
  }

  #readTroubles(): readonly Readonly<Record<string, unknown>>[] {
    const lines = [...this.#parts.agent.journal.status];
    return lines
      .filter(([, { state }]) => state === "degraded" || state === "failing" || state === "fenced")
      .slice(0, mostTroubles)
      .map(([id, { state, reason }]) => ({ router_id: id, state, reason }));
  }
}
