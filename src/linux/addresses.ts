// The little address arithmetic that commands and dnsmasq's files need.
import { BlockList, isIP, SocketAddress } from "node:net";
import { NetloomError } from "../base/errors.ts";

export interface Cidr {
  readonly address: string;
  readonly prefixLength: number;
  readonly ipVersion: 4 | 6;
}

export function ipVersionOf(address: string): 4 | 6 {
  const version = isIP(address);
  if (version === 4 || version === 6) return version;
  throw new NetloomError("INVALID", `not an IP address: ${JSON.stringify(address.slice(0, 64))}`);
}

export function parseCidr(text: string): Cidr {
  const [address = "", prefix = ""] = text.split("/");
  const ipVersion = ipVersionOf(address);
  const prefixLength = Number(prefix);
  if (!/^\d{1,3}$/.test(prefix) || prefixLength > (ipVersion === 4 ? 32 : 128)) {
    throw new NetloomError("INVALID", `not a CIDR: ${JSON.stringify(text.slice(0, 64))}`);
  }
  return { address, prefixLength, ipVersion };
}

export function isInCidr(cidr: string, address: string): boolean {
  const { address: network, prefixLength, ipVersion } = parseCidr(cidr);
  if (ipVersionOf(address) !== ipVersion) return false;
  const family = ipVersion === 4 ? "ipv4" : "ipv6";
  const block = new BlockList();
  block.addSubnet(network, prefixLength, family);
  return block.check(address, family);
}

/** The kernel's own spelling, so that texts can be compared. */
export function canonicalAddress(address: string): string {
  return new SocketAddress({ address, family: ipVersionOf(address) === 4 ? "ipv4" : "ipv6" }).address;
}

export function netmaskOf(prefixLength: number): string {
  const mask = prefixLength === 0 ? 0 : (0xffffffff << (32 - prefixLength)) >>> 0;
  return [mask >>> 24, (mask >>> 16) & 255, (mask >>> 8) & 255, mask & 255].join(".");
}
