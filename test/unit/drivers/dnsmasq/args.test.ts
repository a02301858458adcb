import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { buildArguments } from "../../../../src/drivers/dnsmasq/args.ts";
import { defaultDnsmasqOptions, type DnsmasqOptions } from "../../../../src/drivers/dnsmasq/dnsmasq-options.ts";
import type { Subnet } from "../../../../src/model/network.ts";
import { makeNetwork, makeSubnet, makeView } from "../../../helpers/dhcp-network.ts";

const network = makeNetwork();

function build(subnets: readonly Partial<Subnet>[], options: Partial<DnsmasqOptions> = {}): readonly string[] {
  const made = subnets.map((values) => makeSubnet(network, values));
  return buildArguments({
    view: makeView(network, made, []),
    directory: "/var/lib/netloom/dhcp/n1",
    domain: "example.org",
    options: { ...defaultDnsmasqOptions, ...options },
    user: undefined,
  });
}

const ranges = (subnets: readonly Partial<Subnet>[], options: Partial<DnsmasqOptions> = {}): readonly string[] =>
  build(subnets, options)
    .filter((word) => word.startsWith("--dhcp-range="))
    .map((word) => word.replace(/subnet-[0-9a-f-]{36}/, "subnet-ID"));

const stateful = { ipVersion: 6, ipv6AddressMode: "dhcpv6-stateful", ipv6RaMode: "dhcpv6-stateful" } as const;

describe("dnsmasq's arguments", () => {
  test("name the files of the network, and never let the system's configuration in", () => {
    const argv = build([{}]);

    assert.deepEqual(argv.slice(0, 11), [
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
    ]);
    assert.ok(build([{}], { dnsmasqConfigFile: "/etc/x.conf" }).includes("--conf-file=/etc/x.conf"));
  });

  test("keep strangers from using it as a resolver", () => {
    const argv = build([{}]);

    assert.ok(argv.includes("--local-service"));
    assert.deepEqual(
      argv.filter((word) => /^--(except-)?interface/.test(word)),
      [],
    );
  });

  test("give a range to each subnet that is served, by mask or by prefix length", () => {
    assert.deepEqual(ranges([{ cidr: "10.1.0.0/20" }]), ["--dhcp-range=set:subnet-ID,10.1.0.0,static,255.255.240.0,86400s"]);
    assert.deepEqual(ranges([{ cidr: "2001:db8::/64", ...stateful }]), [
      "--dhcp-range=set:subnet-ID,2001:db8::,static,64,86400s",
    ]);
    assert.deepEqual(ranges([{}], { leaseSeconds: -1 }), [
      "--dhcp-range=set:subnet-ID,10.20.0.0,static,255.255.255.0,infinite",
    ]);
  });

  test("treat IPv6 modes that are not set as stateful, and serve options to stateless clients", () => {
    assert.equal(ranges([{ cidr: "2001:db8::/64", ipVersion: 6 }]).length, 1);
    assert.equal(ranges([{ cidr: "2001:db8::/64", ipVersion: 6, ipv6AddressMode: "dhcpv6-stateless" }]).length, 1);
  });

  test("leave out subnets that dnsmasq has nothing to do for", () => {
    assert.deepEqual(ranges([{ enableDhcp: false }]), []);
    assert.deepEqual(ranges([{ cidr: "2001:db8::/64", ipVersion: 6, ipv6AddressMode: "slaac", ipv6RaMode: "slaac" }]), []);
    assert.deepEqual(ranges([{ cidr: "2001:db8::/64", ipVersion: 6, ipv6RaMode: "dhcpv6-stateful" }]), []);
  });

  for (const prefixLength of [0, 1, 41, 63]) {
    test(`leave out an IPv6 subnet of /${prefixLength}, which dnsmasq refuses`, () => {
      assert.deepEqual(ranges([{ cidr: `::/${prefixLength}`, ...stateful }]), []);
    });
  }
  for (const prefixLength of [64, 81, 121, 127, 128]) {
    test(`serve an IPv6 subnet of /${prefixLength}`, () => {
      assert.equal(ranges([{ cidr: `2001:db8::/${prefixLength}`, ...stateful }]).length, 1);
    });
  }

  test("allow as many leases as there are addresses, up to the limit", () => {
    assert.ok(build([{ cidr: "10.1.0.0/24" }, { cidr: "10.2.0.0/23" }]).includes("--dhcp-lease-max=768"));
    assert.ok(build([{ cidr: "2001:db8::/64", ...stateful }]).includes(`--dhcp-lease-max=${2 ** 24}`));
  });

  test("carry what the operator chose", () => {
    const argv = build([{}], {
      dnsServers: ["9.9.9.9", "2620:fe::fe"],
      isAuthoritative: true,
      isBroadcastReply: true,
      renewalSeconds: 100,
      rebindingSeconds: 200,
      leaseScript: "/opt/script",
    });

    for (const word of [
      "--server=9.9.9.9",
      "--server=2620:fe::fe",
      "--dhcp-authoritative",
      "--dhcp-broadcast",
      "--dhcp-option-force=option:T1,100s",
      "--dhcp-option-force=option:T2,200s",
      "--dhcp-script=/opt/script",
      "--dhcp-option-force=option:mtu,1450",
      "--domain=example.org",
    ]) {
      assert.ok(argv.includes(word), word);
    }
    assert.ok(!build([{}]).includes("--dhcp-authoritative"));
  });
});
