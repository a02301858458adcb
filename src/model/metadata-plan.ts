// Whether and how a DHCP port carries the metadata address of its network.
import { contains, parseCidr } from "./addresses.ts";
import { deviceOwners } from "./device-names.ts";
import type { SubnetId } from "./ids.ts";
import type { NetworkView, Port, Subnet } from "./network.ts";

export interface MetadataOptions {
  /** Serve subnets that no router serves. */
  readonly isolated: boolean;
  /** Serve every network with a DHCP subnet. */
  readonly force: boolean;
  /** Serve routers over a network inside 169.254.0.0/16. */
  readonly metadataNetwork: boolean;
  /** False on a host without IPv6; then nothing of it is planned. */
  readonly hasIpv6?: boolean | undefined;
}

export interface MetadataPlan {
  /** 169.254.169.254 on the DHCP port. */
  readonly v4: boolean;
  /** fe80::a9fe:a9fe on the DHCP port. */
  readonly v6: boolean;
  /** IPv4 subnets whose instances are told by DHCP to reach 169.254.169.254 through the DHCP port. */
  readonly routedSubnetIds: ReadonlySet<SubnetId>;
  /** Set on a metadata network with a router: whose instances are answered. */
  readonly routerId?: string | undefined;
  /** Set when instances with IPv6 would be served by it and the DHCP port cannot: why. */
  readonly ipv6Refusal?: string | undefined;
}

export const noMetadata: MetadataPlan = { v4: false, v6: false, routedSubnetIds: new Set() };

export const metadataIpv4 = "169.254.169.254";
export const metadataIpv6 = "fe80::a9fe:a9fe";

const routerOwners: ReadonlySet<string> = new Set([
  deviceOwners.routerInterface,
  "network:ha_router_replicated_interface",
  "network:router_interface_distributed",
]);

/** IPv6 does not run on links below this. */
const leastIpv6MtuBytes = 1280;

/** True unless a router holds the subnet's gateway address: then the router would serve metadata. */
export function isIsolated(view: NetworkView, subnet: Subnet): boolean {
  return !view.ports.some(
    (port) =>
      routerOwners.has(port.deviceOwner) &&
      port.fixedIps.some((ip) => ip.subnetId === subnet.id && ip.ipAddress === subnet.gatewayIp),
  );
}

/** Routers joined to a metadata network: device ids of their ports, in the order of the ports. */
export function metadataRouters(view: NetworkView): readonly string[] {
  if (!view.subnets.some(isMetadataSubnet)) return [];
  return view.ports.filter((port) => routerOwners.has(port.deviceOwner)).map((port) => port.deviceId);
}

function isMetadataSubnet(subnet: Subnet): boolean {
  const linkLocal = parseCidr("169.254.0.0/16");
  const cidr = parseCidr(subnet.cidr);
  return (
    linkLocal !== undefined &&
    cidr !== undefined &&
    cidr.prefixLength >= linkLocal.prefixLength &&
    contains(linkLocal, { version: cidr.version, value: cidr.first })
  );
}

/** OVN answers metadata itself where it has a port of this kind. */
function isOvnMetadataPort(port: Port): boolean {
  const isOfService = port.deviceOwner === "network:distributed" || port.deviceOwner === deviceOwners.dhcp;
  return isOfService && port.deviceId.startsWith("ovnmeta");
}

/**
 * What the DHCP port should do about metadata. A network's metadata are served when that is forced, or when it is asked for
 * and one of the DHCP subnets is isolated or the network is one for the metadata of routers; and never where OVN does it.
 *
 * @param dhcpPort this agent's own; without one that is up nothing can carry the IPv6 address.
 */
export function planMetadata(view: NetworkView, dhcpPort: Port | undefined, options: MetadataOptions): MetadataPlan {
  const served = view.subnets.filter((subnet) => subnet.enableDhcp);
  const [router] = options.metadataNetwork ? metadataRouters(view) : [];
  if (!isServed(view, served, options)) return noMetadata;
  const ipv4 = served.filter((subnet) => subnet.ipVersion === 4);
  const routed = ipv4.filter((subnet) => hasAddressOn(dhcpPort, subnet) && (options.force || isIsolated(view, subnet)));
  const wantsIpv6 = served.length > ipv4.length && hasIpv6(view, options);
  const refusal = wantsIpv6 ? ipv6Refusal(view, dhcpPort) : undefined;
  return {
    v4: ipv4.length > 0,
    v6: wantsIpv6 && refusal === undefined,
    routedSubnetIds: new Set(routed.map((subnet) => subnet.id)),
    ...(router === undefined ? {} : { routerId: router }),
    ...(refusal === undefined ? {} : { ipv6Refusal: refusal }),
  };
}

function isServed(view: NetworkView, served: readonly Subnet[], options: MetadataOptions): boolean {
  if (served.length === 0 || view.ports.some(isOvnMetadataPort)) return false;
  if (options.force) return true;
  if (!options.isolated) return false;
  if (options.metadataNetwork && view.subnets.some(isMetadataSubnet)) return true;
  return served.some((subnet) => isIsolated(view, subnet));
}

function hasAddressOn(port: Port | undefined, subnet: Subnet): boolean {
  return port !== undefined && port.fixedIps.some((ip) => ip.subnetId === subnet.id);
}

function hasIpv6({ network }: NetworkView, options: MetadataOptions): boolean {
  return options.hasIpv6 !== false && (network.mtuBytes === 0 || network.mtuBytes >= leastIpv6MtuBytes);
}

/** Other agents' ports are told apart by their device id. */
function ipv6Refusal(view: NetworkView, dhcpPort: Port | undefined): string | undefined {
  if (dhcpPort === undefined || !dhcpPort.adminStateUp) return "no dhcp port of this host is up";
  const hasTwin = view.ports.some(
    (port) =>
      port.id !== dhcpPort.id &&
      port.adminStateUp &&
      port.deviceOwner === deviceOwners.dhcp &&
      port.deviceId !== "" &&
      port.deviceId === dhcpPort.deviceId,
  );
  return hasTwin ? "this host has several dhcp ports on the network" : undefined;
}
