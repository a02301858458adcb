// The names that operators already know, and the only place that makes them. Linux allows 15 characters in a device name.
import { createHash } from "node:crypto";
import type { NetworkId, PortId, RouterId } from "./ids.ts";

const idPart = 11;

/** Host side of a port's veth pair, member of the network's bridge. */
export const tapName = (port: PortId): string => `tap${port.slice(0, idPart)}`;

/** The same pair's end inside the DHCP namespace. */
export const namespaceDeviceName = (port: PortId): string => `ns-${port.slice(0, idPart)}`;

export const bridgeName = (network: NetworkId): string => `brq${network.slice(0, idPart)}`;

/** @param prefix `namespace_prefix` of the agent: lets several simulated hosts share one kernel. */
export const dhcpNamespaceName = (prefix: string, network: NetworkId): string => `${prefix}qdhcp-${network}`;

// RFC 4122 appendix C: the name space for fully-qualified domain names.
const dnsNamespace = Buffer.from("6ba7b8109dad11d180b400c04fd430c8", "hex");

/** `dhcp<uuid5(host)>-<network id>`: the device_id by which an agent finds its own DHCP port again. Host is cut at its first dot. */
export function dhcpDeviceId(host: string, network: NetworkId): string {
  const shortHost = host.split(".")[0] ?? host;
  const digest = createHash("sha1").update(dnsNamespace).update(shortHost).digest().subarray(0, 16);
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x50;
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80;
  const hex = digest.toString("hex");
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  return `dhcp${uuid}-${network}`;
}

export const reservedDhcpDeviceId = "reserved_dhcp_port";

export const deviceOwners = {
  dhcp: "network:dhcp",
  routerInterface: "network:router_interface",
  routerGateway: "network:router_gateway",
  floatingIp: "network:floatingip",
  routerHa: "network:router_ha_interface",
} as const;

export const routerNamespaceName = (prefix: string, router: RouterId): string => `${prefix}qrouter-${router}`;

/** Inside a router's namespace: its end on a tenant's network. The host's end is `tapName`. */
export const routerDeviceName = (port: PortId): string => `qr-${port.slice(0, idPart)}`;

/** Inside a router's namespace: its end on the external network. The host's end is `tapName`. */
export const gatewayDeviceName = (port: PortId): string => `qg-${port.slice(0, idPart)}`;

/** Inside a router's namespace: its end on the HA network, of this host's own. The host's end is `tapName`. */
export const haDeviceName = (port: PortId): string => `ha-${port.slice(0, idPart)}`;
