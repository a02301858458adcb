// Which flags `netloom up` gives to the programs that it starts.
import { flagName, listSettings, type Setting } from "../config/settings.ts";
import { type UpConfig, upSchema } from "../config/up-config.ts";

/** Where NATS is and as whom to sign in; no seed file when the administrator's NATS asks for none. */
export interface NatsAccess {
  readonly url: string;
  readonly seedFile: string | undefined;
}

function commonArguments(config: UpConfig, nats: NatsAccess): readonly string[] {
  const seed = nats.seedFile === undefined ? [] : ["--nats-nkey-seed-file", nats.seedFile];
  return [
    "--host",
    config.host,
    "--state-dir",
    config.stateDir,
    "--log-level",
    config.logLevel,
    "--nats-url",
    nats.url,
    ...seed,
  ];
}

export function serverArguments(config: UpConfig, nats: NatsAccess): readonly string[] {
  const { listen } = config;
  const address = listen.address.includes(":") ? `[${listen.address}]` : listen.address;
  return [
    ...commonArguments(config, nats),
    ...["--listen", `${address}:${listen.port}`, "--db", config.db, "--auth", config.auth],
    ...(config.forceAuthNone ? ["--force-auth-none"] : []),
    ...(config.allowedHosts.length === 0 ? [] : ["--allowed-hosts", config.allowedHosts.join(",")]),
    `--dhcp-dns-domain=${config.dhcp.dnsDomain}`,
  ];
}

const settingsOf = (section: string): readonly Setting[] => listSettings(upSchema).filter(({ path }) => path[0] === section);
const dhcpSettings = settingsOf("dhcp");
const metadataSettings = settingsOf("metadata");
const l3Settings = settingsOf("l3");

function agentArguments(config: UpConfig, nats: NatsAccess): readonly string[] {
  return [
    ...commonArguments(config, nats),
    `--availability-zone=${config.availabilityZone}`,
    `--namespace-prefix=${config.namespacePrefix}`,
  ];
}

export function dhcpAgentArguments(config: UpConfig, nats: NatsAccess): readonly string[] {
  const dhcp: Readonly<Record<string, unknown>> = config.dhcp;
  const metadata: Readonly<Record<string, unknown>> = config.metadata;
  return [
    ...agentArguments(config, nats),
    ...dhcpSettings.flatMap((setting) => flagOf(setting, dhcp[setting.path[1] ?? ""])),
    ...metadataSettings.flatMap((setting) => flagOf(setting, metadata[setting.path[1] ?? ""])),
  ];
}

export function l3AgentArguments(config: UpConfig, nats: NatsAccess): readonly string[] {
  const l3: Readonly<Record<string, unknown>> = config.l3;
  return [...agentArguments(config, nats), ...l3Settings.flatMap((setting) => flagOf(setting, l3[setting.path[1] ?? ""]))];
}

export const floatingIpAgentArguments = agentArguments;

/** `--flag=value`: a prefix or a number may begin with a dash, or be empty. */
function flagOf(setting: Setting, value: unknown): readonly string[] {
  if (value === undefined) return [];
  if (typeof value === "boolean") return [`--${value ? "" : "no-"}${flagName(setting)}`];
  const text = Array.isArray(value) ? value.join(",") : typeof value === "number" ? String(value) : value;
  return typeof text === "string" ? [`--${flagName(setting)}=${text}`] : [];
}
