import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { currentFeatures, type DnsmasqFeatures } from "../../../../src/drivers/dnsmasq/dnsmasq-version.ts";
import { buildPortOptions } from "../../../../src/drivers/dnsmasq/extra-options.ts";
import { buildPortLines, type PortLines } from "../../../../src/drivers/dnsmasq/host-file.ts";
import type { ExtraDhcpOption, Port, Subnet } from "../../../../src/model/network.ts";
import { makeNetwork, makePort, makeSubnet } from "../../../helpers/dhcp-network.ts";

const network = makeNetwork();
const four = makeSubnet(network);
const off = makeSubnet(network, { cidr: "10.40.0.0/24", enableDhcp: false });
const six = (mode: Subnet["ipv6AddressMode"]): Subnet =>
  makeSubnet(network, { cidr: "2001:db8::/64", ipVersion: 6, gatewayIp: null, ipv6AddressMode: mode, ipv6RaMode: mode });
const option = (optName: string, optValue: string, ipVersion: 4 | 6 = 4): ExtraDhcpOption => ({ optName, optValue, ipVersion });
const mac = "fa:16:3e:00:00:01";

interface Given {
  readonly values?: Partial<Port>;
  readonly domain?: string;
  readonly features?: Partial<DnsmasqFeatures>;
}

function build(subnets: readonly Subnet[], addresses: readonly string[], given: Given): { port: Port; lines: PortLines } {
  const port = makePort(subnets, addresses, { macAddress: mac, ...given.values });
  const lines = buildPortLines(port, buildPortOptions(port).lines.length > 0, {
    subnets: new Map(subnets.map((one) => [one.id, one])),
    domain: given.domain ?? "x.org",
    features: { ...currentFeatures, ...given.features },
  });
  return { port, lines };
}

function hostLines(
  subnets: readonly Subnet[],
  addresses: readonly string[],
  values: Partial<Port> = {},
  more: Omit<Given, "values"> = {},
): readonly string[] {
  const { port, lines } = build(subnets, addresses, { values, ...more });
  return lines.host.map((line) => line.text.replace(port.id, "PORT"));
}

function dnsLines(
  subnets: readonly Subnet[],
  addresses: readonly string[],
  values: Partial<Port> = {},
  more: Omit<Given, "values"> = {},
): readonly string[] {
  return build(subnets, addresses, { values, ...more }).lines.dns.map((line) => line.text);
}

describe("host lines", () => {
  test("of an IPv4 address", () => {
    assert.deepEqual(hostLines([four], ["10.20.0.5"]), [`${mac},host-10-20-0-5.x.org,10.20.0.5`]);
    assert.deepEqual(hostLines([four], ["10.20.0.5"], { dnsName: "Web" }), [`${mac},web.x.org,10.20.0.5`]);
    assert.deepEqual(hostLines([four], ["10.20.0.5"], {}, { domain: "" }), [`${mac},host-10-20-0-5,10.20.0.5`]);
  });

  test("DA-131: of a network with IPv4 and IPv6, with and without a domain, with and without tags in host lines", () => {
    const subnets = [four, six("dhcpv6-stateful")];
    const addresses = ["10.20.0.5", "2001:db8::5"];
    const old = { hasHostTags: false };

    assert.deepEqual(hostLines(subnets, addresses), [
      `${mac},host-10-20-0-5.x.org,10.20.0.5`,
      `${mac},tag:dhcpv6,host-2001-db8--5.x.org,[2001:db8::5]`,
    ]);
    assert.deepEqual(hostLines(subnets, addresses, {}, { domain: "" }), [
      `${mac},host-10-20-0-5,10.20.0.5`,
      `${mac},tag:dhcpv6,host-2001-db8--5,[2001:db8::5]`,
    ]);
    assert.deepEqual(hostLines(subnets, addresses, {}, { features: old }), [
      `${mac},host-10-20-0-5.x.org,10.20.0.5`,
      `${mac},host-2001-db8--5.x.org,[2001:db8::5]`,
    ]);
    assert.deepEqual(hostLines(subnets, addresses, {}, { features: old, domain: "" }), [
      `${mac},host-10-20-0-5,10.20.0.5`,
      `${mac},host-2001-db8--5,[2001:db8::5]`,
    ]);
  });

  test("DA-132: stand only for addresses on subnets with DHCP", () => {
    assert.deepEqual(hostLines([four, off], ["10.20.0.5", "10.40.0.5"]), [`${mac},host-10-20-0-5.x.org,10.20.0.5`]);
  });

  test("DA-136: with a slaac subnet are those of IPv4 alone, with the tag of the port", () => {
    assert.deepEqual(
      hostLines([four, six("slaac")], ["10.20.0.5", "2001:db8::5"], { extraDhcpOpts: [option("mtu", "1400")] }),
      [`${mac},host-10-20-0-5.x.org,10.20.0.5,set:port-PORT`],
    );
  });

  test("of a stateful IPv6 address, also when no mode is set", () => {
    const expected = [`${mac},tag:dhcpv6,host-2001-db8--5.x.org,[2001:db8::5]`];
    assert.deepEqual(hostLines([six("dhcpv6-stateful")], ["2001:db8::5"]), expected);
    assert.deepEqual(hostLines([six(null)], ["2001:db8::5"]), expected);
  });

  test("DA-135: of several addresses in one stateful subnet are one", () => {
    const subnet = six("dhcpv6-stateful");
    assert.equal(hostLines([subnet], ["2001:db8::5", "2001:db8::6"], {}, { features: { hasHostTags: false } }).length, 2);
    assert.deepEqual(hostLines([subnet, subnet], ["2001:db8::5", "2001:db8::6"]), [
      `${mac},tag:dhcpv6,host-2001-db8--5.x.org,[2001:db8::5],[2001:db8::6]`,
    ]);
  });

  test("DA-133: with a client-id by name or number, with options, with both", () => {
    assert.deepEqual(hostLines([four], ["10.20.0.5"], { extraDhcpOpts: [option("61", "FF:1")] }), [
      `${mac},id:ff:1,host-10-20-0-5.x.org,10.20.0.5`,
    ]);
    assert.deepEqual(hostLines([four], ["10.20.0.5"], { extraDhcpOpts: [option("client-id", "ff:01")] }), [
      `${mac},id:ff:01,host-10-20-0-5.x.org,10.20.0.5`,
    ]);
    assert.deepEqual(hostLines([four], ["10.20.0.5"], { extraDhcpOpts: [option("mtu", "1400")] }), [
      `${mac},host-10-20-0-5.x.org,10.20.0.5,set:port-PORT`,
    ]);
    assert.deepEqual(hostLines([four], ["10.20.0.5"], { extraDhcpOpts: [option("61", "abc"), option("mtu", "1400")] }), [
      `${mac},id:abc,host-10-20-0-5.x.org,10.20.0.5,set:port-PORT`,
    ]);
  });

  test("DA-065 DA-134: without an address come before those with one: dnsmasq searches backwards", () => {
    const extraDhcpOpts = [option("domain-search", "y.org", 6)];
    assert.deepEqual(hostLines([four, six("dhcpv6-stateless")], ["10.20.0.5", "2001:db8::5"], { extraDhcpOpts }), [
      `${mac},tag:dhcpv6,set:port-PORT`,
      `${mac},host-10-20-0-5.x.org,10.20.0.5,set:port-PORT`,
    ]);
  });

  test("DA-134: are none for a stateless address without options", () => {
    assert.deepEqual(hostLines([six("dhcpv6-stateless")], ["2001:db8::5"]), []);
  });

  test("are not made where dnsmasq gives no address", () => {
    assert.deepEqual(hostLines([off], ["10.40.0.5"]), []);
    assert.deepEqual(hostLines([six("slaac")], ["2001:db8::5"]), []);
    assert.deepEqual(hostLines([six("dhcpv6-stateless")], ["2001:db8::5"]), []);
    for (const deviceOwner of ["network:dhcp", "network:floatingip", "network:router_ha_interface", "network:distributed"]) {
      assert.deepEqual(hostLines([four], ["10.20.0.5"], { deviceOwner }), []);
    }
  });

  test("keep a name that would read as something else out when there is no domain", () => {
    for (const dnsName of ["ignore", "infinite", "120", "5m", "1.2.3.4"]) {
      assert.deepEqual(hostLines([four], ["10.20.0.5"], { dnsName }, { domain: "" }), [`${mac},host-10-20-0-5,10.20.0.5`]);
    }
  });
});

test("a name that makes an address of the domain is not taken", () => {
  assert.deepEqual(hostLines([four], ["10.20.0.5"], { dnsName: "1" }, { domain: "2.3.4" }), [
    `${mac},host-10-20-0-5.2.3.4,10.20.0.5`,
  ]);
});

describe("DNS lines", () => {
  test("name every address, the full name first, also where DHCP is off", () => {
    assert.deepEqual(dnsLines([four, off, six("slaac")], ["10.20.0.5", "10.40.0.5", "2001:db8::5"], { dnsName: "web" }), [
      "10.20.0.5\tweb.x.org web",
      "10.40.0.5\tweb.x.org web",
      "2001:db8::5\tweb.x.org web",
    ]);
  });

  test("without a domain have one name, and a complete name is not made longer", () => {
    assert.deepEqual(dnsLines([four], ["10.20.0.5"], {}, { domain: "" }), ["10.20.0.5\thost-10-20-0-5"]);
    assert.deepEqual(dnsLines([four], ["10.20.0.5"], { dnsName: "web.x.org." }), ["10.20.0.5\tweb.x.org web"]);
  });

  test("of an address that ends with colons have a label that does not end with a dash", () => {
    assert.deepEqual(dnsLines([six("slaac")], ["2001:db8::"]), ["2001:db8::\thost-2001-db8--0.x.org host-2001-db8--0"]);
  });
});

describe("what cannot stand in a line is refused", () => {
  const bad: readonly (readonly [string, Partial<Port>])[] = [
    ["a name with a line break", { dnsName: "a\nb" }],
    ["a name with a comma", { dnsName: "a,b" }],
    ["a name with a space", { dnsName: "a b" }],
    ["a MAC that is none", { macAddress: "fa:16:3e:00:00" }],
    ["a name that begins with an underscore", { dnsName: "_web" }],
    ["a client-id for everybody", { extraDhcpOpts: [option("client-id", "*")] }],
  ];
  for (const [what, values] of bad) {
    test(what, () => {
      assert.throws(() => hostLines([four], ["10.20.0.5"], values), { code: "INVALID" });
    });
  }

  test("an address that is none", () => {
    assert.throws(() => hostLines([four], ["10.20.0.5\n"]), { code: "INVALID" });
  });
});
