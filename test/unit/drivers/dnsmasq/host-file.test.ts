import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { buildPortLines } from "../../../../src/drivers/dnsmasq/host-file.ts";
import type { ExtraDhcpOption, Port, Subnet } from "../../../../src/model/network.ts";
import { makeNetwork, makePort, makeSubnet } from "../../../helpers/dhcp-network.ts";

const network = makeNetwork();
const four = makeSubnet(network);
const off = makeSubnet(network, { cidr: "10.40.0.0/24", enableDhcp: false });
const six = (mode: Subnet["ipv6AddressMode"]): Subnet =>
  makeSubnet(network, { cidr: "2001:db8::/64", ipVersion: 6, gatewayIp: null, ipv6AddressMode: mode, ipv6RaMode: mode });
const option = (optName: string, optValue: string, ipVersion: 4 | 6 = 4): ExtraDhcpOption => ({ optName, optValue, ipVersion });
const mac = "fa:16:3e:00:00:01";

function hostLines(
  subnets: readonly Subnet[],
  addresses: readonly string[],
  values: Partial<Port> = {},
  domain = "x.org",
): readonly string[] {
  const port = makePort(subnets, addresses, { macAddress: mac, ...values });
  const lines = buildPortLines(port, new Map(subnets.map((one) => [one.id, one])), domain);
  return lines.host.map((line) => line.text.replace(port.id, "PORT"));
}

function dnsLines(
  subnets: readonly Subnet[],
  addresses: readonly string[],
  values: Partial<Port> = {},
  domain = "x.org",
): readonly string[] {
  const port = makePort(subnets, addresses, { macAddress: mac, ...values });
  return buildPortLines(port, new Map(subnets.map((one) => [one.id, one])), domain).dns.map((line) => line.text);
}

describe("host lines", () => {
  test("of an IPv4 address", () => {
    assert.deepEqual(hostLines([four], ["10.20.0.5"]), [`${mac},host-10-20-0-5.x.org,10.20.0.5`]);
    assert.deepEqual(hostLines([four], ["10.20.0.5"], { dnsName: "Web" }), [`${mac},web.x.org,10.20.0.5`]);
    assert.deepEqual(hostLines([four], ["10.20.0.5"], {}, ""), [`${mac},host-10-20-0-5,10.20.0.5`]);
  });

  test("of a stateful IPv6 address, also when no mode is set", () => {
    const expected = [`${mac},tag:dhcpv6,host-2001-db8--5.x.org,[2001:db8::5]`];
    assert.deepEqual(hostLines([six("dhcpv6-stateful")], ["2001:db8::5"]), expected);
    assert.deepEqual(hostLines([six(null)], ["2001:db8::5"]), expected);
  });

  test("of several addresses in one stateful subnet are one", () => {
    const subnet = six("dhcpv6-stateful");
    assert.deepEqual(hostLines([subnet, subnet], ["2001:db8::5", "2001:db8::6"]), [
      `${mac},tag:dhcpv6,host-2001-db8--5.x.org,[2001:db8::5],[2001:db8::6]`,
    ]);
  });

  test("with a client-id, with options, with both", () => {
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

  test("without an address come before those with one: dnsmasq searches backwards", () => {
    const extraDhcpOpts = [option("domain-search", "y.org", 6)];
    assert.deepEqual(hostLines([four, six("dhcpv6-stateless")], ["10.20.0.5", "2001:db8::5"], { extraDhcpOpts }), [
      `${mac},tag:dhcpv6,set:port-PORT`,
      `${mac},host-10-20-0-5.x.org,10.20.0.5,set:port-PORT`,
    ]);
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
    for (const dnsName of ["ignore", "infinite", "120", "5m"]) {
      assert.deepEqual(hostLines([four], ["10.20.0.5"], { dnsName }, ""), [`${mac},host-10-20-0-5,10.20.0.5`]);
    }
  });
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
    assert.deepEqual(dnsLines([four], ["10.20.0.5"], {}, ""), ["10.20.0.5\thost-10-20-0-5"]);
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
    ["a client-id with a comma", { extraDhcpOpts: [option("client-id", "a,b")] }],
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
