// From what a device must be and what there is to the lines of `ip -batch`: pure.
import { canonicalAddress, ipVersionOf, parseCidr } from "../linux/addresses.ts";
import { createBridgeLines, noAddressLines } from "../linux/bridge.ts";
import { type DeviceState, ipLine, type RouteState } from "../linux/ip.ts";
import type { DefaultRoute, DeviceSpec } from "./device-spec.ts";

/** What was seen on the host and, when it exists, inside the namespace. */
export interface ActualDevices {
  readonly hasNamespace: boolean;
  readonly hasBridge: boolean;
  readonly hasTap: boolean;
  /** Taps of earlier ports of this network that are still there. */
  readonly staleTaps: readonly string[];
  readonly devices: readonly DeviceState[];
  readonly routes: readonly RouteState[];
}

export interface DevicePlan {
  /** The veth pair is made by this plan. */
  readonly isNewDevice: boolean;
  readonly rootLines: readonly string[];
  readonly namespaceLines: readonly string[];
}

export function planDevice(spec: DeviceSpec, actual: ActualDevices): DevicePlan {
  const device = actual.hasTap ? actual.devices.find((one) => one.name === spec.device) : undefined;
  return {
    isNewDevice: device === undefined,
    rootLines: planRoot(spec, actual, device),
    namespaceLines: planNamespace(spec, actual, device),
  };
}

function planRoot(spec: DeviceSpec, actual: ActualDevices, device: DeviceState | undefined): readonly string[] {
  const mtu = spec.mtuBytes === 0 ? [] : ["mtu", spec.mtuBytes];
  const lines = actual.staleTaps.map((tap) => ipLine("link", "del", tap));
  if (!actual.hasNamespace) lines.push(ipLine("netns", "add", spec.namespace));
  lines.push(...(actual.hasBridge ? [ipLine("link", "set", spec.bridge, "up")] : createBridgeLines(spec.bridge)));
  if (device === undefined) {
    // Half a pair, or a pair whose other end is elsewhere, is of no use; removing one end removes both.
    if (actual.hasTap) lines.push(ipLine("link", "del", spec.tap));
    const peer = ["peer", "name", spec.device, "netns", spec.namespace, ...mtu, "address", spec.macAddress];
    lines.push(ipLine("link", "add", spec.tap, ...mtu, "type", "veth", ...peer), ...noAddressLines(spec.tap));
  }
  lines.push(ipLine("link", "set", spec.tap, ...mtu, "master", spec.bridge, "up"));
  return lines;
}

function planNamespace(spec: DeviceSpec, actual: ActualDevices, device: DeviceState | undefined): readonly string[] {
  const mtu = spec.mtuBytes === 0 ? [] : ["mtu", spec.mtuBytes];
  const isStale = (name: string): boolean => name !== spec.device && /^(ns-|tap)/.test(name);
  return [
    ipLine("link", "set", "lo", "up"),
    ...actual.devices.filter((one) => isStale(one.name)).map((one) => ipLine("link", "del", one.name)),
    ...(device !== undefined && device.macAddress !== spec.macAddress
      ? [ipLine("link", "set", spec.device, "down"), ipLine("link", "set", spec.device, "address", spec.macAddress)]
      : []),
    ipLine("link", "set", spec.device, ...mtu, "up"),
    ...planAddresses(spec, device),
    ...planRoutes(spec, device === undefined ? [] : actual.routes),
  ];
}

function addressKey(text: string): string {
  const { address, prefixLength } = parseCidr(text);
  return `${canonicalAddress(address)}/${prefixLength}`;
}

/** Removes first, so that an address can come back with another prefix, or static where it was learnt. */
function planAddresses(spec: DeviceSpec, device: DeviceState | undefined): readonly string[] {
  const wanted = new Set(spec.addresses.map(addressKey));
  const present = (device?.addresses ?? []).filter((info) => info.scope !== "link");
  const kept = new Set<string>();
  const lines: string[] = [];
  for (const info of present) {
    const key = `${info.address}/${info.prefixLength}`;
    if (wanted.has(key) && !info.isDynamic) kept.add(key);
    else lines.push(ipLine("addr", "del", key, "dev", spec.device));
  }
  for (const key of [...wanted].filter((one) => !kept.has(one))) {
    // Without duplicate address detection dnsmasq can bind at once; the server never gives an address twice.
    const flags = ipVersionOf(parseCidr(key).address) === 6 ? ["nodad"] : [];
    lines.push(ipLine("addr", "add", key, "dev", spec.device, ...flags));
  }
  return lines;
}

const defaultOf = (route: DefaultRoute): string => (ipVersionOf(route.gateway) === 4 ? "0.0.0.0/0" : "::/0");

/** Ours carry `proto static`; what the kernel or anybody else put there is left alone. */
function planRoutes(spec: DeviceSpec, present: readonly RouteState[]): readonly string[] {
  const ours = present.filter((route) => route.isStatic && route.device === spec.device);
  const wanted = spec.defaultRoutes.flatMap((route) => [
    ...(route.isOffSubnet ? [{ destination: canonicalAddress(route.gateway), gateway: undefined }] : []),
    { destination: defaultOf(route), gateway: canonicalAddress(route.gateway) },
  ]);
  const isWanted = (one: RouteState): boolean =>
    wanted.some((route) => route.destination === one.destination && route.gateway === one.gateway);
  const removed = ours.filter((one) => !isWanted(one) && !wanted.some((route) => route.destination === one.destination));
  return [
    ...wanted.map(({ destination, gateway }) => {
      const via = gateway === undefined ? [] : ["via", gateway];
      return ipLine("route", "replace", destination, ...via, "dev", spec.device, "proto", "static");
    }),
    ...removed.map((one) => ipLine("route", "del", one.destination, "dev", spec.device, "proto", "static")),
  ];
}
