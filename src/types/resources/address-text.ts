// Addresses as clients write them → the one text that the database compares. Rules that need a subnet are not here.
import { isIPv4, isIPv6 } from "node:net";

/** Canonical text of an IPv4 or IPv6 address; `undefined` for anything else, zone ids and IPv4-mapped addresses included. */
export function canonicalIp(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes("%")) return undefined;
  // The URL parser writes IPv6 as RFC 5952 asks, without the dotted form that inet_ntop keeps for ::a.b.c.d.
  const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1);
  return canonical.startsWith("::ffff:") && canonical.split(":").length === 5 ? undefined : canonical;
}

/** Canonical text with the host bits cleared; `undefined` when it is not `<address>/<length>`. */
export function canonicalCidr(text: string): string | undefined {
  const [, address = "", lengthText = ""] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const ip = canonicalIp(address);
  const length = Number(lengthText);
  if (ip === undefined) return undefined;
  if (isIPv4(ip)) return length <= 32 ? `${maskParts(ip.split(".").map(Number), 8, length).join(".")}/${length}` : undefined;
  if (length > 128) return undefined;
  const masked = maskParts(groupsOf(ip), 16, length).map((group) => group.toString(16));
  return `${canonicalIp(masked.join(":")) ?? "::"}/${length}`;
}

/** Canonical lower-case text with colons; takes colons, dashes, Cisco dots or nothing between the digits. */
export function canonicalMac(text: string): string | undefined {
  const spelled =
    /^[0-9a-f]{12}$/i.test(text) ||
    /^[0-9a-f]{2}([:-])[0-9a-f]{2}(\1[0-9a-f]{2}){4}$/i.test(text) ||
    /^[0-9a-f]{4}(\.[0-9a-f]{4}){2}$/i.test(text);
  if (!spelled) return undefined;
  const digits = text.toLowerCase().replaceAll(/[^0-9a-f]/g, "");
  return digits.replaceAll(/(..)(?!$)/g, "$1:");
}

/** Eight groups of canonical IPv6 text. */
function groupsOf(ip: string): number[] {
  const [head = "", tail] = ip.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16));
}

function maskParts(parts: readonly number[], bits: number, length: number): number[] {
  return parts.map((part, index) => {
    const kept = Math.min(Math.max(length - index * bits, 0), bits);
    return part & (((1 << kept) - 1) << (bits - kept));
  });
}
