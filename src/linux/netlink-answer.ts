// What rtnetlink says about devices, addresses and routes: from the bytes of its answers to values.
import { endianness } from "node:os";
import { canonicalAddress } from "./addresses.ts";
import type { DeviceAddress, RouteState } from "./ip.ts";

const isLittle = endianness() === "LE";
const u16 = (buffer: Buffer, at: number): number => (isLittle ? buffer.readUInt16LE(at) : buffer.readUInt16BE(at));
const u32 = (buffer: Buffer, at: number): number => (isLittle ? buffer.readUInt32LE(at) : buffer.readUInt32BE(at));

const kinds = { link: 16, address: 20, route: 24 } as const;
const headerBytes = 16;
const mainTable = 254;
const unicast = 1;
const clonedFlag = 0x200;
const staticProtocol = 4;
const permanentFlag = 0x80;
const dadFailedFlag = 0x08;

export interface LinkState {
  readonly index: number;
  readonly name: string;
  readonly macAddress: string;
  readonly mtuBytes: number;
  readonly isUp: boolean;
  /** Index of the bridge that it is a member of; 0 for none. */
  readonly master: number;
}

/** One address and the index of its device. */
export interface AddressEntry extends DeviceAddress {
  readonly index: number;
}

export interface Part {
  readonly body: Buffer;
  readonly attributes: ReadonlyMap<number, Buffer>;
}

/** The messages of one kind, each with its fixed part and its attributes. */
function readMessages(answer: Buffer, kind: number, fixedBytes: number): readonly Part[] {
  const parts: Part[] = [];
  for (let at = 0; at + headerBytes <= answer.length; ) {
    const length = u32(answer, at);
    if (length < headerBytes || at + length > answer.length) break;
    if (u16(answer, at + 4) === kind) {
      const body = answer.subarray(at + headerBytes, at + length);
      parts.push({ body, attributes: readAttributes(body.subarray(fixedBytes)) });
    }
    at += Math.ceil(length / 4) * 4;
  }
  return parts;
}

function readAttributes(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = u16(bytes, at);
    if (length < 4 || at + length > bytes.length) break;
    // The two highest bits are flags of the attribute, not of its kind.
    attributes.set(u16(bytes, at + 2) & 0x3fff, bytes.subarray(at + 4, at + length));
    at += Math.ceil(length / 4) * 4;
  }
  return attributes;
}

/** Canonical text of four or sixteen bytes. */
export function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join(".");
  const words = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  return canonicalAddress(words.join(":"));
}

const number = (bytes: Buffer | undefined): number => (bytes === undefined || bytes.length < 4 ? 0 : u32(bytes, 0));

export function parseLinks(answer: Buffer): readonly LinkState[] {
  return readMessages(answer, kinds.link, 16).map(({ body, attributes }) => ({
    index: u32(body, 4),
    name: (attributes.get(3) ?? Buffer.alloc(0)).toString("latin1").replace(/\0.*$/s, ""),
    macAddress: Array.from(attributes.get(1) ?? [], (octet) => octet.toString(16).padStart(2, "0")).join(":"),
    mtuBytes: number(attributes.get(4)),
    isUp: (u32(body, 8) & 1) !== 0,
    master: number(attributes.get(10)),
  }));
}

export function parseAddresses(answer: Buffer): readonly AddressEntry[] {
  return readMessages(answer, kinds.address, 8).map(({ body, attributes }) => {
    const flags = number(attributes.get(8)) || (body[2] ?? 0);
    return {
      index: u32(body, 4),
      // IPv4 says its own address in LOCAL and the other end's in ADDRESS; IPv6 usually has only ADDRESS.
      address: addressText(attributes.get(2) ?? attributes.get(1) ?? Buffer.alloc(4)),
      prefixLength: body[1] ?? 0,
      scope: body[3] === 253 ? "link" : "global",
      isDynamic: (flags & permanentFlag) === 0,
      isDadFailed: (flags & dadFailedFlag) !== 0,
    };
  });
}

/** The routes of an answer as they came: fixed part and attributes. */
export const readRoutes = (answer: Buffer): readonly Part[] => readMessages(answer, kinds.route, 12);

/** Unicast routes of the main table; `names` from the indexes of the same namespace. */
export function parseRouteAnswer(answer: Buffer, ipVersion: 4 | 6, names: ReadonlyMap<number, string>): readonly RouteState[] {
  const everything = ipVersion === 4 ? "0.0.0.0/0" : "::/0";
  const bits = ipVersion === 4 ? 32 : 128;
  return readMessages(answer, kinds.route, 12).flatMap(({ body, attributes }) => {
    const table = number(attributes.get(15)) || (body[4] ?? 0);
    if (table !== mainTable || body[7] !== unicast || (u32(body, 8) & clonedFlag) !== 0) return [];
    const destination = attributes.get(1);
    const prefixLength = body[1] ?? 0;
    const gateway = attributes.get(5);
    return {
      destination: destination === undefined ? everything : destinationText(addressText(destination), prefixLength, bits),
      gateway: gateway === undefined ? undefined : addressText(gateway),
      device: names.get(number(attributes.get(4))) ?? "",
      isStatic: body[5] === staticProtocol,
    };
  });
}

const destinationText = (address: string, prefixLength: number, bits: number): string =>
  prefixLength === bits ? address : `${address}/${prefixLength}`;
