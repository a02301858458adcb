// dnsmasq's argument vector for one network: pure, in one fixed order, so that an unchanged network has an unchanged
// vector and the running server can be adopted.
import { join } from "node:path";
import { netmaskOf, parseCidr } from "../../linux/addresses.ts";
import type { NetworkView, Subnet } from "../../model/network.ts";
import type { DnsmasqOptions } from "./dnsmasq-options.ts";
import { currentFeatures, type DnsmasqFeatures } from "./dnsmasq-version.ts";
import { countServingHosts } from "./lease-seed.ts";
import { serviceOf } from "./subnet-service.ts";

export interface ArgumentContext {
  readonly view: NetworkView;
  /** `<state>/dhcp/<network id>` */
  readonly directory: string;
  readonly domain: string;
  readonly options: DnsmasqOptions;
  /** The user that dnsmasq runs as after its start; undefined for the one it was built with. */
  readonly user: string | undefined;
  readonly features?: DnsmasqFeatures | undefined;
  /** The DHCP device; needed for `bridgeAliases`. */
  readonly interfaceName?: string | undefined;
  /** See `LogFiles`; undefined: routine work is not logged. */
  readonly logFile?: string | undefined;
}

const authoritativeArgument = "--dhcp-authoritative";

/**
 * A server that runs does not become authoritative when it is alone again: the other, which was taken away at the same moment,
 * may still answer. The next one that is started does.
 *
 * @param running vector of the server that runs, joined by NUL
 */
export function keepModest(wanted: readonly string[], running: string): readonly string[] {
  const modest = wanted.filter((word) => word !== authoritativeArgument);
  return modest.join("\0") === running ? modest : wanted;
}

export const pidFileArgument = (directory: string): string => `--pid-file=${join(directory, "pid")}`;

export function buildArguments(context: ArgumentContext): readonly string[] {
  const { domain, options, view, user, features = currentFeatures } = context;
  const subnets = view.subnets.toSorted((one, other) => (one.id < other.id ? -1 : 1));
  const served = subnets.filter((subnet) => serviceOf(subnet, features) !== "nothing");
  return [
    "dnsmasq",
    // An empty value would make it read the system's file.
    `--conf-file=${options.dnsmasqConfigFile ?? "/dev/null"}`,
    "--no-hosts",
    ...(options.isLocalResolv && options.dnsServers.length === 0 ? [] : ["--no-resolv"]),
    ...fileArguments(context.directory, features),
    ...(options.leaseScript === undefined ? [] : [`--dhcp-script=${options.leaseScript}`]),
    ...classArguments,
    // Neither --interface nor --except-interface: either would switch --local-service off and leave an open resolver.
    "--local-service",
    "--bind-dynamic",
    ...bridgeAliasArguments(context),
    ...logArguments(context.logFile),
    ...served.map((subnet) => rangeArgument(subnet, options)),
    ...(view.network.mtuBytes > 0 ? [`--dhcp-option-force=option:mtu,${view.network.mtuBytes}`] : []),
    `--dhcp-lease-max=${leaseMax(served, options)}`,
    ...(options.renewalSeconds > 0 ? [`--dhcp-option-force=option:T1,${options.renewalSeconds}s`] : []),
    ...(options.rebindingSeconds > 0 ? [`--dhcp-option-force=option:T2,${options.rebindingSeconds}s`] : []),
    ...(options.txtRecord === undefined ? [] : [`--txt-record=${options.txtRecord}`]),
    ...options.dnsServers.map((server) => `--server=${server}`),
    ...(domain === "" ? [] : [`--domain=${domain}`]),
    ...(options.isBroadcastReply ? ["--dhcp-broadcast"] : []),
    ...(options.isAuthoritative && countServingHosts(view) <= 1 ? [authoritativeArgument] : []),
    ...(user === undefined ? [] : [`--user=${user}`]),
  ];
}

function fileArguments(directory: string, features: DnsmasqFeatures): readonly string[] {
  const file = (name: string): string => join(directory, name);
  return [
    pidFileArgument(directory),
    `--dhcp-hostsfile=${file("host")}`,
    ...(features.hasDeltaDirectory ? [`--dhcp-hostsdir=${file("host.d")}`] : []),
    `--dhcp-optsfile=${file("opts")}`,
    `--addn-hosts=${file("addn_hosts")}`,
    ...(features.hasLiveDnsDirectory ? [`--hostsdir=${file("dns.d")}`] : []),
    `--dhcp-leasefile=${file("leases")}`,
  ];
}

/** Tags by which the options of a port may differ: `tag:ipxe,bootfile-name`. Architectures are those of RFC 4578 and IANA. */
const classArguments: readonly string[] = [
  "--dhcp-match=set:ipxe,175",
  "--dhcp-userclass=set:ipxe6,iPXE",
  "--dhcp-vendorclass=set:pxe,PXEClient",
  "--dhcp-vendorclass=set:httpboot,HTTPClient",
  "--dhcp-match=set:bios,option:client-arch,0",
  "--dhcp-match=set:efi32,option:client-arch,6",
  "--dhcp-match=set:efi64,option:client-arch,7",
  "--dhcp-match=set:efi64,option:client-arch,9",
  "--dhcp-match=set:arm64,option:client-arch,11",
];

function bridgeAliasArguments({ options, interfaceName }: ArgumentContext): readonly string[] {
  if (interfaceName === undefined || options.bridgeAliases.length === 0) return [];
  return [`--bridge-interface=${[interfaceName, ...options.bridgeAliases].join(",")}`];
}

function logArguments(logFile: string | undefined): readonly string[] {
  return logFile === undefined
    ? ["--quiet-dhcp", "--quiet-dhcp6", "--quiet-ra"]
    : ["--log-queries", "--log-dhcp", `--log-facility=${logFile}`];
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
