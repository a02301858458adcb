// From what a device must be and what there is to what has to be done inside the namespace: pure.
import { canonicalAddress, ipVersionOf, parseCidr } from "../linux/addresses.ts";
import type { DeviceState, RouteState } from "../linux/ip.ts";
import { type NamespaceOperation, netlink } from "../linux/namespace-worker.ts";
import { addAddress, deleteAddress, deleteLink, deleteRoute, replaceRoute, setLink } from "../linux/netlink.ts";
import { type DefaultRoute, type DeviceSpec, metadataAddresses } from "./device-spec.ts";

/** What was seen inside the namespace; nothing when there is none yet. */
export interface InsideState {
  readonly devices: readonly DeviceState[];
  readonly routes: readonly RouteState[];
}

export const nothingInside: InsideState = { devices: [], routes: [] };

const ipv6Settings = { accept_ra: 0, autoconf: 0, accept_dad: 0 } as const;

/**
 * No router advertisement is believed, no address is made up, and the link-local address can be used at once. On "default"
 * for what comes later, and on the device while it is still down, so before anything can be learnt on it.
 */
export function planSettings(devices: readonly string[]): readonly NamespaceOperation[] {
  return devices.flatMap((device) =>
    Object.entries(ipv6Settings).map(
      ([name, value]): NamespaceOperation => ({ kind: "sysctl", name: `net/ipv6/conf/${device}/${name}`, value }),
    ),
  );
}

/** Only what differs; nothing for a device that is as it must be. */
export function planInside(spec: DeviceSpec, actual: InsideState, hasIpv6: boolean): readonly NamespaceOperation[] {
  const device = actual.devices.find((one) => one.name === spec.device);
  const isLoopbackUp = actual.devices.some((one) => one.name === "lo" && one.isUp);
  return [
    ...(isLoopbackUp ? [] : [netlink(setLink("lo", { isUp: true }))]),
    ...actual.devices.filter((one) => isStale(one.name, spec)).map((one) => netlink(deleteLink(one.name))),
    ...(device === undefined ? planNewDevice(spec, hasIpv6) : planLink(spec, device)),
    ...planAddresses(spec, device),
    ...planRoutes(spec, device === undefined ? [] : actual.routes),
  ];
}

/** Ports of this network that are not, or no longer, this host's. Devices of other kinds are not ours to judge. */
const isStale = (name: string, spec: DeviceSpec): boolean => name !== spec.device && /^(ns-|tap)/.test(name);

function planNewDevice(spec: DeviceSpec, hasIpv6: boolean): readonly NamespaceOperation[] {
  return [
    ...(hasIpv6 ? planSettings(["default", spec.device]) : []),
    { kind: "softwareChecksums", device: spec.device },
    netlink(setLink(spec.device, { isUp: true })),
  ];
}

function planLink(spec: DeviceSpec, device: DeviceState): readonly NamespaceOperation[] {
  const hasMac = device.macAddress === spec.macAddress;
  const hasMtu = spec.mtuBytes === 0 || device.mtuBytes === spec.mtuBytes;
  if (hasMac && hasMtu && device.isUp) return [];
  return [
    ...(hasMac ? [] : [netlink(setLink(spec.device, { isUp: false, macAddress: spec.macAddress }))]),
    netlink(setLink(spec.device, { isUp: true, ...(hasMtu ? {} : { mtuBytes: spec.mtuBytes }) })),
  ];
}

function addressKey(text: string): string {
  const { address, prefixLength } = parseCidr(text);
  return `${canonicalAddress(address)}/${prefixLength}`;
}

const metadataKey = addressKey(metadataAddresses.v6);

/** Removes first, so that an address can come back with another prefix, or static where it was learnt. */
function planAddresses(spec: DeviceSpec, device: DeviceState | undefined): readonly NamespaceOperation[] {
  const wanted = new Set(spec.addresses.map(addressKey));
  const kept = new Set<string>();
  const operations: NamespaceOperation[] = [];
  for (const info of device?.addresses ?? []) {
    const key = `${info.address}/${info.prefixLength}`;
    // The kernel's own link-local address is not in the wish and stays.
    if (info.scope === "link" && key !== metadataKey) continue;
    if (wanted.has(key) && !info.isDynamic && info.isDadFailed !== true) kept.add(key);
    else operations.push(netlink(deleteAddress({ device: spec.device, cidr: key })));
  }
  const added = [...wanted].filter((key) => !kept.has(key));
  return [...operations, ...added.flatMap((cidr) => planAddress(spec, cidr))];
}

/**
 * Without duplicate address detection dnsmasq can bind at once; the server never gives an address twice. The metadata
 * address is the same for every agent of a network: where there are more, the kernel must find out who has it first.
 */
function planAddress(spec: DeviceSpec, cidr: string): readonly NamespaceOperation[] {
  const { device } = spec;
  if (cidr === metadataKey && spec.isMetadataShared) {
    return [{ kind: "sysctl", name: `net/ipv6/conf/${device}/accept_dad`, value: 1 }, netlink(addAddress({ device, cidr }))];
  }
  return [netlink(addAddress({ device, cidr, isWithoutDad: ipVersionOf(parseCidr(cidr).address) === 6 }))];
}

const defaultOf = (route: DefaultRoute): string => (ipVersionOf(route.gateway) === 4 ? "0.0.0.0/0" : "::/0");

/** Ours carry `proto static`; what the kernel or anybody else put there is left alone. */
function planRoutes(spec: DeviceSpec, present: readonly RouteState[]): readonly NamespaceOperation[] {
  const { device } = spec;
  const ours = present.filter((route) => route.isStatic && route.device === device);
  const wanted = spec.defaultRoutes.flatMap((route) => [
    ...(route.isOffSubnet ? [{ destination: canonicalAddress(route.gateway), gateway: undefined }] : []),
    { destination: defaultOf(route), gateway: canonicalAddress(route.gateway) },
  ]);
  const isSame = (one: (typeof wanted)[number], other: RouteState): boolean =>
    one.destination === other.destination && one.gateway === other.gateway;
  const lacking = wanted.filter((route) => !ours.some((one) => isSame(route, one)));
  const removed = ours.filter((one) => !wanted.some((route) => route.destination === one.destination));
  return [
    ...lacking.map((route) => netlink(replaceRoute({ device, ...route }))),
    ...removed.map(({ destination }) => netlink(deleteRoute({ device, destination }))),
  ];
}
