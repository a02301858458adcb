import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defaultDnsmasqOptions, type DnsmasqOptions } from "../../../../src/drivers/dnsmasq/dnsmasq-options.ts";
import { buildPortOptions, buildSubnetOptions } from "../../../../src/drivers/dnsmasq/opts-file.ts";
import type { ExtraDhcpOption, Port, Subnet } from "../../../../src/model/network.ts";
import { makeDhcpPort, makeNetwork, makePort, makeSubnet, makeView } from "../../../helpers/dhcp-network.ts";

const network = makeNetwork();

interface Given {
  readonly subnets: readonly Subnet[];
  readonly dhcpAddresses?: readonly string[];
  readonly otherDhcpPorts?: readonly Port[];
  readonly ports?: readonly Port[];
  readonly options?: Partial<DnsmasqOptions>;
  readonly domain?: string;
}

/** Lines of the first subnet only, without its tag. */
function linesOfFirst(given: Given): readonly string[] {
  const [first] = given.subnets;
  const dhcpPort = makeDhcpPort(given.subnets, given.dhcpAddresses ?? ["10.20.0.2"]);
  const lines = buildSubnetOptions({
    view: makeView(network, given.subnets, given.ports ?? []),
    dhcpPort,
    dhcpPorts: [dhcpPort, ...(given.otherDhcpPorts ?? [])],
    domain: given.domain ?? "",
    options: { ...defaultDnsmasqOptions, ...given.options },
  });
  const tag = `tag:subnet-${first?.id},`;
  return lines.filter((line) => line.startsWith(tag)).map((line) => line.slice(tag.length));
}

describe("options of an IPv4 subnet", () => {
  test("with a gateway and nothing else", () => {
    assert.deepEqual(linesOfFirst({ subnets: [makeSubnet(network)] }), ["option:router,10.20.0.1"]);
  });

  test("without a gateway say so: else dnsmasq would name itself", () => {
    assert.deepEqual(linesOfFirst({ subnets: [makeSubnet(network, { gatewayIp: null })] }), ["option:router"]);
  });

  test("name servers are told in the order given; 0.0.0.0 alone announces none", () => {
    const told = (dnsNameservers: readonly string[]): string | undefined =>
      linesOfFirst({ subnets: [makeSubnet(network, { dnsNameservers })] }).find((line) => line.startsWith("option:dns"));

    assert.equal(told(["9.9.9.9", "1.1.1.1"]), "option:dns-server,9.9.9.9,1.1.1.1");
    assert.equal(told(["0.0.0.0"]), "option:dns-server");
    assert.equal(told([]), undefined);
  });

  test("two agents name each other as name servers", () => {
    const subnet = makeSubnet(network);

    const lines = linesOfFirst({ subnets: [subnet], otherDhcpPorts: [makeDhcpPort([subnet], ["10.20.0.3"])] });

    assert.deepEqual(lines, ["option:dns-server,10.20.0.2,10.20.0.3", "option:router,10.20.0.1"]);
  });

  test("host routes go out with both numbers and carry the default route too", () => {
    const subnet = makeSubnet(network, { hostRoutes: [{ destination: "172.16.0.0/12", nexthop: "10.20.0.9" }] });

    assert.deepEqual(linesOfFirst({ subnets: [subnet] }), [
      "option:classless-static-route,172.16.0.0/12,10.20.0.9,0.0.0.0/0,10.20.0.1",
      "249,172.16.0.0/12,10.20.0.9,0.0.0.0/0,10.20.0.1",
      "option:router,10.20.0.1",
    ]);
  });

  test("a host route to everywhere is the gateway where there is none, and nothing where there is one", () => {
    const hostRoutes = [{ destination: "0.0.0.0/0", nexthop: "10.20.0.9" }];

    assert.deepEqual(linesOfFirst({ subnets: [makeSubnet(network, { gatewayIp: null, hostRoutes })] }), [
      "option:router,10.20.0.9",
    ]);
    assert.deepEqual(linesOfFirst({ subnets: [makeSubnet(network, { hostRoutes })] }), ["option:router,10.20.0.1"]);
  });

  test("the network's other subnets are on the link", () => {
    const subnets = [makeSubnet(network), makeSubnet(network, { cidr: "10.30.0.0/24", enableDhcp: false })];

    assert.equal(linesOfFirst({ subnets })[0], "option:classless-static-route,10.30.0.0/24,0.0.0.0,0.0.0.0/0,10.20.0.1");
  });

  test("the metadata address is reached over the router; over the agent where that is asked", () => {
    const subnet = makeSubnet(network);
    const router = makePort([subnet], ["10.20.0.1"], { deviceOwner: "network:router_interface" });
    const elsewhere = makePort([subnet], ["10.20.0.77"], { deviceOwner: "network:router_interface" });
    const nexthop = (given: Omit<Given, "subnets">): string | undefined =>
      /169\.254\.169\.254\/32,([0-9.]+)/.exec(linesOfFirst({ subnets: [subnet], ...given }).join("\n"))?.[1];

    assert.equal(nexthop({}), undefined);
    assert.equal(nexthop({ ports: [router] }), "10.20.0.1");
    assert.equal(nexthop({ ports: [elsewhere] }), undefined);
    assert.equal(nexthop({ options: { hasIsolatedMetadata: true } }), "10.20.0.2");
    assert.equal(nexthop({ ports: [router], options: { hasIsolatedMetadata: true } }), "10.20.0.1");
    assert.equal(nexthop({ ports: [router], options: { isMetadataForced: true } }), "10.20.0.2");
  });

  test("there are none where DHCP is off", () => {
    assert.deepEqual(linesOfFirst({ subnets: [makeSubnet(network, { enableDhcp: false })] }), []);
  });
});

describe("options of an IPv6 subnet", () => {
  const six = (values: Partial<Subnet> = {}): Subnet =>
    makeSubnet(network, {
      cidr: "2001:db8::/64",
      ipVersion: 6,
      gatewayIp: "2001:db8::1",
      ipv6AddressMode: "dhcpv6-stateless",
      ...values,
    });

  test("are name servers in brackets and the domain to search", () => {
    const given = { subnets: [six({ dnsNameservers: ["2001:db8::53"] })], dhcpAddresses: ["2001:db8::2"], domain: "x.org" };

    assert.deepEqual(linesOfFirst(given), ["option6:dns-server,[2001:db8::53]", "option6:domain-search,x.org"]);
  });

  test("announce no name server for ::, and nothing at all with slaac", () => {
    assert.deepEqual(linesOfFirst({ subnets: [six({ dnsNameservers: ["::"] })], dhcpAddresses: [] }), ["option6:dns-server"]);
    assert.deepEqual(linesOfFirst({ subnets: [six({ ipv6AddressMode: "slaac" })], dhcpAddresses: [] }), []);
  });
});

describe("options of a port", () => {
  const subnet = makeSubnet(network);
  const told = (optName: string, optValue: string, ipVersion: 4 | 6 = 4): readonly string[] => {
    const extraDhcpOpts: readonly ExtraDhcpOption[] = [{ optName, optValue, ipVersion }];
    const port = makePort([subnet], ["10.20.0.5"], { extraDhcpOpts });
    return buildPortOptions(port).map((line) => line.replace(port.id, "PORT"));
  };

  test("by name, by number, behind a tag", () => {
    assert.deepEqual(told("bootfile-name", "pxelinux.0"), ["tag:port-PORT,option:bootfile-name,pxelinux.0"]);
    assert.deepEqual(told("150", "10.0.0.9"), ["tag:port-PORT,150,10.0.0.9"]);
    assert.deepEqual(told("tag:ipxe,bootfile-name", "http://x/boot"), [
      "tag:port-PORT,tag:ipxe,option:bootfile-name,http://x/boot",
    ]);
  });

  test("for an IP version that the port has no address of are left out, and so is the client-id", () => {
    assert.deepEqual(told("dns-server", "2001:db8::1", 6), []);
    assert.deepEqual(told("client-id", "abc"), []);
  });

  const bad: readonly (readonly [string, string])[] = [
    ["bootfile-name", "x\ndhcp-script=/bin/evil"],
    ["bootfile-name", "x\rfoo"],
    ["bootfile-name", "x\0"],
    ["bootfile-name", "y".repeat(256)],
    ["boot\nfile", "x"],
    ["tag:a b,mtu", "x"],
    ["", "x"],
  ];
  for (const [name, value] of bad) {
    test(`${JSON.stringify(name)} = ${JSON.stringify(value.slice(0, 30))} is refused`, () => {
      assert.throws(() => told(name, value), { code: "INVALID" });
    });
  }
});
