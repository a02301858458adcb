import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ArgumentContext, buildArguments } from "../../../../src/drivers/dnsmasq/args.ts";
import {
  defaultDnsmasqOptions,
  type DnsmasqOptions,
  toDnsmasqOptions,
} from "../../../../src/drivers/dnsmasq/dnsmasq-options.ts";
import { currentFeatures } from "../../../../src/drivers/dnsmasq/dnsmasq-version.ts";
import type { Network, Port, Subnet } from "../../../../src/model/network.ts";
import { makeDhcpPort, makeNetwork, makeSubnet, makeView } from "../../../helpers/dhcp-network.ts";

const network = makeNetwork();

interface Given {
  readonly options?: Partial<DnsmasqOptions>;
  readonly context?: Partial<ArgumentContext>;
  readonly network?: Partial<Network>;
  readonly ports?: (subnets: readonly Subnet[]) => readonly Port[];
}

function build(subnets: readonly Partial<Subnet>[], given: Given = {}): readonly string[] {
  const made = subnets.map((values) => makeSubnet(network, values));
  return buildArguments({
    view: makeView({ ...network, ...given.network }, made, given.ports?.(made) ?? []),
    directory: "/var/lib/netloom/dhcp/n1",
    domain: "example.org",
    options: { ...defaultDnsmasqOptions, ...given.options },
    user: undefined,
    ...given.context,
  });
}

const ranges = (subnets: readonly Partial<Subnet>[], options: Partial<DnsmasqOptions> = {}): readonly string[] =>
  build(subnets, { options })
    .filter((word) => word.startsWith("--dhcp-range="))
    .map((word) => word.replace(/subnet-[0-9a-f-]{36}/, "subnet-ID"));

const stateful = { ipVersion: 6, ipv6AddressMode: "dhcpv6-stateful", ipv6RaMode: "dhcpv6-stateful" } as const;

describe("dnsmasq's arguments", () => {
  test("DA-116: are these, in this order, for a network with IPv4 and IPv6", () => {
    const [four, six] = [
      { id: "11111111-1111-4111-8111-111111111111" as Subnet["id"], cidr: "10.20.0.0/24" },
      { id: "22222222-2222-4222-8222-222222222222" as Subnet["id"], cidr: "2001:db8::/64", ...stateful },
    ];

    const expected = [
      "dnsmasq",
      "--conf-file=/dev/null",
      "--no-hosts",
      "--no-resolv",
      "--pid-file=/var/lib/netloom/dhcp/n1/pid",
      "--dhcp-hostsfile=/var/lib/netloom/dhcp/n1/host",
      "--dhcp-hostsdir=/var/lib/netloom/dhcp/n1/host.d",
      "--dhcp-optsfile=/var/lib/netloom/dhcp/n1/opts",
      "--addn-hosts=/var/lib/netloom/dhcp/n1/addn_hosts",
      "--hostsdir=/var/lib/netloom/dhcp/n1/dns.d",
      "--dhcp-leasefile=/var/lib/netloom/dhcp/n1/leases",
      "--dhcp-script=/opt/script",
      "--dhcp-match=set:ipxe,175",
      "--dhcp-userclass=set:ipxe6,iPXE",
      "--dhcp-vendorclass=set:pxe,PXEClient",
      "--dhcp-vendorclass=set:httpboot,HTTPClient",
      "--dhcp-match=set:bios,option:client-arch,0",
      "--dhcp-match=set:efi32,option:client-arch,6",
      "--dhcp-match=set:efi64,option:client-arch,7",
      "--dhcp-match=set:efi64,option:client-arch,9",
      "--dhcp-match=set:arm64,option:client-arch,11",
      "--local-service",
      "--bind-dynamic",
      "--quiet-dhcp",
      "--quiet-dhcp6",
      "--quiet-ra",
      `--dhcp-range=set:subnet-${four.id},10.20.0.0,static,255.255.255.0,86400s`,
      `--dhcp-range=set:subnet-${six.id},2001:db8::,static,64,86400s`,
      "--dhcp-option-force=option:mtu,1450",
      "--dhcp-lease-max=16777216",
      "--domain=example.org",
    ];
    assert.deepEqual(build([six, four], { options: { leaseScript: "/opt/script" } }), expected);
  });

  test("DA-117: name the DHCP device and those whose requests count as its own, where instances are not bridged", () => {
    const given = { options: { bridgeAliases: ["tap*", "veth0"] }, context: { interfaceName: "ns-1" } };

    assert.ok(build([{}], given).includes("--bridge-interface=ns-1,tap*,veth0"));
    assert.ok(!build([{}], { context: { interfaceName: "ns-1" } }).some((word) => word.startsWith("--bridge-interface")));
  });

  test("DA-118: a lease of -1 seconds is for ever", () => {
    assert.deepEqual(ranges([{}], { leaseSeconds: -1 }), [
      "--dhcp-range=set:subnet-ID,10.20.0.0,static,255.255.255.0,infinite",
    ]);
  });

  test("DA-119: never let the system's configuration in", () => {
    assert.ok(build([{}]).includes("--conf-file=/dev/null"));
    assert.ok(build([{}], { options: { dnsmasqConfigFile: "/etc/x.conf" } }).includes("--conf-file=/etc/x.conf"));
    const settings = {
      ...{ ...defaultDnsmasqOptions, dnsmasqConfigFile: "", baseLogDir: "", txtRecord: "" },
      ...{ localResolv: false, authoritative: false, broadcastReply: false },
    };
    assert.ok(
      build([{}], { options: toDnsmasqOptions(settings) }).includes("--conf-file=/dev/null"),
      "an empty setting is none",
    );
  });

  test("DA-120: have no domain where there is none", () => {
    assert.ok(!build([{}], { context: { domain: "" } }).some((word) => word.startsWith("--domain")));
  });

  test("DA-121: give a range to each subnet that is served, by mask or by prefix length", () => {
    assert.deepEqual(ranges([{ cidr: "10.1.0.0/20" }]), ["--dhcp-range=set:subnet-ID,10.1.0.0,static,255.255.240.0,86400s"]);
    assert.deepEqual(ranges([{ cidr: "2001:db8::/64", ...stateful }]), [
      "--dhcp-range=set:subnet-ID,2001:db8::,static,64,86400s",
    ]);
    assert.equal(ranges([{ cidr: "2001:db8::/64", ipVersion: 6 }]).length, 1, "modes that are not set are stateful");
    assert.equal(ranges([{ cidr: "2001:db8::/64", ipVersion: 6, ipv6AddressMode: "dhcpv6-stateless" }]).length, 1);
  });

  test("DA-121: leave out subnets that dnsmasq has nothing to do for", () => {
    assert.deepEqual(ranges([{ enableDhcp: false }]), []);
    assert.deepEqual(ranges([{ cidr: "2001:db8::/64", ipVersion: 6, ipv6AddressMode: "slaac", ipv6RaMode: "slaac" }]), []);
    assert.deepEqual(ranges([{ cidr: "2001:db8::/64", ipVersion: 6, ipv6RaMode: "dhcpv6-stateful" }]), []);
    assert.deepEqual(ranges([{ cidr: "2001:db8::/56", ipVersion: 6, ipv6AddressMode: "dhcpv6-stateless" }]), []);
  });

  for (const prefixLength of [0, 1, 41, 63]) {
    test(`DA-127: leave out an IPv6 subnet of /${prefixLength}, which dnsmasq refuses`, () => {
      assert.deepEqual(ranges([{ cidr: `::/${prefixLength}`, ...stateful }]), []);
    });
  }
  for (const prefixLength of [64, 81, 121, 127, 128]) {
    test(`DA-127: serve an IPv6 subnet of /${prefixLength}`, () => {
      assert.equal(ranges([{ cidr: `2001:db8::/${prefixLength}`, ...stateful }]).length, 1);
    });
  }

  test("DA-122: name each resolver, and never those of the host beside them", () => {
    for (const isLocalResolv of [true, false]) {
      const argv = build([{}], { options: { dnsServers: ["9.9.9.9", "2620:fe::fe"], isLocalResolv } });

      assert.deepEqual(
        argv.filter((word) => word.startsWith("--server=")),
        ["--server=9.9.9.9", "--server=2620:fe::fe"],
      );
      assert.ok(argv.includes("--no-resolv"));
    }
  });

  test("DA-123: leave dnsmasq the host's resolvers where that is asked", () => {
    assert.ok(!build([{}], { options: { isLocalResolv: true } }).includes("--no-resolv"));
    assert.ok(build([{}]).includes("--no-resolv"));
  });

  test("DA-124: log everything to a file of the network, or nothing that is routine", () => {
    const argv = build([{}], { context: { logFile: "/log/n1/dhcp_dns_log" } });

    for (const word of ["--log-queries", "--log-dhcp", "--log-facility=/log/n1/dhcp_dns_log"])
      assert.ok(argv.includes(word), word);
    assert.ok(!argv.some((word) => word.startsWith("--quiet")));
    assert.ok(!build([{}]).some((word) => word.startsWith("--log")));
  });

  test("DA-125: allow as many leases as there are addresses, up to the limit", () => {
    const subnets = [{ cidr: "10.1.0.0/24" }, { cidr: "10.2.0.0/23" }];
    assert.ok(build(subnets).includes("--dhcp-lease-max=768"));
    assert.ok(build(subnets, { options: { leaseMax: 700 } }).includes("--dhcp-lease-max=700"));
    assert.ok(build([{ cidr: "2001:db8::/64", ...stateful }]).includes(`--dhcp-lease-max=${2 ** 24}`));
  });

  test("DA-126: carry what the operator chose, and the MTU of the network", () => {
    const options = { isBroadcastReply: true, renewalSeconds: 100, rebindingSeconds: 200, txtRecord: "about,this cloud" };
    const words = [
      "--dhcp-broadcast",
      "--dhcp-option-force=option:T1,100s",
      "--dhcp-option-force=option:T2,200s",
      "--dhcp-option-force=option:mtu,1450",
      "--txt-record=about,this cloud",
    ];

    const argv = build([{}], { options });
    const bare = build([{}], { network: { mtuBytes: 0 } });

    for (const word of words) {
      assert.ok(argv.includes(word), word);
      assert.ok(!bare.includes(word), word);
    }
  });

  test("DA-128: keep strangers from using it as a resolver", () => {
    const argv = build([{}]);

    assert.ok(argv.includes("--local-service"));
    assert.deepEqual(
      argv.filter((word) => /^--(except-)?interface|--listen/.test(word)),
      [],
    );
  });

  test("are never authoritative while a second agent has a port on the network", () => {
    const agents = (count: number) => (subnets: readonly Subnet[]) =>
      Array.from({ length: count }, (_, index) => makeDhcpPort(subnets, [`10.20.0.${index + 2}`]));
    const isAuthoritative = true;

    assert.ok(build([{}], { options: { isAuthoritative }, ports: agents(1) }).includes("--dhcp-authoritative"));
    assert.ok(!build([{}], { options: { isAuthoritative }, ports: agents(2) }).includes("--dhcp-authoritative"));
    assert.ok(!build([{}], { ports: agents(1) }).includes("--dhcp-authoritative"));
  });

  test("name no directory that an older dnsmasq does not know, and no range that it cannot serve", () => {
    const features = { ...currentFeatures, hasDeltaDirectory: false, hasLiveDnsDirectory: false, hasDhcpv6: false };

    const argv = build([{}, { cidr: "2001:db8::/64", ...stateful }], { context: { features } });

    assert.ok(!argv.some((word) => /hostsdir/.test(word)));
    assert.equal(argv.filter((word) => word.startsWith("--dhcp-range")).length, 1);
  });
});
