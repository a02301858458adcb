// What the floating-IP agent says of itself to the server.
import { randomUUID } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import type { StreamPosition } from "../runtime/item-stream.ts";
import type { AgentDescription, Heartbeat } from "../types/agent-messages.ts";
import type { FloatingIpAgent } from "./floating-ip-agent.ts";

export interface AgentReportParts {
  readonly host: string;
  readonly availabilityZone: string;
  readonly agent: FloatingIpAgent;
  readonly clock: Clock;
  readonly readSeen: () => StreamPosition;
}

/** So many routers whose floating IPs are not simply served are named in a heartbeat; all are on the agent's socket. */
const mostTroubles = 20;

export class AgentReport {
  readonly #parts: AgentReportParts;
  readonly #bootId = randomUUID();
  readonly #startedAtMs: number;

  constructor(parts: AgentReportParts) {
    this.#parts = parts;
    this.#startedAtMs = parts.clock.nowMs();
  }

  describe(): AgentDescription {
    const { host, availabilityZone, agent } = this.#parts;
    const { floatingIps, portForwardings, routers } = agent.counts;
    return {
      agentType: "Floating IP agent",
      binary: "netloom-floating-ip-agent",
      host,
      bootId: this.#bootId,
      availabilityZone,
      startedAtMs: this.#startedAtMs,
      configurations: {
        floating_ip_driver: "nftables",
        ...{ floating_ips: floatingIps, port_forwardings: portForwardings, routers },
        foreign_changes: agent.journal.foreignChanges,
        routers_in_trouble: this.#readTroubles(),
      },
    };
  }

  readHeartbeat(): Omit<Heartbeat, "phase"> {
    const { agent, clock, readSeen } = this.#parts;
    const { routers, floatingIps } = agent.counts;
    const { dirty, oldestDirtyMs } = agent.queueStats;
    return {
      agent: this.describe(),
      sentAtMs: clock.nowMs(),
      progress: { done: Math.max(0, routers - dirty), total: routers },
      seen: readSeen(),
      load: { networks: 0, subnets: 0, ports: 0, dirty, oldestDirtyMs, routers, floatingIps },
    };
  }

  #readTroubles(): readonly Readonly<Record<string, unknown>>[] {
    const troubles: Readonly<Record<string, unknown>>[] = [];
    for (const [id, { state, reason }] of this.#parts.agent.journal.status) {
      if (troubles.length === mostTroubles) break;
      if (state !== "served") troubles.push({ router_id: id, state, reason });
    }
    return troubles;
  }
}
