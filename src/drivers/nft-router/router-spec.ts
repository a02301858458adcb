// From a router to what its namespace has to hold: devices, addresses, routes, elements of sets. Pure.
import { createHash } from "node:crypto";
import { isInCidr, parseCidr } from "../../linux/addresses.ts";
import { canonicalDestination, hostDestination, type StaticRoute } from "../../linux/netlink-route.ts";
import { NetloomError } from "../../base/errors.ts";
import { bridgeName, gatewayDeviceName, routerDeviceName, routerNamespaceName, tapName } from "../../model/device-names.ts";
import type { NetworkId, PortId, RouterId } from "../../model/ids.ts";
import type { Router, RouterAddress, RouterGateway, RouterInterface } from "../../model/router.ts";
import type { HaState } from "../l3-layout.ts";
import type { HaPlan } from "../router-ha.ts";
import { buildAdvertisements } from "./radvd-config.ts";
import { buildSets, type RouterSets } from "./router-sets.ts";
import { rulesetText } from "./ruleset.ts";

export interface PortSpec {
  readonly portId: PortId;
  readonly networkId: NetworkId;
  readonly namespace: string;
  readonly device: string;
  readonly tap: string;
  readonly bridge: string;
  /** The bridge is the operator's: never made, never removed. */
  readonly isForeignBridge: boolean;
  readonly macAddress: string;
  readonly mtuBytes: number;
  /** `address/prefix` */
  readonly addresses: readonly string[];
  readonly isGateway: boolean;
  /** 0: router advertisements are not believed; 2: they are, though this is a router. */
  readonly acceptRa: 0 | 2;
  /** Of a router of high availability: its addresses, and what depends on them, are the primary's only. */
  readonly isElected?: boolean | undefined;
  /** `address/prefix` that others give it and take from it. */
  readonly foreignAddress?: string | undefined;
}

export interface RouterSpec {
  readonly routerId: RouterId;
  readonly namespace: string;
  readonly ports: readonly PortSpec[];
  readonly gateway: PortSpec | undefined;
  readonly routes: readonly StaticRoute[];
  readonly sets: RouterSets;
  /** Of radvd; undefined: there is nothing to advertise. */
  readonly advertisements: string | undefined;
  /** Of a router of high availability. */
  readonly ha?: { readonly plan: HaPlan; readonly state: HaState } | undefined;
}

export interface SpecOptions {
  readonly namespacePrefix: string;
  /** Physical network → bridge of the operator. */
  readonly bridgeMappings: ReadonlyMap<string, string>;
  readonly hasIpv6: boolean;
  readonly hasRadvd: boolean;
}

/** RFC 8200: the kernel has no IPv6 on a link with less; 0 is the kernel's default. */
const mayCarryIpv6 = (mtuBytes: number): boolean => mtuBytes === 0 || mtuBytes >= 1280;

/** fe80::a9fe:a9fe: where instances with IPv6 ask for metadata. */
const metadataIpv6Cidr = "fe80::a9fe:a9fe/64";

/** @throws NetloomError INVALID when the external network is a VLAN, or on a physical network that has no bridge here */
export function buildRouterSpec(router: Router, options: SpecOptions): RouterSpec {
  const namespace = routerNamespaceName(options.namespacePrefix, router.id);
  const usable = (port: RouterInterface): RouterInterface => ({
    ...port,
    addresses: port.addresses.filter(({ ipVersion }) => ipVersion === 4 || (options.hasIpv6 && mayCarryIpv6(port.mtuBytes))),
  });
  // In one order, whatever the list's was: only what differs is a change.
  const interfaces = router.interfaces
    .filter((port) => port.adminStateUp)
    .map(usable)
    .toSorted((one, other) => (one.portId < other.portId ? -1 : 1));
  const gateway = router.gateway?.adminStateUp === true ? { ...router.gateway, ...usable(router.gateway) } : undefined;
  const gatewayPort = gateway === undefined ? undefined : gatewaySpec(gateway, namespace, options);
  return {
    routerId: router.id,
    namespace,
    ports: [...interfaces.map((port) => interfaceSpec(port, namespace)), ...(gatewayPort === undefined ? [] : [gatewayPort])],
    gateway: gatewayPort,
    routes: planRoutes(router, interfaces, gateway, options.hasIpv6),
    sets: buildSets({ interfaces, gateway, enableSnat: router.enableSnat }),
    advertisements: options.hasIpv6 && options.hasRadvd ? buildAdvertisements(interfaces) : undefined,
  };
}

function interfaceSpec(port: RouterInterface, namespace: string): PortSpec {
  const addresses = port.addresses.map(addressCidr);
  const hasIpv6 = port.addresses.some(({ ipVersion }) => ipVersion === 6);
  return {
    ...plugOf(port, namespace, routerDeviceName(port.portId)),
    bridge: bridgeName(port.networkId),
    isForeignBridge: false,
    addresses: hasIpv6 ? [...addresses, metadataIpv6Cidr] : addresses,
    isGateway: false,
    acceptRa: 0,
  };
}

function gatewaySpec(port: RouterGateway, namespace: string, { bridgeMappings, hasIpv6 }: SpecOptions): PortSpec {
  const { networkType, physicalNetwork, segmentationId } = port.carrier;
  // Without its tag a router would be in whatever network the bridge carries untagged, and look as if it worked.
  if (networkType === "vlan") {
    throw new NetloomError(
      "INVALID",
      `no way out by VLAN ${segmentationId} of ${physicalNetwork}: only flat networks are joined`,
    );
  }
  const mapped = physicalNetwork === null ? undefined : bridgeMappings.get(physicalNetwork);
  if (physicalNetwork !== null && mapped === undefined) {
    throw new NetloomError("INVALID", `no bridge is mapped to physical network ${physicalNetwork} on this host`);
  }
  const knowsIpv6Router = port.addresses.some(({ ipVersion, gatewayIp }) => ipVersion === 6 && gatewayIp !== null);
  const hasIpv6Address = port.addresses.some(({ ipVersion }) => ipVersion === 6);
  return {
    ...plugOf(port, namespace, gatewayDeviceName(port.portId)),
    bridge: mapped ?? bridgeName(port.networkId),
    isForeignBridge: mapped !== undefined,
    addresses: port.addresses.map(addressCidr),
    isGateway: true,
    acceptRa: hasIpv6 && hasIpv6Address && !knowsIpv6Router ? 2 : 0,
  };
}

function plugOf(
  port: RouterInterface,
  namespace: string,
  device: string,
): Omit<PortSpec, "bridge" | "isForeignBridge" | "addresses" | "isGateway" | "acceptRa"> {
  const { portId, networkId, macAddress, mtuBytes } = port;
  return { portId, networkId, namespace, device, tap: tapName(portId), macAddress, mtuBytes };
}

const addressCidr = ({ ipAddress, prefixLength }: RouterAddress): string => `${ipAddress}/${prefixLength}`;

function planRoutes(
  router: Router,
  interfaces: readonly RouterInterface[],
  gateway: RouterGateway | undefined,
  hasIpv6: boolean,
): readonly StaticRoute[] {
  const isUsable = (cidr: string): boolean => hasIpv6 || parseCidr(cidr).ipVersion === 4;
  const connected = new Set([...interfaces, ...(gateway === undefined ? [] : [gateway])].flatMap(onLink));
  const byDestination = new Map<string, StaticRoute>();
  for (const route of gateway === undefined ? [] : gatewayRoutes(gateway)) byDestination.set(route.destination, route);
  const extra = new Map<string, StaticRoute>();
  for (const { destination, nexthop } of router.routes.filter((route) => isUsable(route.destination))) {
    const target = canonicalDestination(destination);
    const hops = extra.get(target)?.nextHops ?? [];
    extra.set(target, { destination: target, nextHops: [...hops, { gateway: nexthop }] });
  }
  // An extra route to everything takes the place of the gateway's.
  for (const [target, route] of extra) byDestination.set(target, route);
  // What is on a link is the kernel's own route.
  return [...byDestination.values()].filter(({ destination }) => isUsable(destination) && !connected.has(destination));
}

const onLink = ({ addresses }: RouterInterface): readonly string[] => addresses.map(({ cidr }) => canonicalDestination(cidr));

/** Subnets without an address of ours, then for each family the way out; a next hop outside its subnet is first made known on the link. */
function gatewayRoutes(gateway: RouterGateway): readonly StaticRoute[] {
  const device = gatewayDeviceName(gateway.portId);
  const routes: StaticRoute[] = gateway.extraSubnets.map(({ cidr }) => ({
    destination: canonicalDestination(cidr),
    nextHops: [{ device }],
  }));
  for (const version of [4, 6] as const) {
    const first = gateway.addresses.find(({ ipVersion, gatewayIp }) => ipVersion === version && gatewayIp !== null);
    const gatewayIp = first?.gatewayIp ?? undefined;
    if (first === undefined || gatewayIp === undefined) continue;
    const isLinkLocal = gatewayIp.startsWith("fe80:");
    if (!isLinkLocal && !isInCidr(first.cidr, gatewayIp)) {
      routes.push({ destination: hostDestination(gatewayIp), nextHops: [{ device }] });
    }
    routes.push({ destination: version === 4 ? "0.0.0.0/0" : "::/0", nextHops: [{ gateway: gatewayIp, device }] });
  }
  return routes;
}

/** Another one: there is something to be made. The name of a state is nothing that has to be. */
export function fingerprintOf({ ha, ...rest }: RouterSpec): string {
  const text = JSON.stringify({ ...rest, ...(ha === undefined ? {} : { ha: ha.plan }) });
  return createHash("sha256").update(text).update(rulesetText).digest("hex").slice(0, 32);
}
