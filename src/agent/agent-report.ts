// What an agent says of itself: to the server with each heartbeat, to people and scrapers on its socket.
import { randomUUID } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import type { CacheCounts, NetworkCache } from "../cache/network-cache.ts";
import type { AgentDescription, Heartbeat as HeartbeatMessage } from "../types/agent-messages.ts";
import type { DhcpAgent } from "./dhcp-agent.ts";
import type { NetworkStatus } from "./reconcile-journal.ts";
import type { StreamPosition } from "../runtime/item-stream.ts";

export interface DescribedSettings {
  readonly host: string;
  readonly availabilityZone: string;
  readonly dhcp: { readonly leaseSeconds: number };
  /** What this host can do, as the parts that were chosen say: `dnsmasq_version`, `metadata` and the like. */
  readonly capabilities?: Readonly<Record<string, unknown>> | undefined;
}

/** So many networks that are not simply served are named in a heartbeat; all are on the agent's socket. */
const mostTroubles = 20;

export class AgentReport {
  readonly #settings: DescribedSettings;
  readonly #cache: NetworkCache;
  readonly #agent: DhcpAgent;
  readonly #clock: Clock;
  readonly #bootId = randomUUID();
  readonly #startedAtMs: number;
  readonly #readSeen: () => StreamPosition;

  constructor(parts: {
    readonly settings: DescribedSettings;
    readonly cache: NetworkCache;
    readonly agent: DhcpAgent;
    readonly clock: Clock;
    readonly readSeen: () => StreamPosition;
  }) {
    this.#settings = parts.settings;
    this.#cache = parts.cache;
    this.#agent = parts.agent;
    this.#clock = parts.clock;
    this.#readSeen = parts.readSeen;
    this.#startedAtMs = parts.clock.nowMs();
  }

  describe(): AgentDescription {
    const { host, availabilityZone, dhcp, capabilities } = this.#settings;
    return {
      agentType: "DHCP agent",
      binary: "netloom-dhcp-agent",
      host,
      bootId: this.#bootId,
      availabilityZone,
      startedAtMs: this.#startedAtMs,
      configurations: {
        dhcp_driver: "dnsmasq",
        dhcp_lease_duration: dhcp.leaseSeconds,
        ...capabilities,
        ...this.#cache.counts(),
        dhcp_servers_died: this.#agent.crashes,
        networks_in_trouble: this.#readTroubles(),
      },
    };
  }

  readHeartbeat(): Omit<HeartbeatMessage, "phase"> {
    const counts: CacheCounts = this.#cache.counts();
    const { dirty, oldestDirtyMs } = this.#agent.queueStats;
    return {
      agent: this.describe(),
      sentAtMs: this.#clock.nowMs(),
      progress: { done: Math.max(0, counts.networks - dirty), total: counts.networks },
      seen: this.#readSeen(),
      load: { ...counts, dirty, oldestDirtyMs },
    };
  }

  #readTroubles(): readonly Readonly<Record<string, unknown>>[] {
    const troubles: (NetworkStatus & { readonly id: string })[] = [];
    for (const [id, status] of this.#agent.journal.status) {
      if (status.state !== "served" && status.state !== "off") troubles.push({ id, ...status });
      if (troubles.length === mostTroubles) break;
    }
    return troubles.map(({ id, state, reason }) => ({ network_id: id, state, reason }));
  }
}
