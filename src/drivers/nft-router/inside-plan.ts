// From what a router's namespace must hold and what was seen there to what has to be done inside: pure.
import { canonicalAddress, ipVersionOf, parseCidr } from "../../linux/addresses.ts";
import type { DeviceAddress } from "../../linux/ip.ts";
import { type NamespaceOperation, netlink } from "../../linux/namespace-worker.ts";
import { addAddress, deleteAddress, deleteLink, setLink } from "../../linux/netlink.ts";
import { deleteStaticRoute, isSameRoute, replaceStaticRoute, type StaticRoute } from "../../linux/netlink-route.ts";
import { anchorCidr, answersNobody } from "./ha-spec.ts";
import type { PortSpec, RouterSpec } from "./router-spec.ts";

export interface InsideDevice {
  readonly name: string;
  readonly macAddress: string;
  readonly mtuBytes: number;
  readonly isUp: boolean;
  readonly addresses: readonly DeviceAddress[];
}

export interface InsideState {
  readonly devices: readonly InsideDevice[];
  readonly routes: readonly StaticRoute[];
}

export const nothingInside: InsideState = { devices: [], routes: [] };

export interface InsidePlan {
  /** Devices, links, addresses: in order, all or nothing. */
  readonly operations: readonly NamespaceOperation[];
  /** Each for itself: a next hop may be out of reach, which is no reason to leave the others out. */
  readonly routes: readonly NamespaceOperation[];
  /** Addresses that the neighbours have to hear of; of IPv6 the kernel says nothing, because nobody looks for duplicates. */
  readonly announced: readonly { readonly device: string; readonly macAddress: string; readonly address: string }[];
  /** IPv4 addresses that the gateway had and has no more: flows that were translated to them lead nowhere. */
  readonly lostSources: readonly string[];
  /** Whether addresses are to go from devices that stay. */
  readonly hasLostAddresses: boolean;
  /** Whether routes of others on the gateway device were lost with it. */
  readonly hasLostGateway: boolean;
}

const set = (name: string, value: number): NamespaceOperation => ({ kind: "sysctl", name: `net/${name}`, value });

/** Before there is any device; forwarding comes last, when the rules are there. */
export const namespaceSettings: readonly NamespaceOperation[] = [
  // Inherited from the host, who may have strict ones.
  ...["all", "default"].flatMap((where) => [
    set(`ipv4/conf/${where}/rp_filter`, 0),
    set(`ipv4/conf/${where}/arp_ignore`, 0),
    // Two instances of one network may meet by a floating IP: they must not be told of a shorter way.
    set(`ipv4/conf/${where}/send_redirects`, 0),
    set(`ipv4/conf/${where}/promote_secondaries`, 1),
    set(`ipv6/conf/${where}/accept_ra`, 0),
    set(`ipv6/conf/${where}/autoconf`, 0),
  ]),
  set("ipv4/conf/all/arp_announce", 2),
  set("ipv6/conf/default/accept_dad", 0),
  set("netfilter/nf_conntrack_tcp_be_liberal", 1),
];

export const forwardingSettings: readonly NamespaceOperation[] = [
  set("ipv4/ip_forward", 1),
  set("ipv6/conf/all/forwarding", 1),
];

/** Beside what the hook of the VRRP process sets at each change of state. */
export const haForwardingSettings: readonly NamespaceOperation[] = [set("ipv4/ip_forward", 1)];

function deviceSettings(port: PortSpec): readonly NamespaceOperation[] {
  const { device, isGateway, acceptRa, isElected } = port;
  if (isElected === true && isGateway) return [set(`ipv6/conf/${device}/accept_dad`, 0)];
  return [
    // The gateway answers for floating IPs, which are local routes and not addresses of the device.
    set(`ipv4/conf/${device}/arp_ignore`, isGateway ? 0 : 1),
    set(`ipv6/conf/${device}/accept_ra`, acceptRa),
    set(`ipv6/conf/${device}/autoconf`, acceptRa === 0 ? 0 : 1),
    set(`ipv6/conf/${device}/accept_dad`, 0),
  ];
}

/** Of a device that is new, as on a backup: it says nothing by itself. */
function electedSettings({ device, isGateway }: PortSpec): readonly NamespaceOperation[] {
  const addressless = set(`ipv6/conf/${device}/addr_gen_mode`, 1);
  return isGateway ? [addressless, set(`ipv4/conf/${device}/arp_ignore`, answersNobody)] : [addressless];
}

/** Settings that nothing shows: written whenever somebody looks. */
export const allSettings = (spec: RouterSpec): readonly NamespaceOperation[] => [
  ...namespaceSettings,
  ...spec.ports.flatMap(deviceSettings),
];

const isRouterDevice = (name: string): boolean => /^(q[rg]|ha)-/.test(name);
const isGatewayDevice = ({ name }: InsideDevice): boolean => name.startsWith("qg-");

/** Only what differs. */
export function planInside(spec: RouterSpec, actual: InsideState): InsidePlan {
  const operations: NamespaceOperation[] = [];
  if (!actual.devices.some((one) => one.name === "lo" && one.isUp)) operations.push(netlink(setLink("lo", { isUp: true })));
  const wanted = new Set(spec.ports.map(({ device }) => device));
  const stale = actual.devices.filter(({ name }) => isRouterDevice(name) && !wanted.has(name));
  operations.push(...stale.map(({ name }) => netlink(deleteLink(name))));
  const announced: InsidePlan["announced"][number][] = [];
  const lostSources = stale.filter(isGatewayDevice).flatMap(({ addresses }) => addresses.map(({ address }) => address));
  let isDisturbed = stale.length > 0;
  let hasLostAddresses = false;
  for (const port of spec.ports) {
    const present = actual.devices.find(({ name }) => name === port.device);
    const { changes, added, removed } = planAddresses(port, present);
    operations.push(...planLink(port, present), ...changes, ...planAnchor(port, present));
    announced.push(...added.map((address) => ({ device: port.device, macAddress: port.macAddress, address })));
    if (port.isGateway) lostSources.push(...removed);
    hasLostAddresses ||= removed.length > 0;
    isDisturbed ||= removed.length > 0 || present?.isUp !== true;
  }
  const gateway = actual.devices.find(({ name }) => name === spec.gateway?.device);
  return {
    operations,
    // With an address or a link the kernel also takes routes that were there when somebody looked.
    routes: planRoutes(spec, isDisturbed ? [] : actual.routes, actual.routes),
    announced,
    lostSources: lostSources.filter((address) => ipVersionOf(address) === 4),
    hasLostAddresses,
    hasLostGateway: spec.gateway !== undefined && (gateway?.isUp !== true || losesIpv4(spec.gateway, gateway)),
  };
}

/** It has no IPv4 address though it should, or will have none: what others had routed to it is gone. */
function losesIpv4({ addresses, isElected }: PortSpec, present: InsideDevice): boolean {
  if (isElected === true) return false;
  const isFour = (address: string): boolean => ipVersionOf(address) === 4;
  const has = present.addresses.some(({ address }) => isFour(address));
  return has !== addresses.some((cidr) => isFour(parseCidr(cidr).address));
}

function planLink(port: PortSpec, present: InsideDevice | undefined): readonly NamespaceOperation[] {
  const { device, macAddress, mtuBytes } = port;
  const own = port.isElected === true ? electedSettings(port) : [];
  if (present === undefined) return [...deviceSettings(port), ...own, netlink(setLink(device, { isUp: true }))];
  const hasMac = present.macAddress === macAddress;
  const hasMtu = mtuBytes === 0 || present.mtuBytes === mtuBytes;
  if (hasMac && hasMtu && present.isUp) return [];
  const change = { isUp: true, macAddress: hasMac ? undefined : macAddress, mtuBytes: hasMtu ? undefined : mtuBytes };
  return [netlink(setLink(device, change))];
}

/**
 * With its last IPv4 address a device loses all its routes, those of floating IPs too. An elected gateway loses its addresses
 * whenever another host takes over, and must have the routes when it is its turn again, though nobody may be there to set them.
 */
function planAnchor(port: PortSpec, present: InsideDevice | undefined): readonly NamespaceOperation[] {
  if (port.isElected !== true || !port.isGateway) return [];
  const isThere = present?.addresses.some(({ address, prefixLength }) => `${address}/${prefixLength}` === anchorCidr);
  return isThere === true ? [] : [netlink(addAddress({ device: port.device, cidr: anchorCidr, isOfHost: true }))];
}

function addressKey(text: string): string {
  const { address, prefixLength } = parseCidr(text);
  return `${canonicalAddress(address)}/${prefixLength}`;
}

interface AddressPlan {
  readonly changes: readonly NamespaceOperation[];
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/**
 * Adds first: with its last IPv4 address a device loses all its routes, those of floating IPs too. Only an address that comes back
 * with another prefix has to go before.
 */
function planAddresses(
  { device, addresses, acceptRa, foreignAddress }: PortSpec,
  present: InsideDevice | undefined,
): AddressPlan {
  const wanted = [...new Set(addresses.map(addressKey))];
  const kept = new Set<string>();
  const removed: string[] = [];
  for (const info of present?.addresses ?? []) {
    const key = `${info.address}/${info.prefixLength}`;
    if (key === foreignAddress || key === anchorCidr) continue;
    if (wanted.includes(key) && info.isDadFailed !== true) kept.add(key);
    // The kernel's own link-local address, and what a router advertisement that we believe has brought.
    else if (info.scope !== "link" && !(info.isDynamic && acceptRa !== 0)) removed.push(key);
  }
  const added = wanted.filter((key) => !kept.has(key));
  const isSix = (key: string): boolean => ipVersionOf(parseCidr(key).address) === 6;
  const additions = added.map((cidr) => netlink(addAddress({ device, cidr, isWithoutDad: isSix(cidr) })));
  const isReplaced = (key: string): boolean => added.some((other) => other.split("/")[0] === key.split("/")[0]);
  const removals = (keys: readonly string[]): readonly NamespaceOperation[] =>
    keys.map((cidr) => netlink(deleteAddress({ device, cidr })));
  const others = removed.filter((key) => !isReplaced(key));
  return {
    changes: [...removals(removed.filter(isReplaced)), ...additions, ...removals(others)],
    added: added.map((key) => parseCidr(key).address),
    removed: removed.map((key) => parseCidr(key).address),
  };
}

/** @param trusted routes that are there and stay; @param seen all that were there, of which the needless ones go */
function planRoutes(
  spec: RouterSpec,
  trusted: readonly StaticRoute[],
  seen: readonly StaticRoute[],
): readonly NamespaceOperation[] {
  const lacking = spec.routes.filter((route) => !trusted.some((one) => isSameRoute(route, one)));
  const isWanted = ({ destination }: StaticRoute): boolean => spec.routes.some((route) => route.destination === destination);
  const needless = seen.filter((route) => !isWanted(route));
  return [
    ...needless.map(({ destination }) => netlink(deleteStaticRoute(destination))),
    ...lacking.map((route) => netlink(replaceStaticRoute(route))),
  ];
}
