// Settings of `netloom l3-agent`.
import { z } from "zod";
import { dnsDomain } from "./dhcp-keys.ts";
import { metadataService } from "./metadata-keys.ts";
import { agentHa } from "./ha-keys.ts";
import { refuseOddAgentTimes } from "./agent-keys.ts";
import { routerAgentWork } from "./router-agent-keys.ts";
import { type Environment, type Frozen, loadSettings } from "./settings.ts";
import * as keys from "./shared-keys.ts";

export const l3AgentSchema = z
  .strictObject({
    host: keys.host,
    stateDir: keys.stateDir,
    nats: keys.nats,
    availabilityZone: keys.availabilityZone,
    namespacePrefix: keys.namespacePrefix,
    logLevel: keys.logLevel,
    l3: z.strictObject({ ...keys.agentL3, ...agentHa }).prefault({}),
    dhcp: z.strictObject({ dnsDomain }).prefault({}),
    metadata: z.strictObject(metadataService).prefault({}),
    floatingIps: z
      .strictObject({
        beside: z
          .boolean()
          .default(false)
          .describe("Be the floating IP agent too, in this process, in place of `netloom floating-ip-agent`"),
        nkeySeedFile: keys.nkeySeedFile.describe("File (mode 0600) with the nkey seed of the floating IP agent"),
      })
      .prefault({}),
    interfaceDriver: keys.interfaceDriver,
    ovs: keys.ovs,
    ...routerAgentWork("each router is"),
  })
  .superRefine(refuseOddAgentTimes);

const mappings = (pairs: readonly string[]): ReadonlyMap<string, string> =>
  new Map(pairs.map((pair) => [pair.slice(0, pair.lastIndexOf(":")), pair.slice(pair.lastIndexOf(":") + 1)]));

type Settings = Frozen<z.output<typeof l3AgentSchema>>;

export type L3AgentConfig = Omit<Settings, "l3"> & {
  readonly l3: Omit<Settings["l3"], "bridgeMappings"> & {
    /** Physical network → bridge. */
    readonly bridgeMappings: ReadonlyMap<string, string>;
  };
};

/** @param argv flags only, without node and script */
export async function loadL3AgentConfig(argv: readonly string[], env: Environment = process.env): Promise<L3AgentConfig> {
  const settings = await loadSettings(l3AgentSchema, { argv, env });
  const { bridgeMappings } = settings.l3;
  return Object.freeze({ ...settings, l3: { ...settings.l3, bridgeMappings: mappings(bridgeMappings) } });
}
