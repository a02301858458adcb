// Which elements a floating address has in the sets and maps of its router. Pure.
import { NetloomError } from "../../base/errors.ts";
import type { PortForwarding, PortRange } from "../../model/router.ts";
import type { FloatingAddress } from "../floating-ip-driver.ts";
import { floatingIpObjects } from "../l3-layout.ts";

export type ObjectName = (typeof floatingIpObjects)[keyof typeof floatingIpObjects]["name"];

/** `value` is empty in a set. All texts are as nft prints them. */
export interface Element {
  readonly object: ObjectName;
  readonly key: string;
  readonly value: string;
}

interface Span {
  readonly first: number;
  readonly last: number;
}

const names = Object.fromEntries(Object.entries(floatingIpObjects).map(([key, { name }]) => [key, name])) as {
  readonly [K in keyof typeof floatingIpObjects]: (typeof floatingIpObjects)[K]["name"];
};
const withPorts: ReadonlySet<string> = new Set(["tcp", "udp", "sctp", "dccp"]);

/** Throws NetloomError INVALID for what these maps cannot hold. */
export function elementsOf(wish: FloatingAddress): readonly Element[] {
  const address = ipv4(wish.address);
  const elements = new Map<string, Element>();
  const add = (object: ObjectName, key: string, value = ""): void => {
    elements.set(`${object} ${key}`, { object, key, value });
  };
  if (wish.fixedIp !== null) {
    const fixed = ipv4(wish.fixedIp);
    add(names.fipIn, address, fixed);
    add(names.fipOut, fixed, address);
    add(names.fipPair, `${address} . ${fixed}`);
  }
  const spans = new SpanCollector();
  // The newest last: it wins where two want the same external port.
  for (const forwarding of wish.forwardings.toSorted((one, other) => one.revision - other.revision)) {
    addForwarding(address, forwarding, add, spans);
  }
  for (const [object, key] of spans.keys()) add(object, key);
  return [...elements.values()];
}

type Add = (object: ObjectName, key: string, value?: string) => void;

function addForwarding(address: string, forwarding: PortForwarding, add: Add, spans: SpanCollector): void {
  const { protocol, externalPorts: external, internalPorts: internal } = forwarding;
  const inside = ipv4(forwarding.internalIp);
  const own = `${address} . ${protocol}`;
  if (protocol === "icmp") {
    add(names.pfIcmp, own, inside);
    add(names.pfIcmpPair, `${own} . ${inside}`);
    return;
  }
  if (!withPorts.has(protocol) || external === null || internal === null) {
    throw new NetloomError("INVALID", `port forwarding ${forwarding.id}: ${protocol} cannot be forwarded like this`);
  }
  checkRanges(forwarding, external, internal);
  addLookup(add, { own, inside, external, internal });
  if (external.first === external.last) add(names.pfSeen, `${own} . ${external.first} . ${inside}`);
  else spans.add(names.pfSeenRange, `${own} . `, ` . ${inside}`, external);
  if (internal.first === internal.last) add(names.pfBack, `${own} . ${inside} . ${internal.first}`);
  else spans.add(names.pfBackRange, `${own} . ${inside} . `, "", internal);
}

interface Forwarded {
  readonly own: string;
  readonly inside: string;
  readonly external: PortRange;
  readonly internal: PortRange;
}

function addLookup(add: Add, { own, inside, external, internal }: Forwarded): void {
  if (external.first === external.last) add(names.pf, `${own} . ${external.first}`, `${inside} . ${internal.first}`);
  else if (internal.first === internal.last)
    add(names.pfRange, `${own} . ${spanText(external)}`, `${inside} . ${internal.first}`);
  else if (internal.first === external.first) add(names.pfKeep, `${own} . ${spanText(external)}`, inside);
  else {
    // nft knows no "shifted by": each port says where it leads.
    const shift = internal.first - external.first;
    for (let port = external.first; port <= external.last; port += 1)
      add(names.pf, `${own} . ${port}`, `${inside} . ${port + shift}`);
  }
}

function checkRanges({ id }: PortForwarding, external: PortRange, internal: PortRange): void {
  const width = (range: PortRange): number => range.last - range.first;
  const isPort = (port: number): boolean => Number.isInteger(port) && port >= 1 && port <= 65_535;
  const areNumbers = [external.first, external.last, internal.first, internal.last].every(isPort);
  if (areNumbers && width(external) >= 0 && (width(internal) === 0 || width(internal) === width(external))) return;
  throw new NetloomError("INVALID", `port forwarding ${id}: its port ranges do not fit each other`);
}

/** Guards may overlap where forwardings do not; the kernel refuses overlapping intervals, so they are joined. */
class SpanCollector {
  readonly #groups = new Map<string, { object: ObjectName; before: string; after: string; spans: Span[] }>();

  add(object: ObjectName, before: string, after: string, span: Span): void {
    const name = `${object} ${before}*${after}`;
    const group = this.#groups.get(name) ?? { object, before, after, spans: [] };
    group.spans.push(span);
    this.#groups.set(name, group);
  }

  *keys(): Iterable<readonly [ObjectName, string]> {
    for (const { object, before, after, spans } of this.#groups.values())
      for (const span of joined(spans)) yield [object, `${before}${spanText(span)}${after}`];
  }
}

function joined(spans: readonly Span[]): readonly Span[] {
  const result: Span[] = [];
  for (const span of spans.toSorted((one, other) => one.first - other.first)) {
    const last = result.at(-1);
    if (last === undefined || span.first > last.last + 1) result.push(span);
    else result[result.length - 1] = { first: last.first, last: Math.max(last.last, span.last) };
  }
  return result;
}

const spanText = ({ first, last }: Span): string => (first === last ? String(first) : `${first}-${last}`);

/** Also keeps anything else than an address out of nft's language. */
function ipv4(text: string): string {
  const octets = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1) ?? [];
  if (octets.length === 4 && octets.every((octet) => Number(octet) < 256 && String(Number(octet)) === octet)) return text;
  throw new NetloomError("INVALID", `only IPv4 can be translated, not ${JSON.stringify(text.slice(0, 64))}`);
}
