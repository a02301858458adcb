// Settings of `netloom floating-ip-agent`.
import { z } from "zod";
import { type Environment, type Frozen, loadSettings } from "./settings.ts";
import * as keys from "./shared-keys.ts";

export const floatingIpAgentSchema = z
  .strictObject({
    host: keys.host,
    stateDir: keys.stateDir,
    nats: keys.nats,
    availabilityZone: keys.availabilityZone,
    namespacePrefix: keys.namespacePrefix,
    logLevel: keys.logLevel,
    reportIntervalMs: z.int().min(100).default(5000).describe("Time between heartbeats"),
    concurrency: z.int().min(1).max(64).default(4).describe("Routers that are worked on at the same time"),
    nftProcesses: z
      .int()
      .min(1)
      .max(4096)
      .default(64)
      .describe("Routers that have an nft running at the same time, for changes without a start of one"),
    resyncIntervalMs: z
      .int()
      .min(1000)
      .default(60_000)
      .describe("How often each router's floating IPs are looked at again in the kernel, changed or not"),
    resyncThrottleMs: z
      .int()
      .min(0)
      .default(250)
      .describe("Least time between two syncs with the server; at most resync_interval_ms"),
  })
  .superRefine(keys.refuseLongThrottle);

type FloatingIpAgentConfig = Frozen<z.output<typeof floatingIpAgentSchema>>;

/** @param argv flags only, without node and script */
export async function loadFloatingIpAgentConfig(
  argv: readonly string[],
  env: Environment = process.env,
): Promise<FloatingIpAgentConfig> {
  return loadSettings(floatingIpAgentSchema, { argv, env });
}
