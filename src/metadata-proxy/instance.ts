// Who is asking: from the network of the listener and the source address of the connection to the instance behind it. Pure.
import { canonicalAddress, eui64Address, formatAddress, parseAddress, parseCidr } from "../model/addresses.ts";
import type { NetworkView, Port } from "../model/network.ts";

export interface InstancePort {
  readonly port: Port;
  readonly view: NetworkView;
}

export interface Instance {
  /** `device_id` of its ports; a port that no instance was named for stands for itself. */
  readonly id: string;
  readonly hasDeviceId: boolean;
  readonly projectId: string;
  /** All its ports that this host knows; the one that asks comes first. */
  readonly ports: readonly [InstancePort, ...InstancePort[]];
}

interface ViewIndex {
  readonly byAddress: ReadonlyMap<string, Port>;
  /** By the link-local address that the MAC gives. */
  readonly byLinkLocal: ReadonlyMap<string, Port>;
  readonly byDevice: ReadonlyMap<string, readonly Port[]>;
}

/** Made at the first question to a view, and gone with the view. */
const indexes = new WeakMap<NetworkView, ViewIndex>();

const linkLocal = parseCidr("fe80::/64");

/** The services' own ports (DHCP, routers, floating IPs) are no instances. */
const isInstancePort = (port: Port): boolean => !port.deviceOwner.startsWith("network:");

function indexOf(view: NetworkView): ViewIndex {
  const known = indexes.get(view);
  if (known !== undefined) return known;
  const ports = view.ports.filter(isInstancePort);
  const made = {
    byAddress: new Map(ports.flatMap((port) => port.fixedIps.map(({ ipAddress }) => [canonicalOf(ipAddress), port] as const))),
    byLinkLocal: new Map(ports.map((port) => [linkLocalOf(port.macAddress), port] as const)),
    byDevice: Map.groupBy(ports, (port) => port.deviceId),
  };
  indexes.set(view, made);
  return made;
}

const canonicalOf = (address: string): string => canonicalAddress(address) ?? address;

function linkLocalOf(mac: string): string {
  return linkLocal === undefined ? "" : formatAddress(eui64Address(linkLocal, mac));
}

function findPort(view: NetworkView, source: string): Port | undefined {
  const { byAddress, byLinkLocal } = indexOf(view);
  const address = parseAddress(source);
  if (address === undefined) return undefined;
  const text = formatAddress(address);
  return byAddress.get(text) ?? byLinkLocal.get(text);
}

/**
 * @param views where the source address counts: the listener's network, or the networks of a router, first hit wins.
 * @param all networks in which further ports of the instance are looked for.
 */
export function findInstance(
  views: Iterable<NetworkView>,
  source: string,
  all: Iterable<NetworkView> = [],
): Instance | undefined {
  for (const view of views) {
    const port = findPort(view, source);
    if (port !== undefined) return instanceOf({ port, view }, all);
  }
  return undefined;
}

const projectOf = ({ port, view }: InstancePort): string => port.projectId ?? view.network.projectId;

function instanceOf(asking: InstancePort, all: Iterable<NetworkView>): Instance {
  const { port, view } = asking;
  const projectId = projectOf(asking);
  if (port.deviceId === "") return { id: port.id, hasDeviceId: false, projectId, ports: [asking] };
  // Tenants write device ids themselves: another project's port of the same name is not this instance's.
  const others = [...new Set([view, ...all])]
    .flatMap((one) => (indexOf(one).byDevice.get(port.deviceId) ?? []).map((found) => ({ port: found, view: one })))
    .filter((found) => found.port.id !== port.id && projectOf(found) === projectId)
    .sort((one, other) => (one.port.id < other.port.id ? -1 : 1));
  return { id: port.deviceId, hasDeviceId: true, projectId, ports: [asking, ...others] };
}
