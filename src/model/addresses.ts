// Address arithmetic on bigint. Text is canonical (dotted quad, RFC 5952); keys are fixed-width hex, so that they sort as text.
import { Address6 } from "ip-address";

export type IpVersion = 4 | 6;

export interface Address {
  readonly version: IpVersion;
  readonly value: bigint;
}

/** A block of addresses with its host bits cleared. */
export interface Cidr {
  readonly version: IpVersion;
  readonly first: bigint;
  readonly last: bigint;
  readonly prefixLength: number;
}

/** Both ends belong to it. */
export interface AddressRange {
  readonly first: bigint;
  readonly last: bigint;
}

const dottedQuad = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const decimal = /^(?:0|[1-9]\d{0,2})$/;

export const bitsOf = (version: IpVersion): number => (version === 4 ? 32 : 128);

/** `undefined` for anything that is not one plain address: no prefix, no zone, no leading zeros in IPv4. */
export function parseAddress(text: string): Address | undefined {
  if (dottedQuad.test(text)) return { version: 4, value: ipv4Value(text) };
  if (!text.includes(":") || text.includes("/") || text.includes("%") || !Address6.isValid(text)) return undefined;
  return { version: 6, value: new Address6(text).bigInt() };
}

// Not through the library: this one runs for every address that is handed out or compared.
function ipv4Value(text: string): bigint {
  let value = 0;
  for (const octet of text.split(".")) value = value * 256 + Number(octet);
  return BigInt(value);
}

export function formatAddress({ version, value }: Address): string {
  if (version === 6) return Address6.fromBigInt(value).correctForm();
  const bits = Number(value);
  return [bits >>> 24, (bits >>> 16) & 255, (bits >>> 8) & 255, bits & 255].join(".");
}

/** The same address in canonical text, or `undefined`. */
export function canonicalAddress(text: string): string | undefined {
  const address = parseAddress(text);
  return address && formatAddress(address);
}

/** 8 digits for IPv4, 32 for IPv6. */
export function addressKey({ version, value }: Address): string {
  return value.toString(16).padStart(version === 4 ? 8 : 32, "0");
}

export function parseKey(key: string): Address {
  return { version: key.length === 8 ? 4 : 6, value: BigInt(`0x${key}`) };
}

/** Clears the host bits. `undefined` without a slash or with a prefix length that is out of range. */
export function parseCidr(text: string): Cidr | undefined {
  const [addressText = "", prefixText = "", ...rest] = text.split("/");
  const address = parseAddress(addressText);
  if (address === undefined || rest.length > 0 || !decimal.test(prefixText)) return undefined;
  const prefixLength = Number(prefixText);
  const bits = bitsOf(address.version);
  if (prefixLength > bits) return undefined;
  const hostMask = (1n << BigInt(bits - prefixLength)) - 1n;
  const first = address.value & ~hostMask;
  return { version: address.version, first, last: first | hostMask, prefixLength };
}

export function formatCidr({ version, first, prefixLength }: Cidr): string {
  return `${formatAddress({ version, value: first })}/${prefixLength}`;
}

export function contains(cidr: Cidr, address: Address): boolean {
  return cidr.version === address.version && inRange(cidr, address.value);
}

export const inRange = (range: AddressRange, value: bigint): boolean => value >= range.first && value <= range.last;

export function overlap(a: AddressRange, b: AddressRange): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/** What hosts may use: all of a one- or two-address block, otherwise not the network address, nor (IPv4) the broadcast address. */
export function usableRange(cidr: Cidr): AddressRange {
  const { version, first, last, prefixLength } = cidr;
  if (bitsOf(version) - prefixLength < 2) return { first, last };
  return { first: first + 1n, last: version === 4 ? last - 1n : last };
}

const macForms = /^(?:[0-9a-f]{12}|[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2})$/;

/** Lower case with colons; `undefined` for anything that is not six octets. Takes colons, dashes, Cisco dots or nothing between. */
export function normaliseMac(text: string): string | undefined {
  const lower = text.toLowerCase();
  if (!macForms.test(lower)) return undefined;
  return lower.replaceAll(/[:.-]/g, "").replaceAll(/(..)(?=.)/g, "$1:");
}

/** The octets that every generated MAC starts with: locally administered, known from the field. */
export const macPrefix = "fa:16:3e";

/** @param random three octets, fresh for every call. */
export function generateMac(random: Uint8Array): string {
  const tail = Array.from(random.subarray(0, 3), (octet) => octet.toString(16).padStart(2, "0"));
  return [macPrefix, ...tail].join(":");
}

/** The address that a host with this MAC gives itself in a /64 (RFC 4291, appendix A). */
export function eui64Address(cidr: Cidr, mac: string): Address {
  const digits = mac.replaceAll(":", "");
  const identifier = BigInt(`0x${digits.slice(0, 6)}fffe${digits.slice(6)}`) ^ (1n << 57n);
  return { version: 6, value: cidr.first | identifier };
}

/** The link-local address that a host with this MAC gives itself. */
export function addressOnLink(mac: string): string {
  const digits = mac.replaceAll(":", "");
  const flipped = (Number.parseInt(digits.slice(0, 2), 16) ^ 2).toString(16).padStart(2, "0");
  return `fe80::${flipped}${digits.slice(2, 4)}:${digits.slice(4, 6)}ff:fe${digits.slice(6, 8)}:${digits.slice(8)}`;
}
