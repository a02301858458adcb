// Lines of `opts`: what clients of each subnet, and of ports with options of their own, are told.
import { ipVersionOf } from "../../linux/addresses.ts";
import type { HostRoute, NetworkView, Port, Subnet } from "../../model/network.ts";
import type { DnsmasqOptions } from "./dnsmasq-options.ts";
import { checkAddress, checkCidr, checkOptionName, checkOptionTag, checkOptionValue } from "./grammar.ts";
import { isClientId } from "./host-file.ts";
import { serviceOf } from "./subnet-service.ts";

const metadataCidr = "169.254.169.254/32";

const routerOwners: ReadonlySet<string> = new Set([
  "network:router_interface",
  "network:ha_router_replicated_interface",
  "network:router_interface_distributed",
]);

export interface OptsContext {
  readonly view: NetworkView;
  /** All agents' DHCP ports of this network, this agent's included. */
  readonly dhcpPorts: readonly Port[];
  /** This agent's own. */
  readonly dhcpPort: Port;
  readonly domain: string;
  readonly options: DnsmasqOptions;
}

export function buildSubnetOptions(context: OptsContext): readonly string[] {
  return context.view.subnets
    .filter((subnet) => serviceOf(subnet) !== "nothing")
    .flatMap((subnet) => (subnet.ipVersion === 4 ? ipv4Options(context, subnet) : ipv6Options(context, subnet)));
}

function addressesOn(port: Port, subnet: Subnet): readonly string[] {
  return port.fixedIps.filter((ip) => ip.subnetId === subnet.id).map((ip) => ip.ipAddress);
}

function bracketed(address: string): string {
  return ipVersionOf(checkAddress(address)) === 4 ? address : `[${address}]`;
}

/** `undefined`: no line, so that dnsmasq names itself. Empty: the client is told that there is none. */
function dnsServers(context: OptsContext, subnet: Subnet): readonly string[] | undefined {
  const [first] = subnet.dnsNameservers;
  if (first !== undefined) {
    const isNone = subnet.dnsNameservers.length === 1 && (first === "0.0.0.0" || first === "::");
    return isNone ? [] : subnet.dnsNameservers.map(bracketed);
  }
  const agents = context.dhcpPorts.flatMap((port) => addressesOn(port, subnet)).sort();
  return agents.length >= 2 ? agents.map(bracketed) : undefined;
}

function optionLine(subnet: Subnet, option: string, values: readonly string[]): string {
  return [`tag:subnet-${subnet.id}`, option, ...values].join(",");
}

function ipv4Options(context: OptsContext, subnet: Subnet): readonly string[] {
  const lines: string[] = [];
  const servers = dnsServers(context, subnet);
  if (servers !== undefined) lines.push(optionLine(subnet, "option:dns-server", servers));

  const byRoute = subnet.hostRoutes.find((route) => route.destination === "0.0.0.0/0")?.nexthop ?? null;
  const gateway = subnet.gatewayIp ?? byRoute;
  const routes = staticRoutes(context, subnet, gateway);
  if (routes.length > 0) {
    // Clients that know option 121 ignore option 3, so the default route must be in both.
    const all = gateway === null ? routes : [...routes, { destination: "0.0.0.0/0", nexthop: gateway }];
    const values = all.flatMap((route) => [checkCidr(route.destination), checkAddress(route.nexthop)]);
    lines.push(optionLine(subnet, "option:classless-static-route", values), optionLine(subnet, "249", values));
  }
  // No value: else dnsmasq would name itself as the router.
  lines.push(optionLine(subnet, "option:router", gateway === null ? [] : [checkAddress(gateway)]));
  return lines;
}

function staticRoutes(context: OptsContext, subnet: Subnet, gateway: string | null): readonly HostRoute[] {
  const neighbours = context.view.subnets
    .filter((other) => other.ipVersion === 4 && other.id !== subnet.id)
    .map((other) => ({ destination: other.cidr, nexthop: "0.0.0.0" }));
  const own = subnet.hostRoutes.filter((route) => route.destination !== "0.0.0.0/0");
  const metadata = metadataNexthop(context, subnet, gateway);
  const isSet = own.some((route) => route.destination === metadataCidr);
  return [
    ...neighbours,
    ...own,
    ...(metadata === undefined || isSet ? [] : [{ destination: metadataCidr, nexthop: metadata }]),
  ];
}

/** A subnet is isolated unless a router holds its gateway address. */
function metadataNexthop(context: OptsContext, subnet: Subnet, gateway: string | null): string | undefined {
  const isRouted = context.view.ports.some(
    (port) =>
      routerOwners.has(port.deviceOwner) &&
      port.fixedIps.some((ip) => ip.subnetId === subnet.id && ip.ipAddress === subnet.gatewayIp),
  );
  const { hasIsolatedMetadata, isMetadataForced } = context.options;
  if (isMetadataForced || (!isRouted && hasIsolatedMetadata)) return addressesOn(context.dhcpPort, subnet)[0];
  return isRouted && gateway !== null ? gateway : undefined;
}

function ipv6Options(context: OptsContext, subnet: Subnet): readonly string[] {
  const lines: string[] = [];
  const servers = dnsServers(context, subnet);
  if (servers !== undefined) lines.push(optionLine(subnet, "option6:dns-server", servers));
  if (context.domain !== "") lines.push(optionLine(subnet, "option6:domain-search", [context.domain]));
  return lines;
}

/** Options of the port itself; those for an IP version that the port has no address of are left out. */
export function buildPortOptions(port: Port): readonly string[] {
  const versions = new Set(port.fixedIps.map((ip) => ipVersionOf(ip.ipAddress)));
  return port.extraDhcpOpts
    .filter((option) => !isClientId(option) && versions.has(option.ipVersion))
    .map(({ optName, optValue, ipVersion }) => {
      // `tag:ipxe,bootfile-name`: only for clients that carry these tags too.
      const names = optName.split(",");
      const name = checkOptionName(names.pop() ?? "");
      const tags = names.map((tag) => `tag:${checkOptionTag(tag.replace(/^tag:/, ""))}`);
      const isNumber = /^\d+$/.test(name);
      const option = ipVersion === 6 ? `option6:${name}` : isNumber ? name : `option:${name}`;
      return [`tag:port-${port.id}`, ...tags, option, checkOptionValue(optValue)].join(",");
    });
}
