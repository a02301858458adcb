// What the agent's port must look like as a device: pure, from the model.
import { isInCidr, parseCidr } from "../linux/addresses.ts";
import { deviceOwners, dhcpNamespaceName, namespaceDeviceName, tapName } from "../model/device-names.ts";
import type { MetadataPlan } from "../model/metadata-plan.ts";
import type { NetworkView, Port, Subnet } from "../model/network.ts";
import type { InterfacePort } from "./interface-driver.ts";

export interface DefaultRoute {
  readonly gateway: string;
  /** The gateway lies outside the subnet, so the kernel must be told that it is on the link. */
  readonly isOffSubnet: boolean;
}

export interface DeviceSpec extends InterfacePort {
  /** `address/prefix`, sorted; the metadata addresses too. */
  readonly addresses: readonly string[];
  readonly defaultRoutes: readonly DefaultRoute[];
  /** Another agent serves the network too, and may have the IPv6 metadata address already. */
  readonly isMetadataShared: boolean;
}

export interface DeviceWish {
  readonly namespacePrefix: string;
  /** What the interface driver calls the network's switch. */
  readonly bridge: string;
  readonly view: NetworkView;
  readonly dhcpPort: Port;
  readonly metadata: MetadataPlan;
  /** This kernel has IPv6. */
  readonly hasIpv6: boolean;
}

/** IPv6 does not run on links below this. */
const leastIpv6MtuBytes = 1280;

export const metadataAddresses = { v4: "169.254.169.254/32", v6: "fe80::a9fe:a9fe/64" } as const;

export function buildDeviceSpec(wish: DeviceWish): DeviceSpec {
  const { namespacePrefix, bridge, view, dhcpPort } = wish;
  const { id, mtuBytes } = view.network;
  const canIpv6 = wish.hasIpv6 && (mtuBytes === 0 || mtuBytes >= leastIpv6MtuBytes);
  const served = view.subnets.filter((subnet) => subnet.enableDhcp && (subnet.ipVersion === 4 || canIpv6));
  const own = served.flatMap((subnet) => addressesOn(subnet, dhcpPort));
  return {
    networkId: id,
    portId: dhcpPort.id,
    namespace: dhcpNamespaceName(namespacePrefix, id),
    bridge,
    tap: tapName(dhcpPort.id),
    device: namespaceDeviceName(dhcpPort.id),
    macAddress: dhcpPort.macAddress,
    mtuBytes,
    addresses: [...own, ...metadataOf(wish, canIpv6)].sort(),
    defaultRoutes: ([4, 6] as const).flatMap((ipVersion) => defaultRoute(ipVersion, served, dhcpPort)),
    isMetadataShared: view.ports.some((port) => port.deviceOwner === deviceOwners.dhcp && port.id !== dhcpPort.id),
  };
}

/** The link-local IPv6 one only where a subnet says that instances have IPv6 at all. */
function metadataOf({ metadata, view }: DeviceWish, canIpv6: boolean): readonly string[] {
  const hasIpv6Subnet = view.subnets.some((subnet) => subnet.ipVersion === 6);
  return [
    ...(metadata.v4 ? [metadataAddresses.v4] : []),
    ...(metadata.v6 && canIpv6 && hasIpv6Subnet ? [metadataAddresses.v6] : []),
  ];
}

function addressesOn(subnet: Subnet, port: Port): readonly string[] {
  const { prefixLength } = parseCidr(subnet.cidr);
  return port.fixedIps.filter((ip) => ip.subnetId === subnet.id).map((ip) => `${ip.ipAddress}/${prefixLength}`);
}

/** The gateway of the first DHCP subnet that has one and holds an address of the port. */
function defaultRoute(ipVersion: 4 | 6, served: readonly Subnet[], port: Port): readonly DefaultRoute[] {
  for (const subnet of served) {
    const { gatewayIp } = subnet;
    if (gatewayIp === null || subnet.ipVersion !== ipVersion || !canRoute(subnet)) continue;
    if (addressesOn(subnet, port).length === 0) continue;
    const isLinkLocal = ipVersion === 6 && isInCidr("fe80::/10", gatewayIp);
    return [{ gateway: gatewayIp, isOffSubnet: !isLinkLocal && !isInCidr(subnet.cidr, gatewayIp) }];
  }
  return [];
}

function canRoute(subnet: Subnet): boolean {
  if (subnet.ipVersion === 4) return true;
  const { prefixLength } = parseCidr(subnet.cidr);
  const isAutomatic = subnet.ipv6AddressMode === "slaac" || subnet.ipv6AddressMode === "dhcpv6-stateless";
  return isAutomatic ? prefixLength === 64 : prefixLength >= 1 && prefixLength <= 126;
}

/**
 * Equal texts mean equal devices; keys are written in one fixed order, so nothing incidental gets in. Whether the metadata
 * address is shared only matters in the moment in which it is put on.
 */
export function specFingerprint(spec: DeviceSpec): string {
  return JSON.stringify([
    spec.namespace,
    spec.bridge,
    spec.tap,
    spec.device,
    spec.macAddress,
    spec.mtuBytes,
    spec.addresses,
    spec.defaultRoutes.map((route) => [route.gateway, route.isOffSubnet]),
  ]);
}
