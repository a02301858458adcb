// Which flags `netloom up` gives to the programs that it starts.
import type { UpConfig } from "../config/up-config.ts";

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
    `--dhcp-dns-domain=${config.dhcp.dnsDomain}`,
  ];
}

export function dhcpAgentArguments(config: UpConfig, nats: NatsAccess): readonly string[] {
  const { dhcp } = config;
  // `--flag=value`: a prefix or a number may begin with a dash, or be empty.
  return [
    ...commonArguments(config, nats),
    `--availability-zone=${config.availabilityZone}`,
    `--namespace-prefix=${config.namespacePrefix}`,
    `--dhcp-lease-seconds=${dhcp.leaseSeconds}`,
    `--dhcp-dns-domain=${dhcp.dnsDomain}`,
    `--dhcp-dns-servers=${dhcp.dnsServers.join(",")}`,
  ];
}
