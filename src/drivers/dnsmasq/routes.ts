// Routes that the clients of an IPv4 subnet are told by options 121 and 249.
import { isIsolated, metadataIpv4, type MetadataPlan } from "../../model/metadata-plan.ts";
import type { HostRoute, NetworkView, Port, Subnet } from "../../model/network.ts";
import { isAddressOf, isNetwork4 } from "./grammar.ts";

const metadataCidr = `${metadataIpv4}/32`;
const everywhere = "0.0.0.0/0";

export interface RouteContext {
  readonly view: NetworkView;
  readonly subnet: Subnet;
  /** This agent's own. */
  readonly dhcpPort: Port;
  readonly metadata: MetadataPlan;
}

/** The subnet's own, else that of its route to everywhere; null: none. */
export function gatewayOf(subnet: Subnet): string | null {
  const byRoute = subnet.hostRoutes.find((route) => route.destination === everywhere)?.nexthop ?? null;
  const gateway = subnet.gatewayIp ?? byRoute;
  return gateway !== null && isAddressOf(4, gateway) ? gateway : null;
}

export interface ChosenRoutes {
  /** Empty: clients have all they need in the router option. */
  readonly routes: readonly HostRoute[];
  /** Those for which the option has no room. */
  readonly omitted: readonly HostRoute[];
}

export function chooseRoutes(context: RouteContext): ChosenRoutes {
  const { subnet } = context;
  const gateway = gatewayOf(subnet);
  const own = subnet.hostRoutes.filter(
    ({ destination, nexthop }) => destination !== everywhere && isNetwork4(destination) && isAddressOf(4, nexthop),
  );
  const nexthop = own.some((route) => route.destination === metadataCidr) ? undefined : metadataNexthop(context, gateway);
  const metadata = nexthop === undefined ? [] : [{ destination: metadataCidr, nexthop }];
  const wanted = [...neighbours(context), ...own];
  if (wanted.length + metadata.length === 0) return { routes: [], omitted: [] };
  // Clients that know option 121 ignore option 3, so the default route must be in both.
  const fixed = [...metadata, ...(gateway === null ? [] : [{ destination: everywhere, nexthop: gateway }])];
  let room = optionBytes - fixed.reduce((sum, route) => sum + encodedBytes(route), 0);
  let text = lineBytes - fixed.reduce((sum, route) => sum + textBytes(route), 0);
  const omitted: HostRoute[] = [];
  // What the tenant asked for comes before what only saves a hop; each keeps its place in the list.
  const kept = new Set<HostRoute>();
  for (const route of [...own, ...wanted.slice(0, wanted.length - own.length)]) {
    room -= encodedBytes(route);
    text -= textBytes(route);
    if (room >= 0 && text >= 0) kept.add(route);
    else omitted.push(route);
  }
  return { routes: [...wanted.filter((route) => kept.has(route)), ...fixed], omitted };
}

/** One option holds 255 bytes; the line that says it must also fit into what dnsmasq reads at once. */
const optionBytes = 255;
const lineBytes = 940;
const prefixLengthOf = (route: HostRoute): number => Number(route.destination.split("/")[1]);
const encodedBytes = (route: HostRoute): number => 1 + Math.ceil(prefixLengthOf(route) / 8) + 4;
const textBytes = (route: HostRoute): number => route.destination.length + route.nexthop.length + 2;

/** The network's other IPv4 subnets are on the same wire, if they are of the same segment. */
function neighbours({ view, subnet }: RouteContext): readonly HostRoute[] {
  return view.subnets
    .filter(
      (other) =>
        other.ipVersion === 4 &&
        other.id !== subnet.id &&
        (other.segmentId ?? null) === (subnet.segmentId ?? null) &&
        isNetwork4(other.cidr),
    )
    .map((other) => ({ destination: other.cidr, nexthop: "0.0.0.0" }));
}

/** Through the one who answers: a metadata port of OVN, else this agent where the plan says so, else the router. */
function metadataNexthop({ view, subnet, dhcpPort, metadata }: RouteContext, gateway: string | null): string | undefined {
  const addressOn = (port: Port): string | undefined => port.fixedIps.find((ip) => ip.subnetId === subnet.id)?.ipAddress;
  const ovn = view.ports.find((port) => port.deviceOwner === "network:distributed" && port.deviceId.startsWith("ovnmeta"));
  if (ovn !== undefined && addressOn(ovn) !== undefined) return addressOn(ovn);
  if (metadata.routedSubnetIds.has(subnet.id)) return addressOn(dhcpPort);
  return isIsolated(view, subnet) ? undefined : (gateway ?? undefined);
}
