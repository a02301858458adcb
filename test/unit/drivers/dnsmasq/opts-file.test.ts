import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { buildSubnetOptions } from "../../../../src/drivers/dnsmasq/opts-file.ts";
import type { Note } from "../../../../src/drivers/dnsmasq/notes.ts";
import { type MetadataPlan, noMetadata } from "../../../../src/model/metadata-plan.ts";
import type { Port, Subnet } from "../../../../src/model/network.ts";
import { makeDhcpPort, makeNetwork, makePort, makeSubnet, makeView } from "../../../helpers/dhcp-network.ts";

const network = makeNetwork();

interface Given {
  readonly subnets: readonly Subnet[];
  readonly dhcpAddresses?: readonly string[];
  readonly otherDhcpPorts?: readonly Port[];
  readonly ports?: readonly Port[];
  /** The first subnet's clients are told to reach metadata through the DHCP port. */
  readonly isMetadataRouted?: boolean;
  readonly domain?: string;
}

function planOf({ subnets, isMetadataRouted }: Given): MetadataPlan {
  const [first] = subnets;
  if (isMetadataRouted !== true || first === undefined) return noMetadata;
  return { v4: true, v6: false, routedSubnetIds: new Set([first.id]) };
}

function build(given: Given): { readonly lines: readonly string[]; readonly notes: readonly Note[] } {
  const dhcpPort = makeDhcpPort(given.subnets, given.dhcpAddresses ?? ["10.20.0.2"]);
  return buildSubnetOptions({
    view: makeView(network, given.subnets, given.ports ?? []),
    dhcpPort,
    dhcpPorts: [dhcpPort, ...(given.otherDhcpPorts ?? [])],
    domain: given.domain ?? "",
    metadata: planOf(given),
  });
}

/** Lines of one subnet, the first unless told otherwise, without its tag. */
function linesOf(given: Given, subnet = given.subnets[0]): readonly string[] {
  const tag = `tag:subnet-${subnet?.id},`;
  return build(given)
    .lines.filter((line) => line.startsWith(tag))
    .map((line) => line.slice(tag.length));
}

const routesOf = (lines: readonly string[]): string | undefined =>
  lines.find((line) => line.startsWith("option:classless-static-route,"))?.slice("option:classless-static-route,".length);

const makeSix = (values: Partial<Subnet> = {}): Subnet =>
  makeSubnet(network, {
    cidr: "2001:db8::/64",
    ipVersion: 6,
    gatewayIp: "2001:db8::1",
    ipv6AddressMode: "dhcpv6-stateless",
    ...values,
  });

describe("options of an IPv4 subnet", () => {
  test("DA-138: with a gateway and nothing else", () => {
    assert.deepEqual(linesOf({ subnets: [makeSubnet(network)] }), ["option:router,10.20.0.1"]);
  });

  test("DA-142: without a gateway say so: else dnsmasq would name itself", () => {
    assert.deepEqual(linesOf({ subnets: [makeSubnet(network, { gatewayIp: null })] }), ["option:router"]);
  });

  test("DA-139: name servers are told in the order given; 0.0.0.0 alone announces none", () => {
    const told = (dnsNameservers: readonly string[]): string | undefined =>
      linesOf({ subnets: [makeSubnet(network, { dnsNameservers })] }).find((line) => line.startsWith("option:dns"));

    assert.equal(told(["9.9.9.9", "1.1.1.1"]), "option:dns-server,9.9.9.9,1.1.1.1");
    assert.equal(told(["0.0.0.0"]), "option:dns-server");
    assert.equal(told([]), undefined);
  });

  test("DA-139: two agents name each other as name servers", () => {
    const subnet = makeSubnet(network);

    const lines = linesOf({ subnets: [subnet], otherDhcpPorts: [makeDhcpPort([subnet], ["10.20.0.3"])] });

    assert.deepEqual(lines, ["option:dns-server,10.20.0.2,10.20.0.3", "option:router,10.20.0.1"]);
  });

  test("DA-138: host routes go out with both numbers and carry the default route too", () => {
    const subnet = makeSubnet(network, { hostRoutes: [{ destination: "172.16.0.0/12", nexthop: "10.20.0.9" }] });

    assert.deepEqual(linesOf({ subnets: [subnet] }), [
      "option:classless-static-route,172.16.0.0/12,10.20.0.9,0.0.0.0/0,10.20.0.1",
      "249,172.16.0.0/12,10.20.0.9,0.0.0.0/0,10.20.0.1",
      "option:router,10.20.0.1",
    ]);
  });

  test("DA-138: a host route to everywhere is the gateway where there is none, and nothing where there is one", () => {
    const hostRoutes = [{ destination: "0.0.0.0/0", nexthop: "10.20.0.9" }];

    assert.deepEqual(linesOf({ subnets: [makeSubnet(network, { gatewayIp: null, hostRoutes })] }), ["option:router,10.20.0.9"]);
    assert.deepEqual(linesOf({ subnets: [makeSubnet(network, { hostRoutes })] }), ["option:router,10.20.0.1"]);
  });

  test("DA-140: a subnet with DHCP off is on the link of the one with it, whether or not routers are on both", () => {
    const [on, off] = [makeSubnet(network), makeSubnet(network, { cidr: "10.30.0.0/24", enableDhcp: false })];
    const routers = [
      makePort([on], ["10.20.0.1"], { deviceOwner: "network:router_interface" }),
      makePort([off], ["10.30.0.1"], { deviceOwner: "network:router_interface" }),
    ];

    assert.equal(routesOf(linesOf({ subnets: [on, off] })), "10.30.0.0/24,0.0.0.0,0.0.0.0/0,10.20.0.1");
    assert.equal(
      routesOf(linesOf({ subnets: [on, off], ports: routers })),
      "10.30.0.0/24,0.0.0.0,169.254.169.254/32,10.20.0.1,0.0.0.0/0,10.20.0.1",
    );
    assert.deepEqual(linesOf({ subnets: [on, off] }, off), []);
  });

  test("DA-141: two subnets with DHCP are on each other's link, before all other routes", () => {
    const hostRoutes = [{ destination: "172.16.0.0/12", nexthop: "10.20.0.9" }];
    const [one, two] = [makeSubnet(network, { hostRoutes }), makeSubnet(network, { cidr: "10.30.0.0/24", gatewayIp: null })];
    const subnets = [one, two];

    assert.equal(routesOf(linesOf({ subnets }, one)), "10.30.0.0/24,0.0.0.0,172.16.0.0/12,10.20.0.9,0.0.0.0/0,10.20.0.1");
    assert.equal(routesOf(linesOf({ subnets }, two)), "10.20.0.0/24,0.0.0.0");
  });

  test("DA-141: subnets of other segments are not on the link", () => {
    const [one, two, foreign] = [
      makeSubnet(network, { segmentId: "s1" }),
      makeSubnet(network, { cidr: "10.30.0.0/24", segmentId: "s1" }),
      makeSubnet(network, { cidr: "10.40.0.0/24", segmentId: "s2" }),
    ];

    assert.equal(routesOf(linesOf({ subnets: [one, foreign] })), undefined);
    assert.equal(routesOf(linesOf({ subnets: [one, two, foreign] })), "10.30.0.0/24,0.0.0.0,0.0.0.0/0,10.20.0.1");
  });

  test("DA-144: a subnet on which this agent has no address has its options all the same", () => {
    const local = makeSubnet(network, { segmentId: "s1" });
    const other = makeSubnet(network, {
      ...{ cidr: "10.30.0.0/24", gatewayIp: "10.30.0.1", segmentId: "s2", dnsNameservers: ["9.9.9.9"] },
      hostRoutes: [{ destination: "172.16.0.0/12", nexthop: "10.30.0.9" }],
    });
    const six = makeSix({ segmentId: "s2", dnsNameservers: ["2001:db8::53"] });
    const subnets = [local, other, six];

    assert.deepEqual(linesOf({ subnets, domain: "x.org" }, other), [
      "option:dns-server,9.9.9.9",
      "option:domain-name,x.org",
      "option:domain-search,x.org",
      "option:classless-static-route,172.16.0.0/12,10.30.0.9,0.0.0.0/0,10.30.0.1",
      "249,172.16.0.0/12,10.30.0.9,0.0.0.0/0,10.30.0.1",
      "option:router,10.30.0.1",
    ]);
    assert.deepEqual(linesOf({ subnets, domain: "x.org" }, six), [
      "option6:dns-server,[2001:db8::53]",
      "option6:domain-search,x.org",
    ]);
    assert.deepEqual(linesOf({ subnets }, local), ["option:router,10.20.0.1"], "its clients hear nothing of the others");
  });

  test("routes for which there is no room are left out, the tenant's own last, and said", () => {
    const hostRoutes = [{ destination: "172.16.0.1/32", nexthop: "10.20.0.9" }];
    const first = makeSubnet(network, { hostRoutes });
    const others = Array.from({ length: 40 }, (_, index) =>
      makeSubnet(network, { cidr: `10.${100 + index}.0.0/24`, enableDhcp: false }),
    );

    const { lines, notes } = build({ subnets: [first, ...others] });
    const routes = routesOf(linesOf({ subnets: [first, ...others] })) ?? "";

    assert.ok(lines.every((line) => line.length < 1024));
    assert.ok(routes.split(",").length > 40);
    assert.match(routes, /172\.16\.0\.1\/32,10\.20\.0\.9,0\.0\.0\.0\/0,10\.20\.0\.1$/);
    assert.equal(notes.length, 1);
    assert.match(notes[0]?.text ?? "", /routes have no room/);
    assert.equal(notes[0]?.subnetId, first.id);
  });

  test("an address of the wrong family, which no client could use, is not told", () => {
    const hostRoutes = [{ destination: "2001:db8::/64", nexthop: "10.20.0.9" }];
    const given = { dnsNameservers: ["2001:db8::53", "9.9.9.9"], hostRoutes };

    assert.deepEqual(linesOf({ subnets: [makeSubnet(network, given)] }), [
      "option:dns-server,9.9.9.9",
      "option:router,10.20.0.1",
    ]);
  });

  test("the domain is told as the client's own and as the one to search", () => {
    const lines = linesOf({ subnets: [makeSubnet(network)], domain: "x.org" });

    assert.deepEqual(lines.slice(0, 2), ["option:domain-name,x.org", "option:domain-search,x.org"]);
  });

  describe("DA-151: the route to metadata", () => {
    const subnet = makeSubnet(network);
    const nexthop = (given: Omit<Given, "subnets"> = {}, subnets: readonly Subnet[] = [subnet]): string | undefined =>
      /169\.254\.169\.254\/32,([0-9.]+)/.exec(linesOf({ subnets, ...given }).join("\n"))?.[1];
    const router = (owner: string, address = "10.20.0.1"): Port => makePort([subnet], [address], { deviceOwner: owner });

    test("is none on an isolated subnet that nobody serves", () => {
      assert.equal(nexthop(), undefined);
    });

    for (const owner of [
      "network:router_interface",
      "network:router_interface_distributed",
      "network:ha_router_replicated_interface",
    ]) {
      test(`DA-143: is over a router of kind ${owner}`, () => {
        assert.equal(nexthop({ ports: [router(owner)] }), "10.20.0.1");
        assert.equal(nexthop({ ports: [router(owner, "10.20.0.77")] }), undefined, "it is not the gateway");
      });
    }

    test("DA-142: is over the agent where the plan says so: isolated, or forced; the default route stays", () => {
      assert.equal(nexthop({ isMetadataRouted: true }), "10.20.0.2");
      assert.equal(nexthop({ isMetadataRouted: true, ports: [router("network:router_interface")] }), "10.20.0.2");
      assert.equal(
        routesOf(linesOf({ subnets: [subnet], isMetadataRouted: true })),
        "169.254.169.254/32,10.20.0.2,0.0.0.0/0,10.20.0.1",
      );
    });

    test("DA-142: without a gateway is the only one, and the router option is empty", () => {
      const closed = makeSubnet(network, { gatewayIp: null });

      assert.deepEqual(linesOf({ subnets: [closed], isMetadataRouted: true }), [
        "option:classless-static-route,169.254.169.254/32,10.20.0.2",
        "249,169.254.169.254/32,10.20.0.2",
        "option:router",
      ]);
    });

    test("is none on a subnet where the agent has no address", () => {
      assert.equal(nexthop({ isMetadataRouted: true, dhcpAddresses: [] }), undefined);
    });

    test("is over OVN's own port where there is one, and not there twice when the tenant gave one", () => {
      const ovn = makePort([subnet], ["10.20.0.3"], { deviceOwner: "network:distributed", deviceId: "ovnmeta-n" });
      const own = makeSubnet(network, { hostRoutes: [{ destination: "169.254.169.254/32", nexthop: "10.20.0.9" }] });

      assert.equal(nexthop({ ports: [ovn, router("network:router_interface")] }), "10.20.0.3");
      assert.equal(routesOf(linesOf({ subnets: [own], isMetadataRouted: true }))?.match(/254\/32/g)?.length, 1);
    });
  });

  test("there are none where DHCP is off", () => {
    assert.deepEqual(linesOf({ subnets: [makeSubnet(network, { enableDhcp: false })] }), []);
  });
});

describe("options of an IPv6 subnet", () => {
  test("are name servers in brackets and the domain to search", () => {
    const given = { subnets: [makeSix({ dnsNameservers: ["2001:db8::53"] })], dhcpAddresses: ["2001:db8::2"], domain: "x.org" };

    assert.deepEqual(linesOf(given), ["option6:dns-server,[2001:db8::53]", "option6:domain-search,x.org"]);
  });

  test("DA-149: announce no name server for ::, and nothing at all with slaac", () => {
    assert.deepEqual(linesOf({ subnets: [makeSix({ dnsNameservers: ["::"] })], dhcpAddresses: [] }), ["option6:dns-server"]);
    assert.deepEqual(linesOf({ subnets: [makeSix({ ipv6AddressMode: "slaac" })], dhcpAddresses: [] }), []);
  });

  test("DA-148: are those of stateful clients where no mode is set, and never a route", () => {
    const subnet = makeSix({ ipv6AddressMode: null, hostRoutes: [{ destination: "2001:db8:9::/64", nexthop: "2001:db8::9" }] });

    const lines = linesOf({ subnets: [subnet], dhcpAddresses: ["2001:db8::2"], domain: "x.org", isMetadataRouted: true });

    assert.deepEqual(lines, ["option6:domain-search,x.org"]);
  });

  test("DA-139: name all agents' addresses where there are several", () => {
    const subnet = makeSix();
    const otherDhcpPorts = [makeDhcpPort([subnet], ["2001:db8::3"])];

    assert.deepEqual(linesOf({ subnets: [subnet], dhcpAddresses: ["2001:db8::2"], otherDhcpPorts }), [
      "option6:dns-server,[2001:db8::2],[2001:db8::3]",
    ]);
  });
});

test("DA-138: of a network with IPv4 and IPv6 stand apart by the tags of their subnets", () => {
  const [four, six] = [makeSubnet(network), makeSix({ dnsNameservers: ["2001:db8::53"] })];

  const { lines } = build({ subnets: [four, six], dhcpAddresses: ["10.20.0.2", "2001:db8::2"] });

  assert.deepEqual(
    lines.toSorted(),
    [`tag:subnet-${four.id},option:router,10.20.0.1`, `tag:subnet-${six.id},option6:dns-server,[2001:db8::53]`].toSorted(),
  );
});
