// Router advertisements for a router's networks, as radvd reads them. Pure.
import { routerDeviceName } from "../../model/device-names.ts";
import type { Router, RouterAddress, RouterInterface } from "../../model/router.ts";

/** RFC 8200: a link with less carries no IPv6, and must not be told of it. */
const leastMtuBytes = 1280;
/** As many as resolvers read. */
const mostNameServers = 3;

const isAdvertised = ({ ipVersion, ipv6RaMode }: RouterAddress): boolean => ipVersion === 6 && ipv6RaMode !== null;

/** `undefined` when no network of the router wants advertisements. */
export function buildAdvertisements(interfaces: readonly RouterInterface[]): string | undefined {
  const blocks = interfaces.filter(({ addresses }) => addresses.some(isAdvertised)).map(interfaceBlock);
  return blocks.length === 0 ? undefined : `${blocks.join("\n")}\n`;
}

/** What a host without radvd does not do for a router, in words. */
export const limitsWithoutRadvd = ({ interfaces }: Pick<Router, "interfaces">): readonly string[] =>
  buildAdvertisements(interfaces) === undefined ? [] : ["no router advertisements: radvd is not installed"];

function interfaceBlock({ portId, mtuBytes, addresses }: RouterInterface): string {
  const advertised = addresses.filter(isAdvertised);
  const has = (mode: string): boolean => advertised.some(({ ipv6RaMode }) => ipv6RaMode === mode);
  const servers = advertised.filter(({ ipv6RaMode }) => ipv6RaMode !== "dhcpv6-stateful").flatMap(ipv6NameServers);
  const lines = [
    "AdvSendAdvert on;",
    "MinRtrAdvInterval 30;",
    "MaxRtrAdvInterval 100;",
    ...(mtuBytes >= leastMtuBytes ? [`AdvLinkMTU ${mtuBytes};`] : []),
    ...(has("dhcpv6-stateful") ? ["AdvManagedFlag on;"] : []),
    ...(has("dhcpv6-stateless") ? ["AdvOtherConfigFlag on;"] : []),
    ...prefixBlocks(advertised),
    ...(servers.length > 0 ? [`RDNSS ${[...new Set(servers)].slice(0, mostNameServers).join(" ")} {};`] : []),
    "route fe80::a9fe:a9fe/128 {};",
  ];
  return [`interface ${routerDeviceName(portId)} {`, ...lines.map((line) => `  ${line}`), "};"].join("\n");
}

const ipv6NameServers = ({ dnsNameservers }: RouterAddress): readonly string[] =>
  dnsNameservers.filter((server) => server.includes(":"));

function prefixBlocks(addresses: readonly RouterAddress[]): readonly string[] {
  const seen = new Set<string>();
  return addresses.flatMap(({ cidr, ipv6RaMode }) => {
    if (seen.has(cidr)) return [];
    seen.add(cidr);
    const isAutonomous = ipv6RaMode !== "dhcpv6-stateful";
    return [`prefix ${cidr} { AdvOnLink on; AdvAutonomous ${isAutonomous ? "on" : "off"}; };`];
  });
}
