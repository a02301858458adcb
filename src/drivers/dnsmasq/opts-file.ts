// Lines of `opts` that tell the clients of each subnet where its name servers, routers and routes are.
import { ipVersionOf } from "../../linux/addresses.ts";
import type { MetadataPlan } from "../../model/metadata-plan.ts";
import type { NetworkView, Port, Subnet } from "../../model/network.ts";
import { currentFeatures, type DnsmasqFeatures } from "./dnsmasq-version.ts";
import { checkAddress, checkLine, isAddressOf } from "./grammar.ts";
import type { Note } from "./notes.ts";
import { chooseRoutes, gatewayOf } from "./routes.ts";
import { serviceOf } from "./subnet-service.ts";

export interface OptsContext {
  readonly view: NetworkView;
  /** All agents' DHCP ports of this network, this agent's included. */
  readonly dhcpPorts: readonly Port[];
  /** This agent's own. */
  readonly dhcpPort: Port;
  readonly domain: string;
  readonly metadata: MetadataPlan;
  readonly features?: DnsmasqFeatures | undefined;
}

export interface SubnetOptions {
  readonly lines: readonly string[];
  readonly notes: readonly Note[];
}

/** For every subnet that is served, also those on which this agent has no address: its clients may come over a relay. */
export function buildSubnetOptions(context: OptsContext): SubnetOptions {
  const notes: Note[] = [];
  const lines = context.view.subnets
    .filter((subnet) => serviceOf(subnet, context.features ?? currentFeatures) !== "nothing")
    .flatMap((subnet) => (subnet.ipVersion === 4 ? ipv4Options(context, subnet, notes) : ipv6Options(context, subnet)));
  return { lines: lines.map(checkLine), notes };
}

function addressesOn(port: Port, subnet: Subnet): readonly string[] {
  return port.fixedIps.filter((ip) => ip.subnetId === subnet.id).map((ip) => ip.ipAddress);
}

function bracketed(address: string): string {
  return ipVersionOf(checkAddress(address)) === 4 ? address : `[${address}]`;
}

/** As many as a client would ever ask, and as surely fit into a line. */
const maxServers = 16;

/** `undefined`: no line, so that dnsmasq names itself. Empty: the client is told that there is none. */
function dnsServers(context: OptsContext, subnet: Subnet): readonly string[] | undefined {
  const { dnsNameservers, ipVersion } = subnet;
  if (dnsNameservers.length === 1 && (dnsNameservers[0] === "0.0.0.0" || dnsNameservers[0] === "::")) return [];
  const given = dnsNameservers.filter((server) => isAddressOf(ipVersion, server));
  if (given.length > 0) return given.slice(0, maxServers).map(bracketed);
  const agents = context.dhcpPorts.flatMap((port) => addressesOn(port, subnet)).sort();
  return agents.length >= 2 ? agents.slice(0, maxServers).map(bracketed) : undefined;
}

function optionLine(subnet: Subnet, option: string, values: readonly string[]): string {
  return [`tag:subnet-${subnet.id}`, option, ...values].join(",");
}

function ipv4Options(context: OptsContext, subnet: Subnet, notes: Note[]): readonly string[] {
  const lines: string[] = [];
  const servers = dnsServers(context, subnet);
  if (servers !== undefined) lines.push(optionLine(subnet, "option:dns-server", servers));
  if (context.domain !== "") {
    lines.push(
      optionLine(subnet, "option:domain-name", [context.domain]),
      optionLine(subnet, "option:domain-search", [context.domain]),
    );
  }
  const { routes, omitted } = chooseRoutes({ ...context, subnet });
  if (routes.length > 0) {
    const values = routes.flatMap((route) => [route.destination, route.nexthop]);
    lines.push(optionLine(subnet, "option:classless-static-route", values), optionLine(subnet, "249", values));
  }
  if (omitted.length > 0) {
    const text = `${omitted.length} routes have no room in a DHCP option and are not sent, ${omitted[0]?.destination} first`;
    notes.push({ level: "warn", subnetId: subnet.id, text });
  }
  const gateway = gatewayOf(subnet);
  // No value: else dnsmasq would name itself as the router.
  lines.push(optionLine(subnet, "option:router", gateway === null ? [] : [gateway]));
  return lines;
}

function ipv6Options(context: OptsContext, subnet: Subnet): readonly string[] {
  const lines: string[] = [];
  const servers = dnsServers(context, subnet);
  if (servers !== undefined) lines.push(optionLine(subnet, "option6:dns-server", servers));
  if (context.domain !== "") lines.push(optionLine(subnet, "option6:domain-search", [context.domain]));
  return lines;
}
