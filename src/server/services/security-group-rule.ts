// One rule of a security group as a client wrote it → the columns that are stored. Rules that need no other object.
import { formatAddress, formatCidr, parseAddress, parseCidr } from "../../model/addresses.ts";
import { hasPorts, isIcmp, isOfIpv6Only, protocolNames, protocolNumber } from "../../model/ip-protocols.ts";
import { ApiFault } from "../../types/api-faults.ts";
import { quoted } from "../../types/resources/values.ts";
import { columnIn, type ListedTable } from "../store/list-rows.ts";
import type { RuleColumns } from "../store/schema-kept.ts";
import type { Attributes } from "./resource-service.ts";
import { number, text } from "./service-deps.ts";

export type RuleMatch = Pick<
  RuleColumns,
  | "direction"
  | "ethertype"
  | "protocol"
  | "port_range_min"
  | "port_range_max"
  | "remote_group_id"
  | "remote_address_group_id"
  | "remote_ip_prefix"
  | "normalized_cidr"
  | "match_key"
>;

/** Throws the faults that the API has for rules which say nothing sensible. */
export function readRule(body: Attributes): RuleMatch {
  const ethertype = readEthertype(text(body["ethertype"]) ?? "IPv4");
  const protocol = readProtocol(text(body["protocol"]) ?? null, ethertype);
  const [first, last] = readRange(protocol, number(body["port_range_min"]) ?? null, number(body["port_range_max"]) ?? null);
  const remoteGroup = text(body["remote_group_id"]) ?? null;
  const addressGroup = text(body["remote_address_group_id"]) ?? null;
  const prefix = text(body["remote_ip_prefix"]) ?? null;
  if ([remoteGroup, addressGroup, prefix].filter((remote) => remote !== null).length > 1) {
    throw new ApiFault(
      "SecurityGroupMultipleRemoteEntites",
      "Only one of remote_ip_prefix, remote_group_id and remote_address_group_id may be given.",
    );
  }
  return withKey({
    direction: text(body["direction"]) ?? "ingress",
    ethertype,
    protocol,
    port_range_min: first,
    port_range_max: last,
    remote_group_id: remoteGroup,
    remote_address_group_id: addressGroup,
    ...readPrefix(prefix, ethertype),
  });
}

/** A rule with another remote group: of a template whose PARENT is known now. */
export function withRemoteGroup(rule: RuleMatch, remoteGroup: string | null): RuleMatch {
  return withKey({ ...rule, remote_group_id: remoteGroup });
}

const everyAddress: ReadonlySet<string | null> = new Set(["0.0.0.0/0", "::/0"]);

/** Spellings of the same protocol are the same; a remote that is every address is none. */
function withKey(match: Omit<RuleMatch, "match_key">): RuleMatch {
  const key = [
    match.direction,
    match.ethertype,
    match.protocol === null ? null : protocolNumber(match.protocol),
    match.port_range_min,
    match.port_range_max,
    match.remote_group_id,
    match.remote_address_group_id,
    everyAddress.has(match.normalized_cidr) ? null : match.normalized_cidr,
  ];
  return { ...match, match_key: JSON.stringify(key) };
}

/** Also of filters: any case is taken; `undefined` for what is none. */
export const ethertypeOf = (value: string): string | undefined =>
  ["IPv4", "IPv6"].find((known) => known.toLowerCase() === value.toLowerCase());

function readEthertype(value: string): string {
  const known = ethertypeOf(value);
  if (known !== undefined) return known;
  const message = `Security group rule for ethertype ${quoted(value)} not supported. Allowed values are ['IPv4', 'IPv6'].`;
  throw new ApiFault("SecurityGroupRuleInvalidEtherType", message);
}

/** `undefined` for what is no protocol; null for all of them. */
export function protocolOf(value: string): string | null | undefined {
  const name = value.toLowerCase();
  if (name === "any" || /^0{1,3}$/.test(name)) return null;
  const known = protocolNumber(name);
  if (known === undefined) return undefined;
  return /^\d/.test(name) ? String(known) : name;
}

function readProtocol(value: string | null, ethertype: string): string | null {
  if (value === null) return null;
  const protocol = protocolOf(value);
  if (protocol === undefined) {
    const message = `Security group rule protocol ${quoted(value)} not supported. Only protocol values any, ${protocolNames.join(", ")} and integer representations [0 to 255] are supported.`;
    throw new ApiFault("SecurityGroupRuleInvalidProtocol", message);
  }
  // People write icmp for both families.
  if (ethertype === "IPv6" && (protocol === "icmp" || protocol === "icmpv6")) return "ipv6-icmp";
  if (ethertype === "IPv4" && protocol !== null && isOfIpv6Only(protocolNumber(protocol) ?? 0)) {
    const message = `Invalid ethertype ${ethertype} for protocol ${protocol}.`;
    throw new ApiFault("SecurityGroupEthertypeConflictWithProtocol", message);
  }
  return protocol;
}

type Range = readonly [first: number | null, last: number | null];

const maxPort = 65_535;

function readRange(protocol: string | null, first: number | null, last: number | null): Range {
  if (first === null && last === null) return [null, null];
  for (const port of [first, last]) if (port !== null && (port < 0 || port > maxPort)) throw invalidPort(port);
  if (protocol === null) {
    throw new ApiFault("SecurityGroupProtocolRequiredWithPorts", "Must also specify protocol if port range is given.");
  }
  const known = protocolNumber(protocol) ?? 0;
  if (hasPorts(known)) return portRange(first, last);
  if (isIcmp(known)) return icmpRange(first, last);
  // All ports of a protocol without ports: that is the whole of it, as some clients write it.
  if (first !== null && first <= 1 && last === maxPort) return [null, null];
  throw new ApiFault(
    "SecurityGroupInvalidProtocolForPort",
    `Invalid protocol ${protocol} for port range, only supported for protocols tcp, udp, sctp, dccp and udplite.`,
  );
}

function invalidPort(port: number): ApiFault {
  return new ApiFault("SecurityGroupInvalidPortValue", `Invalid value for port ${port}.`);
}

function portRange(first: number | null, last: number | null): Range {
  if (first === 0 || last === 0) throw invalidPort(0);
  if (first !== null && last !== null && first <= last) return [first, last];
  const message = "For TCP/UDP protocols, port_range_min must be <= port_range_max, and both must be given.";
  throw new ApiFault("SecurityGroupInvalidPortRange", message);
}

function icmpRange(type: number | null, code: number | null): Range {
  for (const [field, attribute, value] of [
    ["type", "port_range_min", type],
    ["code", "port_range_max", code],
  ] as const) {
    if (value === null || value <= 255) continue;
    const message = `Invalid value for ICMP ${field} (${attribute}) ${value}. It must be 0 to 255.`;
    throw new ApiFault("SecurityGroupInvalidIcmpValue", message);
  }
  if (type !== null) return [type, code];
  const message = `ICMP code (port-range-max) ${code} is provided but ICMP type (port-range-min) is missing.`;
  throw new ApiFault("SecurityGroupMissingIcmpType", message);
}

function readPrefix(value: string | null, ethertype: string): Pick<RuleMatch, "remote_ip_prefix" | "normalized_cidr"> {
  if (value === null) return { remote_ip_prefix: null, normalized_cidr: null };
  const prefix = prefixOf(value);
  if (prefix === undefined) throw new ApiFault("InvalidCIDR", `Invalid CIDR ${quoted(value)} given as IP prefix.`);
  if (ethertype !== `IPv${prefix.version}`) {
    const message = `Conflicting value ethertype ${ethertype} for CIDR ${prefix.text}`;
    throw new ApiFault("SecurityGroupRuleParameterConflict", message);
  }
  return { remote_ip_prefix: prefix.text, normalized_cidr: prefix.network };
}

interface Prefix {
  readonly version: 4 | 6;
  /** With the bits of a host that a client gave. */
  readonly text: string;
  readonly network: string;
}

/** `undefined` for what is neither an address nor <address>/<length>. */
export function prefixOf(value: string): Prefix | undefined {
  const address = parseAddress(value.split("/", 1)[0] ?? "");
  if (address === undefined) return undefined;
  const whole = value.includes("/") ? value : `${value}/${address.version === 4 ? 32 : 128}`;
  const block = parseCidr(whole);
  if (block === undefined) return undefined;
  return {
    version: address.version,
    text: `${formatAddress(address)}/${block.prefixLength}`,
    network: formatCidr(block),
  };
}

/** What rules and templates are listed by. */
export const ruleColumns = {
  id: "id",
  description: "description",
  direction: "direction",
  ethertype: "ethertype",
  protocol: "protocol",
  port_range_min: "port_range_min",
  port_range_max: "port_range_max",
  remote_group_id: "remote_group_id",
  remote_ip_prefix: "remote_ip_prefix",
  remote_address_group_id: "remote_address_group_id",
  revision_number: "revision_number",
  created_at: "created_at",
  updated_at: "updated_at",
} as const;

/** Filters of rules and templates find what was written in another way, too. */
export const ruleFilters: ListedTable["filters"] = {
  ethertype: (values) =>
    columnIn(
      "ethertype",
      values.map((value) => ethertypeOf(String(value)) ?? value),
    ),
  protocol: (values) =>
    columnIn(
      "protocol",
      values.map((value) => storedProtocol(String(value))),
    ),
  remote_ip_prefix: (values) =>
    columnIn(
      "remote_ip_prefix",
      values.map((value) => prefixOf(String(value))?.text ?? value),
    ),
};

function storedProtocol(value: string): string | null {
  const protocol = protocolOf(value);
  return protocol === undefined ? value : protocol;
}
