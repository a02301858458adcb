// One dual-stack network, real servers on it, and real clients of every kind: what tests of clients on the real kernel share.
import type { TestContext } from "node:test";
import type { Network, Port, Subnet } from "../../src/model/network.ts";
import { DhcpBench, type LeaseMode } from "./dhcp-bench.ts";
import { makeNetwork, makePort, makeSubnet } from "./dhcp-network.ts";
import { LivingClient, type LivingKind } from "./living-client.ts";

export interface DualStack {
  readonly network: Network;
  readonly subnets: readonly Subnet[];
}

export function makeDualStack(): DualStack {
  const network = makeNetwork();
  const mode = "dhcpv6-stateful";
  const six = { cidr: "2001:db8:5::/64", gatewayIp: "2001:db8:5::1", ipVersion: 6, ipv6AddressMode: mode, ipv6RaMode: mode };
  return {
    network,
    subnets: [makeSubnet(network), makeSubnet(network, { ...six, ipVersion: 6, ipv6AddressMode: mode, ipv6RaMode: mode })],
  };
}

/** The n-th address of both subnets. */
export const bothAddresses = (n: number): readonly string[] => [`10.20.0.${n}`, `2001:db8:5::${n.toString(16)}`];

/** The n-th address of the subnet that such a client asks about. */
export const addressFor = (kind: LivingKind, n: number): string => bothAddresses(n)[kind === "dhclient6" ? 1 : 0] ?? "";

export const makeDualPort = ({ subnets }: DualStack, n: number, values: Partial<Port> = {}): Port =>
  makePort(subnets, bothAddresses(n), values);

/** A server of the network with the n-th address; several on one network share its bridge, as agents of one wire do. */
export async function startServer(
  t: TestContext,
  { network, subnets }: DualStack,
  n: number,
  leaseMode: LeaseMode = "packets",
): Promise<DhcpBench> {
  const bench = await DhcpBench.create({ network, subnets, dhcpAddresses: bothAddresses(n), leaseMode });
  t.after(() => bench.close());
  return bench;
}

/** The port's instance with its client, which does not run yet. */
export async function plugClient(t: TestContext, bench: DhcpBench, kind: LivingKind, mac: string): Promise<LivingClient> {
  const client = await LivingClient.create(kind, await bench.plug(mac));
  t.after(() => client.close());
  return client;
}
