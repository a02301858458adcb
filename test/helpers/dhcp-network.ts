// Values of the model for tests of the DHCP driver, and an instance's end of a network.
import type { DesiredDhcp } from "../../src/drivers/dhcp-driver.ts";
import { networkId, portId, subnetId } from "../../src/model/ids.ts";
import type { Network, NetworkView, Port, Subnet } from "../../src/model/network.ts";
import { randomId, randomMac } from "./namespaces.ts";
import { noMetadata } from "../../src/model/metadata-plan.ts";

export function makeNetwork(values: Partial<Network> = {}): Network {
  return {
    id: networkId(randomId()),
    projectId: "p1",
    name: "blue",
    adminStateUp: true,
    mtuBytes: 1450,
    dnsDomain: "",
    revision: 1,
    ...values,
  };
}

export function makeSubnet(network: Network, values: Partial<Subnet> = {}): Subnet {
  return {
    id: subnetId(randomId()),
    networkId: network.id,
    cidr: "10.20.0.0/24",
    ipVersion: 4,
    enableDhcp: true,
    gatewayIp: "10.20.0.1",
    dnsNameservers: [],
    hostRoutes: [],
    ipv6AddressMode: null,
    ipv6RaMode: null,
    revision: 1,
    ...values,
  };
}

/** @param addresses on the subnets in the same order */
export function makePort(subnets: readonly Subnet[], addresses: readonly string[], values: Partial<Port> = {}): Port {
  const [first] = subnets;
  if (first === undefined) throw new RangeError("a port needs a subnet");
  return {
    id: portId(randomId()),
    networkId: first.networkId,
    macAddress: randomMac(),
    deviceId: "",
    deviceOwner: "compute:nova",
    adminStateUp: true,
    fixedIps: addresses.map((ipAddress, index) => ({ subnetId: (subnets[index] ?? first).id, ipAddress })),
    extraDhcpOpts: [],
    dnsName: "",
    bindingHost: "",
    revision: 1,
    ...values,
  };
}

export function makeDhcpPort(subnets: readonly Subnet[], addresses: readonly string[]): Port {
  return makePort(subnets, addresses, { deviceOwner: "network:dhcp" });
}

export function makeView(network: Network, subnets: readonly Subnet[], ports: readonly Port[]): NetworkView {
  const byId = (one: { readonly id: string }, other: { readonly id: string }): number => (one.id < other.id ? -1 : 1);
  return { network, subnets: subnets.toSorted(byId), ports: ports.toSorted(byId) };
}

export function makeDesired(view: NetworkView, dhcpPort: Port): DesiredDhcp {
  return {
    view,
    dhcpPort,
    device: { namespace: `qdhcp-${view.network.id}`, interfaceName: `ns-${dhcpPort.id.slice(0, 11)}` },
    metadata: noMetadata,
  };
}
