// What the agent's port must look like as a device: pure, from the model.
import { isInCidr, parseCidr } from "../linux/addresses.ts";
import { bridgeName, dhcpNamespaceName, namespaceDeviceName, tapName } from "../model/device-names.ts";
import type { NetworkId } from "../model/ids.ts";
import type { NetworkView, Port, Subnet } from "../model/network.ts";

export interface DefaultRoute {
  readonly gateway: string;
  /** The gateway lies outside the subnet, so the kernel must be told that it is on the link. */
  readonly isOffSubnet: boolean;
}

export interface DeviceSpec {
  readonly networkId: NetworkId;
  readonly namespace: string;
  readonly bridge: string;
  readonly tap: string;
  readonly device: string;
  readonly macAddress: string;
  /** 0: the kernel's default. */
  readonly mtuBytes: number;
  /** `address/prefix`, sorted. */
  readonly addresses: readonly string[];
  readonly defaultRoutes: readonly DefaultRoute[];
}

/** IPv6 does not run on links below this. */
const leastIpv6MtuBytes = 1280;

export function buildDeviceSpec(namespacePrefix: string, view: NetworkView, dhcpPort: Port): DeviceSpec {
  const { id, mtuBytes } = view.network;
  const canIpv6 = mtuBytes === 0 || mtuBytes >= leastIpv6MtuBytes;
  const served = view.subnets.filter((subnet) => subnet.enableDhcp && (subnet.ipVersion === 4 || canIpv6));
  return {
    networkId: id,
    namespace: dhcpNamespaceName(namespacePrefix, id),
    bridge: bridgeName(id),
    tap: tapName(dhcpPort.id),
    device: namespaceDeviceName(dhcpPort.id),
    macAddress: dhcpPort.macAddress,
    mtuBytes,
    addresses: served.flatMap((subnet) => addressesOn(subnet, dhcpPort)).sort(),
    defaultRoutes: ([4, 6] as const).flatMap((ipVersion) => defaultRoute(ipVersion, served, dhcpPort)),
  };
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

/** Equal texts mean equal devices; keys are written in one fixed order, so nothing incidental gets in. */
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
