// dnsmasq's argument vector for one network: pure, in one fixed order, so that an unchanged network has an unchanged
// vector and the running server can be adopted.
import { join } from "node:path";
import { netmaskOf, parseCidr } from "../../linux/addresses.ts";
import type { NetworkView, Subnet } from "../../model/network.ts";
import type { DnsmasqOptions } from "./dnsmasq-options.ts";
import { serviceOf } from "./subnet-service.ts";

export interface ArgumentContext {
  readonly view: NetworkView;
  /** `<state>/dhcp/<network id>` */
  readonly directory: string;
  readonly domain: string;
  readonly options: DnsmasqOptions;
  /** The user that dnsmasq runs as after its start; undefined for the one it was built with. */
  readonly user: string | undefined;
}

export const pidFileArgument = (directory: string): string => `--pid-file=${join(directory, "pid")}`;

export function buildArguments(context: ArgumentContext): readonly string[] {
  const { directory, domain, options, view, user } = context;
  const subnets = view.subnets.toSorted((one, other) => (one.id < other.id ? -1 : 1));
  const served = subnets.filter((subnet) => serviceOf(subnet) !== "nothing");
  const file = (name: string): string => join(directory, name);
  return [
    "dnsmasq",
    // An empty value would make it read the system's file.
    `--conf-file=${options.dnsmasqConfigFile ?? "/dev/null"}`,
    "--no-hosts",
    "--no-resolv",
    pidFileArgument(directory),
    `--dhcp-hostsfile=${file("host")}`,
    `--dhcp-hostsdir=${file("host.d")}`,
    `--dhcp-optsfile=${file("opts")}`,
    `--addn-hosts=${file("addn_hosts")}`,
    `--hostsdir=${file("dns.d")}`,
    `--dhcp-leasefile=${file("leases")}`,
    ...(options.leaseScript === undefined ? [] : [`--dhcp-script=${options.leaseScript}`]),
    "--dhcp-match=set:ipxe,175",
    "--dhcp-userclass=set:ipxe6,iPXE",
    // Neither --interface nor --except-interface: either would switch --local-service off and leave an open resolver.
    "--local-service",
    "--bind-dynamic",
    "--quiet-dhcp",
    "--quiet-dhcp6",
    "--quiet-ra",
    ...served.map((subnet) => rangeArgument(subnet, options)),
    ...(view.network.mtuBytes > 0 ? [`--dhcp-option-force=option:mtu,${view.network.mtuBytes}`] : []),
    `--dhcp-lease-max=${leaseMax(served, options)}`,
    ...(options.renewalSeconds > 0 ? [`--dhcp-option-force=option:T1,${options.renewalSeconds}s`] : []),
    ...(options.rebindingSeconds > 0 ? [`--dhcp-option-force=option:T2,${options.rebindingSeconds}s`] : []),
    ...options.dnsServers.map((server) => `--server=${server}`),
    ...(domain === "" ? [] : [`--domain=${domain}`]),
    ...(options.isBroadcastReply ? ["--dhcp-broadcast"] : []),
    ...(options.isAuthoritative ? ["--dhcp-authoritative"] : []),
    ...(user === undefined ? [] : [`--user=${user}`]),
  ];
}

function rangeArgument(subnet: Subnet, options: DnsmasqOptions): string {
  const { address, prefixLength } = parseCidr(subnet.cidr);
  const mask = subnet.ipVersion === 4 ? netmaskOf(prefixLength) : String(prefixLength);
  const lease = options.leaseSeconds === -1 ? "infinite" : `${options.leaseSeconds}s`;
  // The tag is made of the id, never of a position: an order that changes must not move options to another subnet.
  return `--dhcp-range=set:subnet-${subnet.id},${address},static,${mask},${lease}`;
}

/** dnsmasq's own limit is 1000; a limit at all keeps a client that makes up addresses from filling the memory. */
function leaseMax(served: readonly Subnet[], options: DnsmasqOptions): number {
  const sizes = served.map(({ cidr, ipVersion }) => 2 ** ((ipVersion === 4 ? 32 : 128) - parseCidr(cidr).prefixLength));
  return Math.min(
    sizes.reduce((sum, size) => sum + size, 0),
    options.leaseMax,
  );
}
