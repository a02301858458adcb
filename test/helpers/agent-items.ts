// Networks, subnets, ports and stream items for tests of the agent; ids that read well in a failure message.
import { deviceOwners } from "../../src/model/device-names.ts";
import { networkId, portId, subnetId, type NetworkId, type PortId, type SubnetId } from "../../src/model/ids.ts";
import type { Network, Port, Subnet } from "../../src/model/network.ts";
import { streamItemSchema, type StreamItem } from "../../src/types/agent-messages.ts";

const uuid = (kind: string, n: number): string => `${kind}0000000-0000-4000-8000-${n.toString(16).padStart(12, "0")}`;

export const testNetworkId = (n: number): NetworkId => networkId(uuid("a", n));
export const testSubnetId = (n: number): SubnetId => subnetId(uuid("b", n));
export const testPortId = (n: number): PortId => portId(uuid("c", n));

export function makeNetwork(n: number, changes: Partial<Network> = {}): Network {
  return {
    id: testNetworkId(n),
    projectId: "blue",
    name: `network-${n}`,
    adminStateUp: true,
    mtuBytes: 1450,
    dnsDomain: "",
    revision: 1,
    ...changes,
  };
}

/** Subnet `n` is 10.<n>.0.0/16. */
export function makeSubnet(n: number, network: NetworkId, changes: Partial<Subnet> = {}): Subnet {
  return {
    id: testSubnetId(n),
    networkId: network,
    cidr: `10.${n}.0.0/16`,
    ipVersion: 4,
    enableDhcp: true,
    gatewayIp: `10.${n}.0.1`,
    dnsNameservers: [],
    hostRoutes: [],
    ipv6AddressMode: null,
    ipv6RaMode: null,
    revision: 1,
    ...changes,
  };
}

const hexPairs = (n: number): string =>
  `${((n >> 8) & 255).toString(16).padStart(2, "0")}:${(n & 255).toString(16).padStart(2, "0")}`;

/** Port `n` of subnet `s` has 10.<s>.<n / 256>.<n % 256>. */
export function makePort(n: number, network: NetworkId, s: number, changes: Partial<Port> = {}): Port {
  return {
    id: testPortId(n),
    networkId: network,
    macAddress: `fa:16:3e:00:${hexPairs(n)}`,
    deviceId: "",
    deviceOwner: "compute:nova",
    adminStateUp: true,
    fixedIps: [{ subnetId: testSubnetId(s), ipAddress: `10.${s}.${n >> 8}.${n & 255}` }],
    extraDhcpOpts: [],
    dnsName: "",
    bindingHost: "host-1",
    revision: 1,
    ...changes,
  };
}

export function makeDhcpPort(n: number, network: NetworkId, s: number, deviceId: string, changes: Partial<Port> = {}): Port {
  return makePort(n, network, s, { deviceOwner: deviceOwners.dhcp, deviceId, ...changes });
}

type Body =
  | { readonly kind: "network"; readonly body: Network }
  | { readonly kind: "subnet"; readonly body: Subnet }
  | { readonly kind: "port"; readonly body: Port };

function upsert({ kind, body }: Body, traceparent?: string): StreamItem {
  const owner = "networkId" in body ? body.networkId : body.id;
  // Through the schema: what a test feeds to the agent is what the wire would give it.
  return streamItemSchema.parse({
    op: "upsert",
    kind,
    id: body.id,
    networkId: owner,
    revision: body.revision,
    body,
    ...(traceparent === undefined ? {} : { traceparent }),
  });
}

export const networkItem = (body: Network, traceparent?: string): StreamItem => upsert({ kind: "network", body }, traceparent);
export const subnetItem = (body: Subnet, traceparent?: string): StreamItem => upsert({ kind: "subnet", body }, traceparent);
export const portItem = (body: Port, traceparent?: string): StreamItem => upsert({ kind: "port", body }, traceparent);

/** The delete of what `item` put there, at the revision that would have come next. */
export function deleteItem(item: StreamItem): StreamItem {
  return { op: "delete", kind: item.kind, id: item.id, networkId: item.networkId, revision: item.revision + 1 };
}
