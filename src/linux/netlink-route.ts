// rtnetlink messages for a router's routes: over one next hop or several, on a link or behind a gateway; and how they are read back.
import { endianness } from "node:os";
import { ipVersionOf, parseCidr } from "./addresses.ts";
import { addressText, readRoutes } from "./netlink-answer.ts";
import { addressBytes, attribute, flag, headerBytes, message, type NetlinkMessage, number32, type } from "./netlink-bytes.ts";

export interface NextHop {
  /** Canonical text; absent: on the link itself. */
  readonly gateway?: string | undefined;
  /** Absent: the device that leads to the gateway. Only with a single next hop. */
  readonly device?: string | undefined;
}

export interface StaticRoute {
  /** `address/prefix` */
  readonly destination: string;
  /** At least one. */
  readonly nextHops: readonly NextHop[];
}

const routeAttribute = { destination: 1, device: 4, gateway: 5, multipath: 9 } as const;
const scope = { universe: 0, link: 253, nowhere: 255 } as const;
const mainTable = 254;
const unicast = 1;
const staticProtocol = 4;
const routeBytes = 12;

function routePart(destination: string, isNew: boolean, isOnLink: boolean): readonly Buffer[] {
  const { address, prefixLength, ipVersion } = parseCidr(destination);
  const part = Buffer.alloc(routeBytes);
  const newScope = isOnLink && ipVersion === 4 ? scope.link : scope.universe;
  const kind = isNew ? unicast : 0;
  part.set([ipVersion === 4 ? 2 : 10, prefixLength, 0, 0, mainTable, staticProtocol, isNew ? newScope : scope.nowhere, kind]);
  return prefixLength === 0 ? [part] : [part, attribute(routeAttribute.destination, addressBytes(address))];
}

const sizeOf = (parts: readonly Buffer[]): number => parts.reduce((sum, part) => sum + part.length, 0);
const hopText = ({ gateway, device }: NextHop): string =>
  `${gateway === undefined ? "" : ` via ${gateway}`}${device === undefined ? "" : ` dev ${device}`}`;

/** `proto static` in the main table; replaces the route to that destination that is there. */
export function replaceStaticRoute({ destination, nextHops }: StaticRoute): NetlinkMessage {
  const flags = flag.create | flag.replace;
  const [only] = nextHops;
  if (nextHops.length === 1 && only !== undefined) {
    const parts = [...routePart(destination, true, only.gateway === undefined)];
    if (only.gateway !== undefined) parts.push(attribute(routeAttribute.gateway, addressBytes(only.gateway)));
    const text = `route replace ${destination}${hopText(only)} proto static`;
    if (only.device === undefined) return { bytes: message(type.newRoute, flags, parts), text };
    const indexAt = { offset: headerBytes + sizeOf(parts) + 4, device: only.device };
    return { bytes: message(type.newRoute, flags, [...parts, attribute(routeAttribute.device, number32(0))]), indexAt, text };
  }
  const hops = Buffer.concat(nextHops.map(({ gateway }) => nextHopBytes(gateway ?? "")));
  const parts = [...routePart(destination, true, false), attribute(routeAttribute.multipath, hops)];
  const words = nextHops.map((hop) => ` nexthop${hopText(hop)}`).join("");
  return { bytes: message(type.newRoute, flags, parts), text: `route replace ${destination}${words} proto static` };
}

/** Length, flags, weight less one, index of the device (0: whichever leads there); then the gateway. */
function nextHopBytes(gateway: string): Buffer {
  const address = attribute(routeAttribute.gateway, addressBytes(gateway));
  const head = Buffer.alloc(8);
  if (endianness() === "LE") head.writeUInt16LE(8 + address.length);
  else head.writeUInt16BE(8 + address.length);
  return Buffer.concat([head, address]);
}

/** With all its next hops. */
export function deleteStaticRoute(destination: string): NetlinkMessage {
  return {
    bytes: message(type.delRoute, 0, [...routePart(destination, false, false)]),
    text: `route del ${destination} proto static`,
  };
}

/** Ours in the main table (`proto static`), from the answer to `listRoutes`. */
export function parseStaticRoutes(
  answer: Buffer,
  ipVersion: 4 | 6,
  names: ReadonlyMap<number, string>,
): readonly StaticRoute[] {
  const found = new Map<string, NextHop[]>();
  for (const { body, attributes } of readRoutes(answer)) {
    if (body[4] !== mainTable || body[7] !== unicast || body[5] !== staticProtocol) continue;
    const target = attributes.get(routeAttribute.destination);
    const everything = ipVersion === 4 ? "0.0.0.0" : "::";
    const destination = `${target === undefined ? everything : addressText(target)}/${body[1] ?? 0}`;
    const hops = [...(found.get(destination) ?? []), ...readHops(attributes, names)];
    found.set(destination, hops);
  }
  return [...found].map(([destination, nextHops]) => ({ destination, nextHops }));
}

function readHops(attributes: ReadonlyMap<number, Buffer>, names: ReadonlyMap<number, string>): readonly NextHop[] {
  const several = attributes.get(routeAttribute.multipath);
  if (several === undefined) {
    const gateway = attributes.get(routeAttribute.gateway);
    return [{ gateway: gateway && addressText(gateway), device: names.get(u32(attributes.get(routeAttribute.device), 0)) }];
  }
  const hops: NextHop[] = [];
  for (let at = 0; at + 8 <= several.length; ) {
    const length = endianness() === "LE" ? several.readUInt16LE(at) : several.readUInt16BE(at);
    if (length < 8) break;
    const rest = several.subarray(at + 8, at + length);
    const bytes = rest.length >= 20 ? 16 : 4;
    const gateway = rest.length >= 4 + bytes ? addressText(rest.subarray(4, 4 + bytes)) : undefined;
    hops.push({ gateway, device: names.get(u32(several, at + 4)) });
    at += (length + 3) & ~3;
  }
  return hops;
}

function u32(buffer: Buffer | undefined, at: number): number {
  if (buffer === undefined || buffer.length < at + 4) return 0;
  return endianness() === "LE" ? buffer.readUInt32LE(at) : buffer.readUInt32BE(at);
}

/** Same destination, same gateways in any order; a device counts only where it is asked for. */
export function isSameRoute(wanted: StaticRoute, present: StaticRoute): boolean {
  if (wanted.destination !== present.destination || wanted.nextHops.length !== present.nextHops.length) return false;
  return wanted.nextHops.every(({ gateway, device }) =>
    present.nextHops.some((hop) => hop.gateway === gateway && (device === undefined || hop.device === device)),
  );
}

/** The network address in canonical text with its prefix, as the kernel says it. */
export function canonicalDestination(cidr: string): string {
  const { address, prefixLength } = parseCidr(cidr);
  const bytes = addressBytes(address);
  for (let bit = prefixLength; bit < bytes.length * 8; bit += 1) {
    const index = bit >> 3;
    bytes[index] = (bytes[index] ?? 0) & ~(0x80 >> (bit & 7));
  }
  return `${addressText(bytes)}/${prefixLength}`;
}

/** A host's route, with the prefix that the kernel's answers carry. */
export const hostDestination = (address: string): string => `${address}/${ipVersionOf(address) === 4 ? 32 : 128}`;
