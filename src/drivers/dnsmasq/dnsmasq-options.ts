// What an operator may choose for dnsmasq.
export interface DnsmasqOptions {
  /** -1: for ever. */
  readonly leaseSeconds: number;
  /** Domain of the names of ports on networks that have none of their own; "" gives names without a domain. */
  readonly dnsDomain: string;
  /** Resolvers that dnsmasq forwards to; without any it answers only for the network's own names. */
  readonly dnsServers: readonly string[];
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
   * may be lost.
   */
  readonly isAuthoritative: boolean;
  /** Ask clients to take replies by broadcast. */
  readonly isBroadcastReply: boolean;
  readonly renewalSeconds: number;
  readonly rebindingSeconds: number;
  readonly leaseMax: number;
  /** Send clients of subnets without a router to this agent's metadata proxy. */
  readonly hasIsolatedMetadata: boolean;
  /** … and those of all other subnets too. */
  readonly isMetadataForced: boolean;
}

export const defaultDnsmasqOptions: DnsmasqOptions = {
  leaseSeconds: 86_400,
  dnsDomain: "openstacklocal",
  dnsServers: [],
  dnsmasqConfigFile: undefined,
  leaseScript: undefined,
  leaseSocket: undefined,
  isAuthoritative: false,
  isBroadcastReply: false,
  renewalSeconds: 0,
  rebindingSeconds: 0,
  leaseMax: 2 ** 24,
  hasIsolatedMetadata: false,
  isMetadataForced: false,
};
