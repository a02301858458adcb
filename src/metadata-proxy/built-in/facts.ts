// What the built-in metadata say of an instance, whichever format asks: pure.
import { formatAddress, formatCidr, parseCidr } from "../../model/addresses.ts";
import type { FixedIp, NetworkView, Port, Subnet } from "../../model/network.ts";
import type { Instance, InstancePort } from "../instance.ts";

export interface HostFacts {
  /** Domain of networks that have none of their own. */
  readonly dnsDomain: string;
  readonly availabilityZone: string;
}

export interface AddressFact {
  readonly address: string;
  readonly subnet: Subnet;
}

export function addressesOf({ port, view }: InstancePort, ipVersion?: 4 | 6): readonly AddressFact[] {
  const subnets = new Map(view.subnets.map((subnet) => [subnet.id, subnet]));
  const found = port.fixedIps.flatMap(({ ipAddress, subnetId }: FixedIp) => {
    const subnet = subnets.get(subnetId);
    return subnet === undefined ? [] : [{ address: ipAddress, subnet }];
  });
  return ipVersion === undefined ? found : found.filter(({ subnet }) => subnet.ipVersion === ipVersion);
}

export interface Names {
  readonly hostname: string;
  /** With the domain, when there is one. */
  readonly fqdn: string;
}

/** As DHCP and DNS call it: the port's own name, else `host-10-0-0-5`. */
export function namesOf({ port, view }: InstancePort, facts: HostFacts): Names {
  const domain = domainOf(view, facts);
  const own = port.dnsName.replace(/\.$/, "").toLowerCase();
  const hostname = own === "" ? addressName(port) : own;
  if (domain === "") return { hostname, fqdn: hostname };
  const suffix = `.${domain}`;
  return hostname.endsWith(suffix)
    ? { hostname: hostname.slice(0, -suffix.length), fqdn: hostname }
    : { hostname, fqdn: hostname + suffix };
}

function domainOf({ network }: NetworkView, facts: HostFacts): string {
  return (network.dnsDomain === "" ? facts.dnsDomain : network.dnsDomain).replace(/\.$/, "").toLowerCase();
}

function addressName(port: Port): string {
  const [first] = port.fixedIps;
  const name = `host-${(first?.ipAddress ?? port.macAddress).replace(/[.:]/g, "-")}`;
  return name.endsWith("-") ? `${name}0` : name;
}

/** `255.255.255.0`, or `ffff:ffff:ffff:ffff::`. */
export function netmaskOf(cidrText: string): string {
  const cidr = parseCidr(cidrText);
  if (cidr === undefined) return "";
  const bits = cidr.version === 4 ? 32n : 128n;
  const length = BigInt(cidr.prefixLength);
  const value = ((1n << length) - 1n) << (bits - length);
  return formatAddress({ version: cidr.version, value });
}

/** Network address without the prefix length. */
export function networkAddressOf(cidrText: string): string {
  const cidr = parseCidr(cidrText);
  return cidr === undefined ? "" : (formatCidr(cidr).split("/")[0] ?? "");
}

export const firstPort = (instance: Instance): InstancePort => instance.ports[0];
