import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type MetadataOptions, metadataRouters, noMetadata, planMetadata } from "../../../src/model/metadata-plan.ts";
import type { NetworkView, Port, Subnet } from "../../../src/model/network.ts";
import { makeDhcpPort, makeNetwork, makePort, makeSubnet, makeView } from "../../helpers/dhcp-network.ts";

const isolated: MetadataOptions = { isolated: true, force: false, metadataNetwork: false };
const off: MetadataOptions = { isolated: false, force: false, metadataNetwork: false };
const forced: MetadataOptions = { ...off, force: true };
const withMetadataNetwork: MetadataOptions = { ...isolated, metadataNetwork: true };

const network = makeNetwork();
const blue = makeSubnet(network);
const red6 = makeSubnet(network, { cidr: "2001:db8::/64", ipVersion: 6, gatewayIp: "2001:db8::1", ipv6AddressMode: "slaac" });
const linkLocal = makeSubnet(network, { cidr: "169.254.169.252/30", gatewayIp: null });
const own = { ...makeDhcpPort([blue], ["10.20.0.2"]), deviceId: "dhcp-own" };

const routerPort = (subnet: Subnet, address: string, values: Partial<Port> = {}): Port =>
  makePort([subnet], [address], { deviceOwner: "network:router_interface", deviceId: "router-1", ...values });
const viewOf = (subnets: readonly Subnet[], ...ports: readonly Port[]): NetworkView =>
  makeView(network, subnets, [own, ...ports]);

describe("planMetadata", () => {
  test("DA-075: a subnet whose gateway no router holds is served", () => {
    assert.deepEqual(planMetadata(viewOf([blue]), own, isolated), { v4: true, v6: false, routedSubnetIds: new Set([blue.id]) });
  });

  test("DA-076: a subnet without a gateway is served", () => {
    const bare = { ...blue, gatewayIp: null };

    assert.equal(planMetadata(viewOf([bare]), own, isolated).v4, true);
  });

  for (const deviceOwner of [
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
  ]) {
    test(`DA-077: a subnet whose gateway a ${deviceOwner} holds is left to the router`, () => {
      const view = viewOf([blue], routerPort(blue, "10.20.0.1", { deviceOwner }));

      assert.deepEqual(planMetadata(view, own, isolated), noMetadata);
    });
  }

  test("DA-077: an instance that holds the gateway address is no router", () => {
    const view = viewOf([blue], makePort([blue], ["10.20.0.1"]));

    assert.equal(planMetadata(view, own, isolated).v4, true);
  });

  test("DA-078: a router on another address than the gateway leaves the subnet isolated", () => {
    const view = viewOf([blue], routerPort(blue, "10.20.0.9"));

    assert.deepEqual([...planMetadata(view, own, isolated).routedSubnetIds], [blue.id]);
  });

  test("DA-079: a network without ports is isolated; IPv6 only and dual stack are served too", () => {
    const none = planMetadata(makeView(network, [blue], []), own, isolated);
    const only6 = planMetadata(viewOf([red6]), own, isolated);
    const dual = planMetadata(viewOf([blue, red6]), own, isolated);

    assert.equal(none.v4, true);
    assert.deepEqual(only6, { v4: false, v6: true, routedSubnetIds: new Set() });
    assert.deepEqual([dual.v4, dual.v6], [true, true]);
  });

  test("one isolated subnet is enough, and only it is routed to the DHCP port", () => {
    const green = makeSubnet(network, { cidr: "10.30.0.0/24", gatewayIp: "10.30.0.1" });
    const port = { ...makeDhcpPort([blue, green], ["10.20.0.2", "10.30.0.2"]), deviceId: "dhcp-own" };
    const view = makeView(network, [blue, green], [port, routerPort(blue, "10.20.0.1")]);

    assert.deepEqual([...planMetadata(view, port, isolated).routedSubnetIds], [green.id]);
  });

  test("a subnet on which the DHCP port has no address is not routed to it", () => {
    const green = makeSubnet(network, { cidr: "10.30.0.0/24", gatewayIp: null });

    assert.deepEqual([...planMetadata(viewOf([blue, green]), own, isolated).routedSubnetIds], [blue.id]);
  });

  for (const deviceOwner of ["network:distributed", "network:dhcp"]) {
    test(`DA-080: with OVN's own metadata port (${deviceOwner}) never, even if forced`, () => {
      const ovn = makePort([blue], ["10.20.0.3"], { deviceOwner, deviceId: `ovnmeta-${network.id}` });

      assert.deepEqual(planMetadata(viewOf([blue], ovn), own, { ...withMetadataNetwork, force: true }), noMetadata);
    });
  }

  test("DA-081: not asked for, a metadata network is not served either", () => {
    const view = viewOf([linkLocal], routerPort(linkLocal, "169.254.169.253"));

    assert.deepEqual(planMetadata(view, own, { ...off, metadataNetwork: true }), noMetadata);
  });

  test("DA-082: a metadata network is served for its router", () => {
    const routed = { ...linkLocal, gatewayIp: "169.254.169.253" };
    const view = viewOf([routed], routerPort(routed, "169.254.169.253"));

    const plan = planMetadata(view, own, withMetadataNetwork);

    assert.equal(plan.v4, true);
    assert.equal(plan.routerId, "router-1");
    assert.equal(planMetadata(view, own, isolated).v4, false, "an ordinary network when metadata networks are off");
  });

  test("DA-082: a metadata network without a router is served for its own instances", () => {
    const plan = planMetadata(viewOf([linkLocal]), own, withMetadataNetwork);

    assert.equal(plan.v4, true);
    assert.equal(plan.routerId, undefined);
  });

  test("a network around 169.254.0.0/16 is no metadata network", () => {
    const wide = makeSubnet(network, { cidr: "169.0.0.0/8", gatewayIp: "169.0.0.1" });
    const view = viewOf([wide], routerPort(wide, "169.0.0.1"));

    assert.deepEqual(planMetadata(view, own, withMetadataNetwork), noMetadata);
  });

  test("DA-083: of several routers on a metadata network the first port's is taken", () => {
    const one = routerPort(linkLocal, "169.254.169.253", { deviceId: "router-1" });
    const other = routerPort(linkLocal, "169.254.169.254", { deviceId: "router-2" });
    const view = viewOf([linkLocal], one, other);

    const first = one.id < other.id ? "router-1" : "router-2";
    assert.equal(planMetadata(view, own, withMetadataNetwork).routerId, first);
    assert.equal(metadataRouters(view).length, 2);
  });

  test("DA-084: forced, every network with a DHCP subnet is served, and none without", () => {
    const routed = viewOf([blue], routerPort(blue, "10.20.0.1"));
    const silent = viewOf([{ ...blue, enableDhcp: false }]);

    assert.deepEqual([...planMetadata(routed, own, forced).routedSubnetIds], [blue.id]);
    assert.deepEqual(planMetadata(silent, own, forced), noMetadata);
  });

  test("DA-085: IPv6 needs one own DHCP port that is up; other agents' ports do not count", () => {
    const foreign = makePort([red6], ["2001:db8::3"], { deviceOwner: "network:dhcp", deviceId: "dhcp-other" });
    const twin = { ...foreign, deviceId: own.deviceId };

    assert.equal(planMetadata(viewOf([blue, red6], foreign), own, isolated).v6, true);
    const twins = planMetadata(viewOf([blue, red6], twin), own, isolated);
    assert.deepEqual([twins.v4, twins.v6], [true, false]);
    assert.match(twins.ipv6Refusal ?? "", /several dhcp ports/);
    const down = planMetadata(viewOf([blue, red6]), { ...own, adminStateUp: false }, isolated);
    assert.deepEqual([down.v4, down.v6], [true, false]);
    const none = planMetadata(viewOf([blue, red6]), undefined, isolated);
    assert.deepEqual([none.v4, none.v6], [true, false]);
    assert.match(none.ipv6Refusal ?? "", /no dhcp port/);
  });

  test("DA-087: on a host or a link without IPv6 only the IPv4 address is planned", () => {
    const narrow = { ...viewOf([blue, red6]), network: { ...network, mtuBytes: 1200 } };

    const without = planMetadata(viewOf([blue, red6]), own, { ...isolated, hasIpv6: false });
    assert.equal(without.v6, false);
    assert.equal(without.ipv6Refusal, undefined, "nothing to complain about");
    assert.equal(planMetadata(narrow, own, isolated).v6, false);
    assert.equal(planMetadata(viewOf([blue, red6]), own, { ...isolated, hasIpv6: false }).v4, true);
  });
});
