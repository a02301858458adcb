// What the agents of layer 3 know: whole routers for the L3 agent, floating IPs and port forwardings for the floating-IP agent.
// Immutable values, addresses in canonical text, lists in a fixed order, so that equal routers are equal as JSON.
import type { FloatingIpId, NetworkId, PortId, RouterId, SubnetId } from "./ids.ts";
import type { Ipv6Mode } from "./network.ts";

/** What carries a network from host to host, as the operator described it. */
export interface Carrier {
  readonly networkType: "local" | "flat" | "vlan" | "vxlan";
  /** Key of the agent's `bridge_mappings`; null for `local` and `vxlan`. */
  readonly physicalNetwork: string | null;
  readonly segmentationId: number | null;
}

/** One address of a router's port, with all that a router needs of its subnet. */
export interface RouterAddress {
  readonly ipAddress: string;
  readonly subnetId: SubnetId;
  readonly cidr: string;
  /** Of `cidr`: what the address is configured with. */
  readonly prefixLength: number;
  readonly ipVersion: 4 | 6;
  /** The subnet's gateway: on an interface normally the address itself, on a gateway port the next hop; it may lie outside `cidr`. */
  readonly gatewayIp: string | null;
  readonly enableDhcp: boolean;
  readonly ipv6RaMode: Ipv6Mode | null;
  readonly ipv6AddressMode: Ipv6Mode | null;
  readonly dnsNameservers: readonly string[];
  /** Null: of no scope. Traffic between different ones (null included, when the other is not) is dropped unless it is translated. */
  readonly addressScopeId: string | null;
}

interface RouterPort {
  readonly portId: PortId;
  /** Lower case, colons. */
  readonly macAddress: string;
  readonly networkId: NetworkId;
  readonly mtuBytes: number;
  readonly carrier: Carrier;
  /** A port that is down is not plugged in. */
  readonly adminStateUp: boolean;
  /** In the order of the port. */
  readonly addresses: readonly RouterAddress[];
}

/** `qr-`: a port on a tenant's network. */
export type RouterInterface = RouterPort;

/** `qg-`: the port on the external network. */
export interface RouterGateway extends RouterPort {
  /** Subnets of the external network on which the gateway has no address: reached on the link. By id. */
  readonly extraSubnets: readonly { readonly id: SubnetId; readonly cidr: string; readonly ipVersion: 4 | 6 }[];
}

/** Of a router with `isHa`: this host's own part. */
export interface RouterHa {
  /** VRRP router id, 1…254, unique on the HA network. */
  readonly vrId: number;
  readonly priority: number;
  /** `ha-`: this host's port on the HA network; no other host has the same. */
  readonly port: RouterPort;
}

export interface Route {
  readonly destination: string;
  readonly nexthop: string;
}

/** Everything that one reconcile of one router needs. */
export interface Router {
  readonly id: RouterId;
  readonly projectId: string;
  readonly name: string;
  /** A router that is down has no namespace. */
  readonly adminStateUp: boolean;
  /** Translate what leaves by the gateway and has no floating IP; without a gateway it says nothing. */
  readonly enableSnat: boolean;
  readonly distributed: false;
  readonly isHa: boolean;
  /** Null unless `isHa`. */
  readonly ha: RouterHa | null;
  /** By port id. */
  readonly interfaces: readonly RouterInterface[];
  readonly gateway: RouterGateway | null;
  /** By destination, then next hop; several with one destination are one route over several next hops (ECMP). */
  readonly routes: readonly Route[];
  /** Grows with every change of anything in this value, also of its networks and subnets. */
  readonly revision: number;
}

/** A floating IP that a router on this host serves. */
export interface FloatingIp {
  readonly id: FloatingIpId;
  readonly projectId: string;
  readonly floatingIp: string;
  /** Null: it only carries port forwardings. */
  readonly fixedIp: string | null;
  /** Port of `fixedIp`; null with it. */
  readonly portId: PortId | null;
  readonly routerId: RouterId;
  /** The router's `qg-` device is named for it. */
  readonly gatewayPortId: PortId;
  /** Network that the floating address is from. */
  readonly networkId: NetworkId;
  readonly revision: number;
}

/** Both ends belong to it. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export interface PortForwarding {
  readonly id: string;
  readonly floatingIpId: FloatingIpId;
  readonly floatingIp: string;
  readonly routerId: RouterId;
  /** Those with ports have both ranges; `icmp` and `ipv6-icmp` none. */
  readonly protocol: "tcp" | "udp" | "sctp" | "dccp" | "icmp" | "ipv6-icmp";
  readonly externalPorts: PortRange | null;
  /** As many as `externalPorts`, then shifted one to one; or a single one, which all of them lead to. */
  readonly internalPorts: PortRange | null;
  readonly internalIp: string;
  readonly internalPortId: PortId;
  readonly revision: number;
}
