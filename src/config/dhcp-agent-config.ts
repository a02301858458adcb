// Settings of `netloom dhcp-agent`.
import { z } from "zod";
import { type Environment, type Frozen, loadSettings } from "./settings.ts";
import { agentMetadata } from "./metadata-keys.ts";
import * as keys from "./shared-keys.ts";

export const dhcpAgentSchema = z
  .strictObject({
    host: keys.host,
    stateDir: keys.stateDir,
    nats: keys.nats,
    availabilityZone: keys.availabilityZone,
    namespacePrefix: keys.namespacePrefix,
    logLevel: keys.logLevel,
    dhcp: z.strictObject(keys.agentDhcp).prefault({}),
    metadata: z.strictObject(agentMetadata).prefault({}),
    interfaceDriver: keys.interfaceDriver,
    ovs: keys.ovs,
    reportIntervalMs: z.int().min(100).default(5000).describe("Time between heartbeats"),
    concurrency: z.int().min(1).max(64).default(8).describe("Networks that are worked on at the same time"),
    resyncIntervalMs: z
      .int()
      .min(1000)
      .default(60_000)
      .describe("How often each network is looked at again in the kernel, changed or not"),
    resyncThrottleMs: z
      .int()
      .min(0)
      .default(250)
      .describe("Least time between two syncs with the server; at most resync_interval_ms"),
  })
  .superRefine(keys.refuseLongThrottle);

export type DhcpAgentConfig = Frozen<z.output<typeof dhcpAgentSchema>>;

/** @param argv flags only, without node and script */
export async function loadDhcpAgentConfig(argv: readonly string[], env: Environment = process.env): Promise<DhcpAgentConfig> {
  return loadSettings(dhcpAgentSchema, { argv, env });
}
