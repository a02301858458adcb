// `network_data.json` of the OpenStack format, from ports and subnets: pure.
import type { Subnet } from "../../model/network.ts";
import type { Instance, InstancePort } from "../instance.ts";
import { type AddressFact, addressesOf, netmaskOf, networkAddressOf } from "./facts.ts";

interface Link {
  readonly id: string;
  readonly vif_id: string;
  readonly type: string;
  readonly mtu: number | null;
  readonly ethernet_mac_address: string;
}

interface Route {
  readonly network: string;
  readonly netmask: string;
  readonly gateway: string;
}

interface Service {
  readonly type: "dns";
  readonly address: string;
}

interface NetworkEntry {
  readonly id: string;
  readonly type: string;
  readonly link: string;
  readonly network_id: string;
  readonly ip_address?: string;
  readonly netmask?: string;
  readonly routes?: readonly Route[];
  readonly services?: readonly Service[];
}

export interface NetworkData {
  readonly links: readonly Link[];
  readonly networks: readonly NetworkEntry[];
  readonly services: readonly Service[];
}

export function networkData(instance: Instance): NetworkData {
  const networks = instance.ports.flatMap((one) => addressesOf(one).map((fact) => ({ one, fact })));
  const servers = networks.flatMap(({ fact }) => servicesOf(fact.subnet)).map(({ address }) => address);
  return {
    links: instance.ports.map(linkOf),
    networks: networks.map(({ one, fact }, index) => networkEntry(one, fact, `network${index}`)),
    services: [...new Set(servers)].map((address) => ({ type: "dns", address })),
  };
}

const linkId = ({ port }: InstancePort): string => `tap${port.id.slice(0, 11)}`;

function linkOf(one: InstancePort): Link {
  const { mtuBytes } = one.view.network;
  return {
    id: linkId(one),
    vif_id: one.port.id,
    type: "bridge",
    mtu: mtuBytes === 0 ? null : mtuBytes,
    ethernet_mac_address: one.port.macAddress,
  };
}

/** What DHCP or the router will tell needs no address here: the instance asks for it and notices changes. */
function dynamicType({ enableDhcp, ipVersion, ipv6AddressMode }: Subnet): string | undefined {
  if (ipVersion === 4) return enableDhcp ? "ipv4_dhcp" : undefined;
  if (ipv6AddressMode === "slaac") return "ipv6_slaac";
  if (!enableDhcp) return undefined;
  return ipv6AddressMode === "dhcpv6-stateless" ? "ipv6_dhcpv6-stateless" : "ipv6_dhcpv6-stateful";
}

function networkEntry(one: InstancePort, { address, subnet }: AddressFact, id: string): NetworkEntry {
  const base = { id, link: linkId(one), network_id: one.view.network.id };
  const dynamic = dynamicType(subnet);
  if (dynamic !== undefined) return { ...base, type: dynamic };
  return {
    ...base,
    type: subnet.ipVersion === 4 ? "ipv4" : "ipv6",
    ip_address: address,
    netmask: netmaskOf(subnet.cidr),
    routes: routesOf(subnet),
    services: servicesOf(subnet),
  };
}

function routesOf({ gatewayIp, hostRoutes, ipVersion }: Subnet): readonly Route[] {
  const any = ipVersion === 4 ? "0.0.0.0/0" : "::/0";
  const all = gatewayIp === null ? hostRoutes : [{ destination: any, nexthop: gatewayIp }, ...hostRoutes];
  return all.map(({ destination, nexthop }) => ({
    network: networkAddressOf(destination),
    netmask: netmaskOf(destination),
    gateway: nexthop,
  }));
}

/** An only server of 0.0.0.0 or :: means: announce none. */
function servicesOf({ dnsNameservers }: Subnet): readonly Service[] {
  return dnsNameservers
    .filter((address) => address !== "0.0.0.0" && address !== "::")
    .map((address) => ({ type: "dns", address }));
}
