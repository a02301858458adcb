// Settings of `netloom up`: what it needs itself and what it hands to the programs that it starts.
import { z } from "zod";
import { agentWork, refuseOddAgentTimes, refuseSlowHeartbeats } from "./agent-keys.ts";
import { serverApi } from "./api-keys.ts";
import { agentDhcp, refuseEarlyFailover, refuseOddDhcpTimes, serverDhcp } from "./dhcp-keys.ts";
import { agentHa, serverHa } from "./ha-keys.ts";
import { identity, refuseIncompleteIdentity, refuseOpenApi } from "./identity-keys.ts";
import { agentMetadata } from "./metadata-keys.ts";
import { defaultDatabase } from "./server-config.ts";
import { serverNetwork } from "./network-keys.ts";
import { quotaKeys } from "./quota-keys.ts";
import { type Environment, type Frozen, loadSettings } from "./settings.ts";
import * as keys from "./shared-keys.ts";

export const upSchema = z
  .strictObject({
    host: keys.host,
    stateDir: keys.stateDir,
    listen: keys.listen,
    db: keys.db,
    nats: z
      .strictObject({
        url: keys.natsUrl.optional().describe("NATS server; a private one is started when absent"),
        nkeySeedFile: keys.nkeySeedFile,
      })
      .prefault({}),
    ...identity,
    allowedHosts: keys.allowedHosts,
    availabilityZone: keys.availabilityZone,
    physicalNetworks: keys.physicalNetworks,
    api: z.strictObject(serverApi).prefault({}),
    namespacePrefix: keys.namespacePrefix,
    logLevel: keys.logLevel,
    dhcp: z.strictObject({ ...serverDhcp, ...agentDhcp }).prefault({}),
    l3: z.strictObject({ ...keys.agentL3, ...serverHa, ...agentHa }).prefault({}),
    network: z.strictObject(serverNetwork).prefault({}),
    quota: z.strictObject(quotaKeys).prefault({}),
    metadata: z.strictObject(agentMetadata).prefault({}),
    interfaceDriver: keys.interfaceDriver,
    ovs: keys.ovs,
    ...agentWork,
    foregroundLogs: z.boolean().default(false).describe("Logs of all programs to standard error instead of <state_dir>/log"),
  })
  .superRefine(refuseOpenApi)
  .superRefine(refuseIncompleteIdentity)
  .superRefine(refuseEarlyFailover)
  .superRefine(refuseOddDhcpTimes)
  .superRefine(refuseOddAgentTimes)
  .superRefine(refuseSlowHeartbeats);

export type UpConfig = Omit<Frozen<z.output<typeof upSchema>>, "db"> & { readonly db: string };

/** @param argv flags only, without node and script */
export async function loadUpConfig(argv: readonly string[], env: Environment = process.env): Promise<UpConfig> {
  const config = await loadSettings(upSchema, { argv, env });
  return Object.freeze({ ...config, db: config.db ?? defaultDatabase(config.stateDir) });
}
