// The EC2 format: one small text for each path. Pure.
import { formatCidr, parseCidr } from "../../model/addresses.ts";
import type { Instance, InstancePort } from "../instance.ts";
import { addressesOf, firstPort, type HostFacts, namesOf } from "./facts.ts";
import type { Folder, Leaf } from "./tree.ts";

export const ec2Versions: readonly string[] = [
  "1.0",
  "2007-01-19",
  "2007-03-01",
  "2007-08-29",
  "2007-10-10",
  "2007-12-15",
  "2008-02-01",
  "2008-09-01",
  "2009-04-04",
  // The first one with all of network/interfaces.
  "2016-09-02",
  "latest",
];

const text =
  (value: string): Leaf =>
  () =>
    value;
const lines = (values: readonly string[]): Leaf => text(values.join("\n"));

/** What has no meaning here is left out, where readers do without; otherwise it says what an unnamed image would. */
export function ec2Folder(instance: Instance, facts: HostFacts): Folder {
  const first = firstPort(instance);
  const { fqdn } = namesOf(first, facts);
  const ipv4 = addressesOf(first, 4).map(({ address }) => address);
  const ipv6 = addressesOf(first, 6).map(({ address }) => address);
  return {
    "meta-data": {
      "ami-id": text("None"),
      "ami-launch-index": text("0"),
      hostname: text(fqdn),
      "instance-id": text(instance.id),
      "local-hostname": text(fqdn),
      ...(ipv4[0] === undefined ? {} : { "local-ipv4": text(ipv4[0]) }),
      ...(ipv6[0] === undefined ? {} : { ipv6: text(ipv6[0]) }),
      mac: text(first.port.macAddress),
      network: { interfaces: { macs: Object.fromEntries(instance.ports.map((one, index) => macFolder(one, index, facts))) } },
      placement: { "availability-zone": text(facts.availabilityZone) },
      "public-hostname": text(fqdn),
    },
  };
}

function macFolder(one: InstancePort, index: number, facts: HostFacts): [string, Folder] {
  const ipv4 = addressesOf(one, 4);
  const ipv6 = addressesOf(one, 6);
  const cidrs = (facts4: typeof ipv4): readonly string[] => [
    ...new Set(facts4.map(({ subnet }) => canonicalCidr(subnet.cidr))),
  ];
  const only = <T extends Folder>(wanted: boolean, folder: T): T | Record<never, never> => (wanted ? folder : {});
  const names = namesOf(one, facts);
  return [
    one.port.macAddress,
    {
      "device-number": text(String(index)),
      "interface-id": text(one.port.id),
      mac: text(one.port.macAddress),
      "local-hostname": text(names.fqdn),
      ...only(ipv4.length > 0, {
        "local-ipv4s": lines(ipv4.map(({ address }) => address)),
        "subnet-ipv4-cidr-block": text(cidrs(ipv4)[0] ?? ""),
      }),
      ...only(ipv6.length > 0, {
        ipv6s: lines(ipv6.map(({ address }) => address)),
        "subnet-ipv6-cidr-blocks": lines(cidrs(ipv6)),
      }),
    },
  ];
}

function canonicalCidr(cidrText: string): string {
  const cidr = parseCidr(cidrText);
  return cidr === undefined ? cidrText : formatCidr(cidr);
}
