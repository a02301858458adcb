// What an agent knows of a network, its subnets and its ports: immutable values, addresses in canonical text.
import type { NetworkId, PortId, SubnetId } from "./ids.ts";

export interface Network {
  readonly id: NetworkId;
  readonly projectId: string;
  readonly name: string;
  readonly adminStateUp: boolean;
  readonly mtuBytes: number;
  /** Domain of the names of this network's ports; "" takes the agent's default. */
  readonly dnsDomain: string;
  readonly revision: number;
}

export type Ipv6Mode = "slaac" | "dhcpv6-stateful" | "dhcpv6-stateless";

export interface HostRoute {
  readonly destination: string;
  readonly nexthop: string;
}

export interface Subnet {
  readonly id: SubnetId;
  readonly networkId: NetworkId;
  readonly cidr: string;
  readonly ipVersion: 4 | 6;
  readonly enableDhcp: boolean;
  readonly gatewayIp: string | null;
  readonly dnsNameservers: readonly string[];
  readonly hostRoutes: readonly HostRoute[];
  readonly ipv6AddressMode: Ipv6Mode | null;
  readonly ipv6RaMode: Ipv6Mode | null;
  /** Part of the network that it is bound to; absent or null where the network is one wire. */
  readonly segmentId?: string | null | undefined;
  readonly revision: number;
}

export interface FixedIp {
  readonly subnetId: SubnetId;
  readonly ipAddress: string;
}

export interface ExtraDhcpOption {
  readonly optName: string;
  readonly optValue: string;
  readonly ipVersion: 4 | 6;
}

export interface Port {
  readonly id: PortId;
  readonly networkId: NetworkId;
  /** Of the port, which on a shared network need not be the network's; absent from an older server. */
  readonly projectId?: string | undefined;
  /** Lower case, colons. */
  readonly macAddress: string;
  readonly deviceId: string;
  readonly deviceOwner: string;
  readonly adminStateUp: boolean;
  readonly fixedIps: readonly FixedIp[];
  readonly extraDhcpOpts: readonly ExtraDhcpOption[];
  /** "" when the port has no name of its own. */
  readonly dnsName: string;
  readonly bindingHost: string;
  readonly revision: number;
}

/** Everything that one reconcile of one network needs. Subnets are sorted by id, ports by id. */
export interface NetworkView {
  readonly network: Network;
  readonly subnets: readonly Subnet[];
  readonly ports: readonly Port[];
}
