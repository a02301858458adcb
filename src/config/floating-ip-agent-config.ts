// Settings of `netloom floating-ip-agent`.
import { z } from "zod";
import { refuseOddAgentTimes } from "./agent-keys.ts";
import { routerAgentWork } from "./router-agent-keys.ts";
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
    ...routerAgentWork("each router's floating IPs are"),
    nftProcesses: z
      .int()
      .min(1)
      .max(4096)
      .default(64)
      .describe("Routers that have an nft running at the same time, for changes without a start of one"),
  })
  .superRefine(refuseOddAgentTimes);

type FloatingIpAgentConfig = Frozen<z.output<typeof floatingIpAgentSchema>>;

/** @param argv flags only, without node and script */
export async function loadFloatingIpAgentConfig(
  argv: readonly string[],
  env: Environment = process.env,
): Promise<FloatingIpAgentConfig> {
  return loadSettings(floatingIpAgentSchema, { argv, env });
}
