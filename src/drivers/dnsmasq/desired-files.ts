// Everything that dnsmasq should have in memory for one network, as text: pure apart from a cache of lines per port.
import { errorText } from "../../base/errors.ts";
import type { PortId } from "../../model/ids.ts";
import type { NetworkView, Port } from "../../model/network.ts";
import type { DesiredDhcp } from "../dhcp-driver.ts";
import type { DnsmasqOptions } from "./dnsmasq-options.ts";
import { currentFeatures, type DnsmasqFeatures } from "./dnsmasq-version.ts";
import { buildPortOptions, type PortOptions } from "./extra-options.ts";
import { buildPortLines, type HostLine, type PortLines } from "./host-file.ts";
import { domainOf } from "./names.ts";
import type { Note } from "./notes.ts";
import { buildSubnetOptions } from "./opts-file.ts";

export interface DesiredFiles {
  /** No line twice: no two of them name the same address. */
  readonly hostLines: readonly string[];
  readonly dnsLines: readonly string[];
  readonly optsLines: readonly string[];
  readonly domain: string;
  /** Ports that no line can be written for; the others are complete. */
  readonly refused: readonly RefusedPort[];
  /** What else was left out, for the log: options of ports, routes. */
  readonly notes?: readonly Note[] | undefined;
}

export interface RefusedPort {
  readonly portId: PortId;
  readonly reason: string;
}

interface PortText {
  readonly lines: PortLines;
  readonly options: PortOptions;
}

const byId = (one: { readonly id: string }, other: { readonly id: string }): number => (one.id < other.id ? -1 : 1);

/**
 * Ports are immutable, so the lines of one are made once as long as the subnets stay. On a network of 1,000 ports this is
 * what keeps one more port cheap.
 */
export class DesiredFilesBuilder {
  readonly #options: DnsmasqOptions;
  readonly #features: DnsmasqFeatures;
  readonly #cache = new WeakMap<Port, { readonly key: string; readonly text: PortText }>();

  constructor(options: DnsmasqOptions, features: DnsmasqFeatures = currentFeatures) {
    this.#options = options;
    this.#features = features;
  }

  build({ view, dhcpPort, metadata }: DesiredDhcp): DesiredFiles {
    // In one order whatever the order given: equal models must give equal bytes.
    const subnets = view.subnets.toSorted(byId);
    const ports = view.ports.toSorted(byId);
    const domain = domainOf(view.network, this.#options.dnsDomain);
    const { texts, refused } = this.#portTexts({ ...view, subnets, ports }, domain);
    const { hostLines, dnsLines } = withoutDuplicates(texts);
    const dhcpPorts = [dhcpPort, ...ports.filter((port) => port.deviceOwner === "network:dhcp" && port.id !== dhcpPort.id)];
    const ordered = { ...view, subnets, ports };
    const shared = buildSubnetOptions({ view: ordered, dhcpPorts, dhcpPort, domain, metadata, features: this.#features });
    const optsLines = [...shared.lines, ...texts.flatMap(({ text }) => text.options.lines)];
    const notes = [...shared.notes, ...texts.flatMap(({ text }) => text.options.notes)];
    return { hostLines, dnsLines, optsLines, domain, refused, notes };
  }

  #portTexts(
    view: NetworkView,
    domain: string,
  ): { readonly texts: readonly OwnedText[]; readonly refused: readonly RefusedPort[] } {
    const subnets = new Map(view.subnets.map((subnet) => [subnet.id, subnet]));
    const context = { subnets, domain, features: this.#features };
    const key = JSON.stringify([
      domain,
      view.subnets.map((one) => [one.id, one.cidr, one.enableDhcp, one.ipv6AddressMode, one.ipv6RaMode]),
    ]);
    const texts: OwnedText[] = [];
    const refused: RefusedPort[] = [];
    for (const port of view.ports) {
      const cached = this.#cache.get(port);
      if (cached?.key === key) {
        texts.push({ port, text: cached.text });
        continue;
      }
      try {
        const options = buildPortOptions(port);
        const text = { lines: buildPortLines(port, options.lines.length > 0, context), options };
        this.#cache.set(port, { key, text });
        texts.push({ port, text });
      } catch (error) {
        // One port's bad text must not take the service from all the others.
        refused.push({ portId: port.id, reason: errorText(error) });
      }
    }
    return { texts, refused };
  }
}

interface OwnedText {
  readonly port: Port;
  readonly text: PortText;
}

/**
 * While events are on their way two ports may claim one address. The newer revision has it; dnsmasq would refuse the
 * second line, whichever that is.
 */
function withoutDuplicates(texts: readonly OwnedText[]): Pick<DesiredFiles, "hostLines" | "dnsLines"> {
  const owners = disputedOwners(texts);
  const hostLines: string[] = [];
  const dnsLines: string[] = [];
  for (const { port, text } of texts) {
    for (const line of text.lines.host) if (isOwner(owners, port, line)) hostLines.push(line.text);
    for (const line of text.lines.dns) if (isOwner(owners, port, line)) dnsLines.push(line.text);
  }
  return { hostLines, dnsLines };
}

function isOwner(owners: ReadonlyMap<string, Port>, port: Port, line: HostLine): boolean {
  return owners.size === 0 || line.addresses.every((address) => (owners.get(address) ?? port) === port);
}

/** Only addresses that more than one port claims: there are hardly ever any, and this runs for each port that is added. */
function disputedOwners(texts: readonly OwnedText[]): ReadonlyMap<string, Port> {
  const claimed = new Set<string>();
  const disputed = new Map<string, Port>();
  for (const { port } of texts) {
    for (const { ipAddress } of port.fixedIps) {
      if (claimed.has(ipAddress)) disputed.set(ipAddress, port);
      else claimed.add(ipAddress);
    }
  }
  if (disputed.size === 0) return disputed;
  for (const { port } of texts) {
    for (const { ipAddress } of port.fixedIps) {
      const owner = disputed.get(ipAddress);
      if (owner !== undefined && port.revision > owner.revision) disputed.set(ipAddress, port);
    }
  }
  return disputed;
}
