// How rtnetlink messages are put together: header, fixed part, attributes; and the bytes of addresses.
import { endianness } from "node:os";
import { NetloomError } from "../base/errors.ts";
import { ipVersionOf } from "./addresses.ts";

export interface NetlinkMessage {
  /** A whole message; its sequence number is nobody's concern. */
  readonly bytes: Buffer;
  /** Where the index of a device belongs, which only the namespace knows. */
  readonly indexAt?: { readonly offset: number; readonly device: string } | undefined;
  /** Where a file descriptor of a named namespace belongs, which only the worker has. */
  readonly namespaceAt?: { readonly offset: number; readonly namespace: string } | undefined;
  /** As ip(8) would be told. */
  readonly text: string;
}

const isLittle = endianness() === "LE";
const requestFlag = 1;
const ackFlag = 4;
export const flag = { replace: 0x100, dump: 0x300, exclusive: 0x200, create: 0x400 } as const;
export const type = {
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
export const headerBytes = 16;
/** Of the fixed part behind the header. */
export const linkBytes = 16;
export const masterAttribute = 10;

const u16 = (buffer: Buffer, value: number, at: number): number =>
  isLittle ? buffer.writeUInt16LE(value, at) : buffer.writeUInt16BE(value, at);
export const u32 = (buffer: Buffer, value: number, at: number): number =>
  isLittle ? buffer.writeUInt32LE(value, at) : buffer.writeUInt32BE(value, at);

export function number32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  u32(buffer, value, 0);
  return buffer;
}

/** Length, kind, value, filled up to a multiple of four. */
export function attribute(kind: number, value: Buffer): Buffer {
  const buffer = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
  u16(buffer, 4 + value.length, 0);
  u16(buffer, kind, 2);
  value.copy(buffer, 4);
  return buffer;
}

export function message(kind: number, flags: number, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const header = Buffer.alloc(headerBytes);
  u32(header, headerBytes + body.length, 0);
  u16(header, kind, 4);
  u16(header, requestFlag | ackFlag | flags, 6);
  return Buffer.concat([header, body]);
}

export function deviceName(name: string): Buffer {
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

export function linkPart(change: { readonly isUp?: boolean | undefined } = {}): Buffer {
  const part = Buffer.alloc(linkBytes);
  if (change.isUp !== undefined) {
    u32(part, change.isUp ? 1 : 0, 8);
    u32(part, 1, 12);
  }
  return part;
}
