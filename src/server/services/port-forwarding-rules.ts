// What a port forwarding must fulfil by itself: its protocol and its ports.
import { ApiFault } from "../../types/api-faults.ts";
import type { PortForwardingRow } from "../store/rows.ts";
import type { Attributes } from "./resource-service.ts";
import { number, text } from "./service-deps.ts";

type Ports = Pick<PortForwardingRow, "internal_first" | "internal_last" | "external_first" | "external_last">;

interface Range {
  readonly first: number;
  readonly last: number;
}

const portless = new Set(["icmp", "ipv6-icmp"]);

const refuse = (why: string): ApiFault => new ApiFault("BadRequest", why);

/** @param before what an update that does not speak of ports keeps */
export function forwardedPorts(body: Attributes, protocol: string, before?: Ports): Ports {
  if (protocol === "ipv6-icmp") throw refuse("A floating IP is an IPv4 address: ipv6-icmp cannot be forwarded.");
  const external = askedRange(body, "external") ?? keptRange(body, "external", before?.external_first, before?.external_last);
  const internal = askedRange(body, "internal") ?? keptRange(body, "internal", before?.internal_first, before?.internal_last);
  if (portless.has(protocol)) {
    const isSaid = askedRange(body, "external") !== undefined || askedRange(body, "internal") !== undefined;
    if (isSaid) throw refuse(`Protocol ${protocol} has no ports.`);
    return { internal_first: null, internal_last: null, external_first: null, external_last: null };
  }
  if (external === undefined || internal === undefined) {
    throw refuse(`Protocol ${protocol} needs an external and an internal port or port range.`);
  }
  checkSizes(external, internal);
  return {
    internal_first: internal.first,
    internal_last: internal.last,
    external_first: external.first,
    external_last: external.last,
  };
}

function askedRange(body: Attributes, side: "external" | "internal"): Range | undefined {
  const port = number(body[`${side}_port`]);
  const range = text(body[`${side}_port_range`]);
  if (port !== undefined && range !== undefined && range !== `${port}:${port}`) {
    throw refuse(`${side}_port and ${side}_port_range cannot be given together.`);
  }
  if (port !== undefined) return { first: port, last: port };
  const [first, last] = (range ?? "").split(":").map(Number);
  return first === undefined || last === undefined ? undefined : { first, last };
}

function keptRange(
  body: Attributes,
  side: "external" | "internal",
  first: number | null | undefined,
  last: number | null | undefined,
): Range | undefined {
  // Null and nothing else clears.
  const isCleared = body[`${side}_port`] === null && body[`${side}_port_range`] === null;
  if (isCleared || first === undefined || first === null || last === undefined || last === null) return undefined;
  return { first, last };
}

const sizeOf = ({ first, last }: Range): number => last - first + 1;

function checkSizes(external: Range, internal: Range): void {
  if (sizeOf(internal) === 1 || sizeOf(internal) === sizeOf(external)) return;
  throw refuse(
    `Internal port range ${internal.first}:${internal.last} and external port range ${external.first}:${external.last} do not fit: the internal one is a single port or as large as the external one.`,
  );
}

const overlaps = (a: Range | undefined, b: Range | undefined): boolean =>
  a === undefined || b === undefined ? a === b : a.first <= b.last && b.first <= a.last;

const rangeOf = (first: number | null, last: number | null): Range | undefined =>
  first === null || last === null ? undefined : { first, last };

/** @param others of the same floating IP or the same internal port. */
export function checkDistinct(row: PortForwardingRow, others: readonly PortForwardingRow[]): void {
  for (const other of others) {
    if (other.id === row.id || other.protocol !== row.protocol) continue;
    const outside = (one: PortForwardingRow) => rangeOf(one.external_first, one.external_last);
    const inside = (one: PortForwardingRow) => rangeOf(one.internal_first, one.internal_last);
    if (other.floatingip_id === row.floatingip_id && overlaps(outside(row), outside(other))) {
      throw duplicate(row, other, "external port");
    }
    const isSameTarget =
      other.internal_port_id === row.internal_port_id && other.internal_ip_address === row.internal_ip_address;
    if (isSameTarget && overlaps(inside(row), inside(other))) throw duplicate(row, other, "internal port");
  }
}

function duplicate(row: PortForwardingRow, other: PortForwardingRow, what: string): ApiFault {
  return refuse(
    `A duplicate port forwarding entry with same attributes already exists: ${what} with protocol ${row.protocol} is used by port forwarding ${other.id}.`,
  );
}
