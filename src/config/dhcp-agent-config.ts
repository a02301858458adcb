// Settings of `netloom dhcp-agent`.
import { z } from "zod";
import { type Environment, type Frozen, loadSettings } from "./settings.ts";
import { agentWork, refuseOddAgentTimes } from "./agent-keys.ts";
import { agentDhcp, refuseOddDhcpTimes } from "./dhcp-keys.ts";
import { agentMetadata } from "./metadata-keys.ts";
import * as keys from "./shared-keys.ts";

export const dhcpAgentSchema = z
  .strictObject({
    host: keys.host,
    stateDir: keys.stateDir,
    nats: keys.nats,
    availabilityZone: keys.availabilityZone,
    physicalNetworks: keys.physicalNetworks,
    namespacePrefix: keys.namespacePrefix,
    logLevel: keys.logLevel,
    dhcp: z.strictObject(agentDhcp).prefault({}),
    metadata: z.strictObject(agentMetadata).prefault({}),
    interfaceDriver: keys.interfaceDriver,
    ovs: keys.ovs,
    ...agentWork,
  })
  .superRefine(refuseOddAgentTimes)
  .superRefine(refuseOddDhcpTimes);

export type DhcpAgentConfig = Frozen<z.output<typeof dhcpAgentSchema>>;

/** @param argv flags only, without node and script */
export async function loadDhcpAgentConfig(argv: readonly string[], env: Environment = process.env): Promise<DhcpAgentConfig> {
  return loadSettings(dhcpAgentSchema, { argv, env });
}
