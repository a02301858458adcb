// Which port of a network is this agent's own, and what it lacks. Pure.
import { deviceOwners, dhcpDeviceId } from "../model/device-names.ts";
import type { SubnetId } from "../model/ids.ts";
import type { NetworkView, Port } from "../model/network.ts";

/** Whether somebody on this network should be served DHCP at all. */
export function wantsDhcp(view: NetworkView): boolean {
  return view.network.adminStateUp && view.subnets.some((subnet) => subnet.enableDhcp);
}

/**
 * The device id has the short name of the host only: a.x and a.y have the same, and then it is the binding that tells.
 *
 * @param deviceId what the device manager calls this host's port on the network
 * @param host as in binding:host_id
 */
export function findOwnPort(view: NetworkView, deviceId: string, host: string): Port | undefined {
  return view.ports.find((port) => isOwnPort(port, deviceId, host));
}

/** See `findOwnPort`. */
export function isOwnPort(port: Port, deviceId: string, host: string): boolean {
  const { bindingHost, networkId } = port;
  const isNamesakes = bindingHost !== host && bindingHost !== "" && dhcpDeviceId(bindingHost, networkId) === deviceId;
  return port.deviceOwner === deviceOwners.dhcp && port.deviceId === deviceId && !isNamesakes;
}

export function dhcpSubnetIds(view: NetworkView): readonly SubnetId[] {
  return view.subnets.filter((subnet) => subnet.enableDhcp).map((subnet) => subnet.id);
}

/** DHCP subnets on which the port has no address. */
export function lackingSubnets(view: NetworkView, port: Port | undefined): readonly SubnetId[] {
  const present = new Set(port?.fixedIps.map((fixedIp) => fixedIp.subnetId));
  return dhcpSubnetIds(view).filter((id) => !present.has(id));
}

/** True when the port has an address on a subnet of the network that is not served, which the address is only taken from. */
export function hasNeedlessAddress(view: NetworkView, port: Port): boolean {
  const silent = new Set(view.subnets.filter((subnet) => !subnet.enableDhcp).map((subnet) => subnet.id));
  return port.fixedIps.some((fixedIp) => silent.has(fixedIp.subnetId));
}

/** The same network, not serving DHCP on `subnets`: what is left to do where the agent cannot get an address. */
export function withoutDhcpOn(view: NetworkView, subnets: readonly SubnetId[]): NetworkView {
  if (subnets.length === 0) return view;
  const off = new Set(subnets);
  return { ...view, subnets: view.subnets.map((subnet) => (off.has(subnet.id) ? { ...subnet, enableDhcp: false } : subnet)) };
}
