// rtnetlink messages (RFC 3549, linux/rtnetlink.h) for what a device inside a namespace needs: bytes, no socket. The worker
// in namespace-worker.ts carries them into the namespace; each has the words that ip(8) would use, for errors and logs.
import { endianness } from "node:os";
import { NetloomError } from "../base/errors.ts";
import { ipVersionOf, parseCidr } from "./addresses.ts";

export interface NetlinkMessage {
  /** A whole message; its sequence number is nobody's concern. */
  readonly bytes: Buffer;
  /** Where the index of a device belongs, which only the namespace knows. */
  readonly indexAt?: { readonly offset: number; readonly device: string } | undefined;
  /** As ip(8) would be told. */
  readonly text: string;
}

const isLittle = endianness() === "LE";
const requestFlag = 1;
const ackFlag = 4;
const flag = { replace: 0x100, dump: 0x300, exclusive: 0x200, create: 0x400 } as const;
const type = {
  newLink: 16,
  delLink: 17,
  getLink: 18,
  newAddr: 20,
  delAddr: 21,
  getAddr: 22,
  newRoute: 24,
  delRoute: 25,
  getRoute: 26,
};
const headerBytes = 16;
/** Of the fixed part behind the header. */
const linkBytes = 16;
const addressIndexOffset = headerBytes + 4;
const masterAttribute = 10;

const u16 = (buffer: Buffer, value: number, at: number): number =>
  isLittle ? buffer.writeUInt16LE(value, at) : buffer.writeUInt16BE(value, at);
const u32 = (buffer: Buffer, value: number, at: number): number =>
  isLittle ? buffer.writeUInt32LE(value, at) : buffer.writeUInt32BE(value, at);

function number32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  u32(buffer, value, 0);
  return buffer;
}

/** Length, kind, value, filled up to a multiple of four. */
function attribute(kind: number, value: Buffer): Buffer {
  const buffer = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
  u16(buffer, 4 + value.length, 0);
  u16(buffer, kind, 2);
  value.copy(buffer, 4);
  return buffer;
}

function message(kind: number, flags: number, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const header = Buffer.alloc(headerBytes);
  u32(header, headerBytes + body.length, 0);
  u16(header, kind, 4);
  u16(header, requestFlag | ackFlag | flags, 6);
  return Buffer.concat([header, body]);
}

function deviceName(name: string): Buffer {
  if (!/^[A-Za-z0-9_.:-]{1,15}$/.test(name)) {
    throw new NetloomError("INVALID", `not a name for a device: ${JSON.stringify(name.slice(0, 32))}`);
  }
  return attribute(3, Buffer.from(`${name}\0`));
}

export function macBytes(mac: string): Buffer {
  const octets = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac) ? mac.split(":") : [];
  if (octets.length === 0) throw new NetloomError("INVALID", `not a MAC address: ${JSON.stringify(mac.slice(0, 32))}`);
  return Buffer.from(octets.join(""), "hex");
}

/** Four bytes for IPv4, sixteen for IPv6. */
export function addressBytes(address: string): Buffer {
  if (ipVersionOf(address) === 4) return Buffer.from(address.split(".").map(Number));
  const [head = "", tail] = embeddedToHex(address).split("::");
  const words = (text: string): readonly string[] => (text === "" ? [] : text.split(":"));
  const left = words(head);
  const right = words(tail ?? "");
  const all = tail === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill("0"), ...right];
  return Buffer.from(all.map((word) => word.padStart(4, "0")).join(""), "hex");
}

/** `::ffff:1.2.3.4` → `::ffff:102:304` */
function embeddedToHex(address: string): string {
  return address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (...[, a, b, c, d]: readonly string[]) =>
    [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)].map((word) => word.toString(16)).join(":"),
  );
}

function linkPart(change: { readonly isUp?: boolean | undefined } = {}): Buffer {
  const part = Buffer.alloc(linkBytes);
  if (change.isUp !== undefined) {
    u32(part, change.isUp ? 1 : 0, 8);
    u32(part, 1, 12);
  }
  return part;
}

export interface LinkChange {
  readonly mtuBytes?: number | undefined;
  readonly macAddress?: string | undefined;
  readonly isUp?: boolean | undefined;
}

export function setLink(device: string, { mtuBytes, macAddress, isUp }: LinkChange): NetlinkMessage {
  const parts = [linkPart({ isUp }), deviceName(device)];
  const words = ["link", "set", device];
  if (mtuBytes !== undefined) {
    parts.push(attribute(4, number32(mtuBytes)));
    words.push("mtu", String(mtuBytes));
  }
  if (macAddress !== undefined) {
    parts.push(attribute(1, macBytes(macAddress)));
    words.push("address", macAddress);
  }
  if (isUp !== undefined) words.push(isUp ? "up" : "down");
  return { bytes: message(type.newLink, 0, parts), text: words.join(" ") };
}

export function deleteLink(device: string): NetlinkMessage {
  return { bytes: message(type.delLink, 0, [linkPart(), deviceName(device)]), text: `link del ${device}` };
}

/** Answered by one link, or by ENODEV. */
export function getLink(device: string): NetlinkMessage {
  return { bytes: message(type.getLink, 0, [linkPart(), deviceName(device)]), text: `link show ${device}` };
}

/** All devices; with a bridge's name only its members. */
export function listLinks(master?: string): NetlinkMessage {
  const parts = [linkPart(), ...(master === undefined ? [] : [attribute(masterAttribute, number32(0))])];
  const indexAt = master === undefined ? undefined : { offset: headerBytes + linkBytes + 4, device: master };
  return {
    bytes: message(type.getLink, flag.dump, parts),
    indexAt,
    text: `link show${master === undefined ? "" : ` master ${master}`}`,
  };
}

export interface AddressChange {
  readonly device: string;
  /** `address/prefix` */
  readonly cidr: string;
  /** Without duplicate address detection. */
  readonly isWithoutDad?: boolean | undefined;
}

function addressMessage(kind: number, flags: number, { device, cidr, isWithoutDad }: AddressChange): NetlinkMessage {
  const { address, prefixLength, ipVersion } = parseCidr(cidr);
  const part = Buffer.alloc(8);
  part[0] = ipVersion === 4 ? 2 : 10;
  part[1] = prefixLength;
  part[2] = isWithoutDad === true ? 2 : 0;
  const value = addressBytes(address);
  return {
    bytes: message(kind, flags, [part, attribute(2, value), attribute(1, value)]),
    indexAt: { offset: addressIndexOffset, device },
    text: `addr ${kind === type.newAddr ? "add" : "del"} ${cidr} dev ${device}${isWithoutDad === true ? " nodad" : ""}`,
  };
}

export const addAddress = (change: AddressChange): NetlinkMessage =>
  addressMessage(type.newAddr, flag.create | flag.exclusive, change);

export const deleteAddress = (change: AddressChange): NetlinkMessage => addressMessage(type.delAddr, 0, change);

export const listAddresses = (): NetlinkMessage => ({
  bytes: message(type.getAddr, flag.dump, [Buffer.alloc(8)]),
  text: "addr show",
});

export interface RouteChange {
  readonly device: string;
  /** `0.0.0.0/0`, `::/0`, or a plain address for a host. */
  readonly destination: string;
  readonly gateway?: string | undefined;
}

const scope = { universe: 0, link: 253, nowhere: 255 } as const;

/** Only ours: `proto static`, in the main table. */
function routeMessage(kind: number, flags: number, { device, destination, gateway }: RouteChange): NetlinkMessage {
  const isNew = kind === type.newRoute;
  const version = ipVersionOf(destination.split("/")[0] ?? "");
  const target = destination.includes("/") ? destination : `${destination}/${version === 4 ? 32 : 128}`;
  const { address, prefixLength } = parseCidr(target);
  const newScope = gateway === undefined && version === 4 ? scope.link : scope.universe;
  const part = Buffer.alloc(12);
  part.set([version === 4 ? 2 : 10, prefixLength, 0, 0, 254, 4, isNew ? newScope : scope.nowhere, isNew ? 1 : 0]);
  const before = prefixLength === 0 ? [] : [attribute(1, addressBytes(address))];
  if (gateway !== undefined) before.push(attribute(5, addressBytes(gateway)));
  const offset = headerBytes + part.length + before.reduce((sum, one) => sum + one.length, 0) + 4;
  const via = gateway === undefined ? "" : ` via ${gateway}`;
  return {
    bytes: message(kind, flags, [part, ...before, attribute(4, number32(0))]),
    indexAt: { offset, device },
    text: `route ${isNew ? "replace" : "del"} ${destination}${via} dev ${device} proto static`,
  };
}

export const replaceRoute = (change: RouteChange): NetlinkMessage =>
  routeMessage(type.newRoute, flag.create | flag.replace, change);

export const deleteRoute = (change: RouteChange): NetlinkMessage => routeMessage(type.delRoute, 0, change);

export function listRoutes(ipVersion: 4 | 6): NetlinkMessage {
  const part = Buffer.alloc(12);
  part[0] = ipVersion === 4 ? 2 : 10;
  return { bytes: message(type.getRoute, flag.dump, [part]), text: `-${ipVersion} route show` };
}
