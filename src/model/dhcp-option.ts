// An extra DHCP option of a port: what a tenant may write, and whether a DHCP server can make sense of it. Asked by the API,
// which refuses, and again by the agent, because the text ends in a file of dnsmasq where a line break would be a line of
// configuration of its own, and where a value that does not parse would be left out without a word.
import { isIPv4, isIPv6 } from "node:net";
import { findOptionByCode, findOptionByName, isProtocolCode, type OptionValueKind } from "./dhcp-option-table.ts";
import type { ExtraDhcpOption } from "./network.ts";

export interface ReadOption {
  /** Sent only to clients with all of these tags; `!ipxe`: only to those without. */
  readonly tags: readonly string[];
  readonly code: number;
  /** As the tenant wrote it, when every server knows it by that. */
  readonly name: string | undefined;
  /** Empty: nothing is to be told, not even what the subnet has. */
  readonly value: string;
}

export interface OptionRefusal {
  readonly reason: string;
}

export interface OptionName {
  readonly tags: readonly string[];
  /** Said by `option:` or `option6:` in front. */
  readonly ipVersion: 4 | 6 | undefined;
  /** A name or a number in decimal. */
  readonly name: string;
}

const nameGrammar = /^((?:tag:!?[a-z0-9_.-]{1,64},)*)(?:(option6?):)?([a-z0-9][a-z0-9_+-]{0,63})$/i;

/** `tag:ipxe,bootfile-name`, `67`, `option6:dns-server`; undefined when it is none of the kind. */
export function parseOptionName(text: string): OptionName | undefined {
  const [, tags = "", prefix, name] = nameGrammar.exec(text) ?? [];
  if (name === undefined) return undefined;
  const ipVersion = prefix === undefined ? undefined : prefix.toLowerCase() === "option6" ? 6 : 4;
  return { tags: tags.split(",").flatMap((tag) => (tag === "" ? [] : [tag.slice(4)])), ipVersion, name };
}

/** The client-id tells who the client is; it is nothing that a server sends. */
export function isClientId({ optName }: Pick<ExtraDhcpOption, "optName">): boolean {
  const name = parseOptionName(optName)?.name.toLowerCase();
  return name === "client-id" || name === "61";
}

const isNumber = (text: string): boolean => /^\d{1,5}$/.test(text);

/** Router and classless-static-route, which every client of a subnet is told: empty, they keep a port from its subnet's. */
const withheld: ReadonlySet<number> = new Set([3, 121]);

/** What the option means to a DHCP server, or why it means nothing. */
export function readDhcpOption(option: ExtraDhcpOption): ReadOption | OptionRefusal {
  const { optName, optValue, ipVersion } = option;
  const parsed = parseOptionName(optName);
  if (parsed === undefined) return { reason: `${quoted(optName)} is not the name or number of a DHCP option` };
  if (parsed.ipVersion !== undefined && parsed.ipVersion !== ipVersion) {
    return { reason: `${quoted(optName)} is not an option of IPv${ipVersion}` };
  }
  const { name, tags } = parsed;
  const known = isNumber(name) ? findOptionByCode(ipVersion, Number(name)) : findOptionByName(ipVersion, name);
  const code = known?.code ?? (isNumber(name) ? Number(name) : undefined);
  const isByName = !isNumber(name) && known?.isOnlyNumber === false;
  if (optValue === "" && ipVersion === 4 && code !== undefined && withheld.has(code)) {
    return { tags, code, name: isByName ? name : undefined, value: "" };
  }
  const textReason = refuseText(optValue);
  if (textReason !== undefined) return { reason: `the value of ${quoted(optName)} ${textReason}` };
  // Any text can be an identifier.
  if (isClientId(option)) return { tags, code: 61, name: "client-id", value: optValue };

  if (code === undefined) {
    return { reason: `${quoted(name)} is not the name of an option of DHCPv${ipVersion}; it may have a number` };
  }
  if (code > (ipVersion === 4 ? 255 : 65_535) || isProtocolCode(ipVersion, code)) {
    return { reason: `option ${code} of DHCPv${ipVersion} is not for a port to set` };
  }
  const kind = known?.kind ?? "any";
  if (!isValueOf(kind, ipVersion, optValue))
    return { reason: `${quoted(optValue)} is not a value of ${quoted(name)}: ${kind}` };
  // A capital letter in a domain makes dnsmasq look for international names, and refuse what only looks like one.
  const value = kind === "domains" || kind === "addresses-or-domains" ? optValue.toLowerCase() : optValue;
  return { tags, code, name: isByName ? name : undefined, value };
}

const quoted = (text: string): string => JSON.stringify(text.slice(0, 80));

/** dnsmasq's own quotes and comments would make another text of it; what is left is printable ASCII, as RFC 2132 has it. */
function refuseText(text: string): string | undefined {
  if (text === "") return "is empty";
  if (text.length > 255) return "is longer than 255 bytes";
  if (!/^[ -~]+$/.test(text)) return "has characters that are not printable ASCII";
  if (text.includes('"')) return "has a double quote";
  if (text.startsWith(" ") || text.endsWith(" ") || text.includes(" #")) return "has a space at an end, or before #";
  return undefined;
}

const label = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?";
const domain = new RegExp(`^(?=.{1,253}$)${label}(?:\\.${label})*$`, "i");
const hexBytes = /^[0-9a-f]{1,2}(?::[0-9a-f]{1,2})+$/i;

const items = (text: string): readonly string[] => text.split(",");
const isAddress6 = (text: string): boolean => isIPv6(text.replace(/^\[(.*)\]$/, "$1")) && !text.includes("%");
const isNetwork4 = (text: string): boolean => {
  const [address = "", length = "32", ...more] = text.split("/");
  return isIPv4(address) && more.length === 0 && /^\d{1,2}$/.test(length) && Number(length) <= 32;
};

function isValueOf(kind: OptionValueKind, ipVersion: 4 | 6, value: string): boolean {
  switch (kind) {
    case "addresses":
      return items(value).every((item) => (ipVersion === 4 ? isIPv4(item) : isAddress6(item)));
    case "domains":
      // The limit of one option: each label takes a byte of length, each name one more at its end.
      return items(value).every((item) => domain.test(item)) && value.length + items(value).length < 255;
    case "addresses-or-domains":
      return (isValueOf("addresses", ipVersion, value) && value.length < 255) || hasOnlyNames(value, ipVersion);
    case "number1":
      return isUnsigned(value, 255);
    case "number2":
      return isUnsigned(value, 65_535);
    case "number4":
      return isUnsigned(value, 4_294_967_295) || (/^-\d{1,10}$/.test(value) && Number(value) >= -2_147_483_648);
    case "time":
      return /^\d{1,7}[smhd]?$/i.test(value);
    case "text":
      return true;
    case "texts":
      return items(value).every((item) => item.trim() !== "");
    case "bytes":
      return !/^\d+[bsi]?$/.test(value) && isAnything(ipVersion, value);
    case "any":
      return isAnything(ipVersion, value);
  }
}

const isUnsigned = (text: string, max: number): boolean => /^\d{1,10}$/.test(text) && Number(text) <= max;

/** A name without any letter would be read as an address that is not one. */
function hasOnlyNames(value: string, ipVersion: 4 | 6): boolean {
  return isValueOf("domains", ipVersion, value) && /[g-z]/i.test(value);
}

/** Where the kind of the option says nothing, the look of the value decides what it is; it must then be that. */
function isAnything(ipVersion: 4 | 6, value: string): boolean {
  if (/^\d+[bsi]?$/.test(value)) return Number.parseInt(value, 10) <= 2_147_483_647;
  // Hex digits and colons are bytes, also when they look like an address: brackets make it one.
  if (/^[0-9a-f:]+$/i.test(value) && value.includes(":")) return hexBytes.test(value);
  if (ipVersion === 4 && /^[0-9., /]+$/.test(value) && /\d/.test(value) && !value.startsWith("/")) {
    return items(value).every(isNetwork4);
  }
  if (ipVersion === 6 && /^[0-9a-f:.,[\] ]+$/i.test(value) && value.includes(":")) {
    return items(value).every(isAddress6);
  }
  return true;
}
