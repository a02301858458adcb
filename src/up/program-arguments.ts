// Which flags `netloom up` gives to the programs that it starts: of each program's settings those that `up` has too.
import type { z } from "zod";
import { dhcpAgentSchema } from "../config/dhcp-agent-config.ts";
import { floatingIpAgentSchema } from "../config/floating-ip-agent-config.ts";
import { l3AgentSchema } from "../config/l3-agent-config.ts";
import { serverSchema } from "../config/server-config.ts";
import { type Environment, environmentName, flagName, listSettings, type Setting } from "../config/settings.ts";
import { type UpConfig, upSchema } from "../config/up-config.ts";

/** Where NATS is and as whom to sign in; no seed file when the administrator's NATS asks for none. */
export interface NatsAccess {
  readonly url: string;
  readonly seedFile: string | undefined;
}

/** Of `up` by the same name, but not as they are: found out by `up`, or kept in another form. */
const notAsTheyAre = ["state-dir", "nats-url", "nats-nkey-seed-file", "listen", "db"];
/** The DHCP agent's alone: the others have numbers of their own. */
const ofDhcpAgent = ["concurrency"];

const ofUp = new Set(listSettings(upSchema).map(flagName));

/** Looked up once: the schemas do not change. */
function sharedSettings(schema: z.ZodObject, without: readonly string[] = []): readonly Setting[] {
  const left = new Set([...notAsTheyAre, ...without]);
  return listSettings(schema).filter((setting) => ofUp.has(flagName(setting)) && !left.has(flagName(setting)));
}

const shared = {
  server: sharedSettings(serverSchema),
  dhcp: sharedSettings(dhcpAgentSchema),
  l3: sharedSettings(l3AgentSchema, ofDhcpAgent),
  floatingIp: sharedSettings(floatingIpAgentSchema, ofDhcpAgent),
};

const handDown = (settings: readonly Setting[], config: UpConfig, nats: NatsAccess): readonly string[] => [
  // A word of its own: by it a left-over program is known again.
  ...["--state-dir", config.stateDir],
  `--nats-url=${nats.url}`,
  ...(nats.seedFile === undefined ? [] : [`--nats-nkey-seed-file=${nats.seedFile}`]),
  ...settings.flatMap((setting) => flagOf(setting, valueAt(config, setting.path))),
];

export function serverArguments(config: UpConfig, nats: NatsAccess): readonly string[] {
  const { address, port } = config.listen;
  const listen = `${address.includes(":") ? `[${address}]` : address}:${port}`;
  return [...handDown(shared.server, config, nats), `--listen=${listen}`, `--db=${config.db}`];
}

type ArgumentsOf = (config: UpConfig, nats: NatsAccess) => readonly string[];

export const dhcpAgentArguments: ArgumentsOf = (config, nats) => handDown(shared.dhcp, config, nats);
export const l3AgentArguments: ArgumentsOf = (config, nats) => handDown(shared.l3, config, nats);
export const floatingIpAgentArguments: ArgumentsOf = (config, nats) => handDown(shared.floatingIp, config, nats);

const readByUp = new Set(["NETLOOM_CONFIG", ...listSettings(upSchema).map(environmentName)]);

/** The environment of programs: without what `up` has read there, which is in their flags as far as it is for them. */
export function programEnvironment(env: Environment): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !readByUp.has(name)));
}

function valueAt(config: UpConfig, path: readonly string[]): unknown {
  let value: unknown = config;
  // The cast: every setting of `up` has a value in what was read by its schema.
  for (const key of path) value = (value as Readonly<Record<string, unknown>>)[key];
  return value;
}

/** `--flag=value`: a prefix or a number may begin with a dash, or be empty. */
function flagOf(setting: Setting, value: unknown): readonly string[] {
  if (value === undefined) return [];
  if (typeof value === "boolean") return [`--${value ? "" : "no-"}${flagName(setting)}`];
  const text = Array.isArray(value) ? value.join(",") : typeof value === "number" ? String(value) : value;
  return typeof text === "string" ? [`--${flagName(setting)}=${text}`] : [];
}
