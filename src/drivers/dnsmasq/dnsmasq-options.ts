// What an operator may choose for dnsmasq.
export interface DnsmasqOptions {
  /** -1: for ever. */
  readonly leaseSeconds: number;
  /** Domain of the names of ports on networks that have none of their own; "" gives names without a domain. */
  readonly dnsDomain: string;
  /** Resolvers that dnsmasq forwards to; without any it answers only for the network's own names. */
  readonly dnsServers: readonly string[];
  /** Without `dnsServers`: forward to those of the host's resolv.conf. */
  readonly isLocalResolv: boolean;
  /** Read by dnsmasq in addition to its arguments. */
  readonly dnsmasqConfigFile: string | undefined;
  /**
   * Run at each change of a lease. Absolute path. dnsmasq runs it as root, with NETLOOM_NETWORK_ID and NETLOOM_LEASE_SOCKET
   * in its environment.
   */
  readonly leaseScript: string | undefined;
  readonly leaseSocket: string | undefined;
  /**
   * Answer clients that renew a lease which this server does not know. Off: with a second agent on the network an
   * authoritative server refuses the clients of the other (NAK), even known ones, and it refuses every stranger on the
   * wire; the kept lease file already covers a restart. On is right where one agent serves each network and lease files
   * may be lost. Has no effect on a network with more than one DHCP port, nor on a server that runs before its next start.
   */
  readonly isAuthoritative: boolean;
  /** Ask clients to take replies by broadcast. */
  readonly isBroadcastReply: boolean;
  /** T1 and T2 that clients are told; 0 leaves them to the client. */
  readonly renewalSeconds: number;
  readonly rebindingSeconds: number;
  readonly leaseMax: number;
  /** Every network gets `<directory>/<network id>/dhcp_dns_log` with each query and each step of DHCP. */
  readonly baseLogDirectory: string | undefined;
  /** `<name>,<text>` that DNS answers on every network. */
  readonly txtRecord: string | undefined;
  /** Devices (patterns) whose requests count as come in on the DHCP port, where instances are routed and not bridged to it. */
  readonly bridgeAliases: readonly string[];
}

export const defaultDnsmasqOptions: DnsmasqOptions = {
  leaseSeconds: 86_400,
  dnsDomain: "openstacklocal",
  dnsServers: [],
  isLocalResolv: false,
  dnsmasqConfigFile: undefined,
  leaseScript: undefined,
  leaseSocket: undefined,
  isAuthoritative: false,
  isBroadcastReply: false,
  renewalSeconds: 0,
  rebindingSeconds: 0,
  leaseMax: 2 ** 24,
  baseLogDirectory: undefined,
  txtRecord: undefined,
  bridgeAliases: [],
};

/** Section `dhcp` of the agent's settings, as far as it is about dnsmasq. "" is as good as absent. */
export interface DnsmasqSettings {
  readonly leaseSeconds: number;
  readonly dnsDomain: string;
  readonly dnsServers: readonly string[];
  readonly localResolv: boolean;
  readonly dnsmasqConfigFile?: string | undefined;
  readonly authoritative: boolean;
  readonly broadcastReply: boolean;
  readonly renewalSeconds: number;
  readonly rebindingSeconds: number;
  readonly leaseMax: number;
  readonly baseLogDir?: string | undefined;
  readonly txtRecord?: string | undefined;
  readonly bridgeAliases: readonly string[];
}

const orAbsent = (text: string | undefined): string | undefined => (text === "" ? undefined : text);

export function toDnsmasqOptions(settings: DnsmasqSettings): Omit<DnsmasqOptions, "leaseScript" | "leaseSocket"> {
  return {
    leaseSeconds: settings.leaseSeconds,
    dnsDomain: settings.dnsDomain,
    dnsServers: settings.dnsServers,
    isLocalResolv: settings.localResolv,
    dnsmasqConfigFile: orAbsent(settings.dnsmasqConfigFile),
    isAuthoritative: settings.authoritative,
    isBroadcastReply: settings.broadcastReply,
    renewalSeconds: settings.renewalSeconds,
    rebindingSeconds: settings.rebindingSeconds,
    leaseMax: settings.leaseMax,
    baseLogDirectory: orAbsent(settings.baseLogDir),
    txtRecord: orAbsent(settings.txtRecord),
    bridgeAliases: settings.bridgeAliases,
  };
}
