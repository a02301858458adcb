import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type InsideState, nothingInside, planInside } from "../../../src/device-manager/device-plan.ts";
import { buildDeviceSpec, type DeviceSpec, type DeviceWish, specFingerprint } from "../../../src/device-manager/device-spec.ts";
import { operationText } from "../../../src/linux/namespace-worker.ts";
import { noMetadata } from "../../../src/model/metadata-plan.ts";
import type { NetworkView, Port, Subnet } from "../../../src/model/network.ts";
import { makeDhcpPort, makeNetwork, makeSubnet, makeView } from "../../helpers/dhcp-network.ts";

const network = makeNetwork();

function buildSpec(view: NetworkView, dhcpPort: Port, wish: Partial<DeviceWish> = {}): DeviceSpec {
  const common = { namespacePrefix: "", bridge: "brq", metadata: noMetadata, hasIpv6: true };
  return buildDeviceSpec({ ...common, view, dhcpPort, ...wish });
}

function specOf(subnets: readonly Partial<Subnet>[], addresses: readonly string[], wish: Partial<DeviceWish> = {}): DeviceSpec {
  const made = subnets.map((values, index) => ({ ...makeSubnet(network, values), id: idOf(index) }));
  return buildSpec(makeView(network, made, []), makeDhcpPort(made, addresses), wish);
}

// In the order given: views are sorted by id.
const idOf = (index: number): Subnet["id"] => `00000000-0000-4000-8000-00000000000${index}` as Subnet["id"];

describe("what the DHCP device must be", () => {
  const gateways = (subnets: readonly Partial<Subnet>[], addresses: readonly string[]): readonly string[] =>
    specOf(subnets, addresses).defaultRoutes.map((route) => route.gateway + (route.isOffSubnet ? " off" : ""));

  test("DA-184: has the addresses on served subnets, with the subnet's prefix", () => {
    const subnets = [{ cidr: "10.1.0.0/20" }, { cidr: "10.2.0.0/24", enableDhcp: false }];

    assert.deepEqual(specOf(subnets, ["10.1.0.2", "10.2.0.2"]).addresses, ["10.1.0.2/20"]);
  });

  test("DA-193: routes over the gateway of the first served subnet that has one and an address of ours", () => {
    const subnets = [
      { cidr: "10.1.0.0/24", gatewayIp: "10.1.0.1", enableDhcp: false },
      { cidr: "10.2.0.0/24", gatewayIp: null },
      { cidr: "10.3.0.0/24", gatewayIp: "10.3.0.1" },
      { cidr: "10.4.0.0/24", gatewayIp: "10.4.0.1" },
    ];

    assert.deepEqual(gateways(subnets, ["10.1.0.2", "10.2.0.2", "10.3.0.2", "10.4.0.2"]), ["10.3.0.1"]);
    assert.deepEqual(gateways(subnets.slice(2, 3), []), []);
  });

  test("DA-193, DA-194: has a default route for each IP version, IPv6 by its own rules", () => {
    const six = { cidr: "2001:db8::/64", ipVersion: 6, gatewayIp: "fe80::1" } as const;

    assert.deepEqual(gateways([{}, six], ["10.20.0.2", "2001:db8::2"]), ["10.20.0.1", "fe80::1"]);
    assert.deepEqual(gateways([{ ...six, cidr: "2001:db8::/127" }], ["2001:db8::2"]), []);
    assert.deepEqual(gateways([{ ...six, cidr: "2001:db8::/80", ipv6AddressMode: "slaac" }], ["2001:db8::2"]), []);
    assert.deepEqual(gateways([{ ...six, gatewayIp: "2001:db9::1" }], ["2001:db8::2"]), ["2001:db9::1 off"]);
  });

  test("has no IPv6 on a link that is too small for it", () => {
    const view = makeView(makeNetwork({ mtuBytes: 1200 }), [makeSubnet(network, { cidr: "2001:db8::/64", ipVersion: 6 })], []);

    assert.deepEqual(buildSpec(view, makeDhcpPort(view.subnets, ["2001:db8::2"])).addresses, []);
  });

  test("has a fingerprint that the order of addresses does not change", () => {
    const subnet = { ...makeSubnet(network), id: idOf(0) };
    const port = makeDhcpPort([subnet], ["10.20.0.2", "10.20.0.3"]);
    const turned = { ...port, fixedIps: port.fixedIps.toReversed() };
    const view = makeView(network, [subnet], []);

    assert.equal(specFingerprint(buildSpec(view, port)), specFingerprint(buildSpec(view, turned)));
  });
});

describe("the plan for the inside of a namespace", () => {
  const spec = specOf([{}], ["10.20.0.2"]);
  const complete: InsideState = {
    devices: [
      { name: "lo", macAddress: "00:00:00:00:00:00", mtuBytes: 65536, isUp: true, addresses: [] },
      {
        name: spec.device,
        macAddress: spec.macAddress,
        mtuBytes: 1450,
        isUp: true,
        addresses: [
          { address: "10.20.0.2", prefixLength: 24, scope: "global", isDynamic: false },
          { address: "fe80::1", prefixLength: 64, scope: "link", isDynamic: false },
        ],
      },
    ],
    routes: [{ destination: "0.0.0.0/0", gateway: "10.20.0.1", device: spec.device, isStatic: true }],
  };
  const plan = (wanted: DeviceSpec, actual: InsideState, hasIpv6 = true): readonly string[] =>
    planInside(wanted, actual, hasIpv6).map(operationText);
  const withDevice = (change: Partial<InsideState["devices"][number]>): InsideState => ({
    ...complete,
    devices: complete.devices.map((one) => (one.name === spec.device ? { ...one, ...change } : one)),
  });

  test("DA-189: forbids router advertisements on default and on the device while it is still down", () => {
    const lines = plan(spec, nothingInside);

    const up = lines.indexOf(`link set ${spec.device} up`);
    for (const device of ["default", spec.device]) {
      const at = lines.indexOf(`sysctl net/ipv6/conf/${device}/accept_ra=0`);
      assert.ok(at >= 0 && at < up, `${device} before up`);
    }
  });

  test("DA-189: sets nothing of IPv6 on a host without it", () => {
    assert.deepEqual(
      plan(spec, nothingInside, false).filter((line) => line.includes("ipv6")),
      [],
    );
  });

  test("DA-193: of a complete device is empty", () => {
    assert.deepEqual(plan(spec, complete), []);
  });

  test("DA-193: adds a default route, changes it, and deletes it only where there is one, for IPv4 and IPv6 alike", () => {
    const six = { cidr: "2001:db8::/64", ipVersion: 6, gatewayIp: "2001:db8::1" } as const;
    const both = specOf([{ gatewayIp: "10.20.0.9" }, six], ["10.20.0.2", "2001:db8::2"]);
    const none = specOf([{ gatewayIp: null }, { ...six, gatewayIp: null }], ["10.20.0.2", "2001:db8::2"]);
    const routesOf = (wanted: DeviceSpec, routes: InsideState["routes"]): readonly string[] =>
      plan({ ...wanted, device: spec.device, macAddress: spec.macAddress }, { ...complete, routes }).filter((line) =>
        line.startsWith("route"),
      );
    const device = spec.device;
    const routes6 = { destination: "::/0", gateway: "2001:db8::9", device, isStatic: true };

    assert.deepEqual(routesOf(both, []), [
      `route replace 0.0.0.0/0 via 10.20.0.9 dev ${device} proto static`,
      `route replace ::/0 via 2001:db8::1 dev ${device} proto static`,
    ]);
    assert.deepEqual(routesOf(both, [...complete.routes, routes6]), routesOf(both, []));
    assert.deepEqual(routesOf(none, [...complete.routes, routes6]), [
      `route del 0.0.0.0/0 dev ${device} proto static`,
      `route del ::/0 dev ${device} proto static`,
    ]);
    assert.deepEqual(routesOf(none, []), []);
  });

  test("DA-194: a gateway outside the subnet is made reachable first; one that was replaced goes", () => {
    const off = specOf([{ gatewayIp: "192.0.2.9" }], ["10.20.0.2"]);
    const before = { destination: "192.0.2.1", gateway: undefined, device: spec.device, isStatic: true };

    const lines = plan(
      { ...off, device: spec.device, macAddress: spec.macAddress },
      { ...complete, routes: [...complete.routes, before] },
    );

    assert.deepEqual(lines, [
      `route replace 192.0.2.9 dev ${spec.device} proto static`,
      `route replace 0.0.0.0/0 via 192.0.2.9 dev ${spec.device} proto static`,
      `route del 192.0.2.1 dev ${spec.device} proto static`,
    ]);
  });

  test("DA-195: takes away addresses, routes and ports of this network that do not belong, and no others", () => {
    const [, device] = complete.devices;
    if (device === undefined) throw new Error("no device");
    const lines = plan(spec, {
      devices: [...complete.devices, { ...device, name: "ns-old" }, { ...device, name: "sit0" }],
      routes: [...complete.routes, { destination: "10.20.0.0/24", gateway: undefined, device: spec.device, isStatic: false }],
    });

    assert.deepEqual(lines, ["link del ns-old"]);
  });

  test("DA-196: sets the MTU on a device that is up", () => {
    assert.deepEqual(plan({ ...spec, mtuBytes: 1400 }, complete), [`link set ${spec.device} mtu 1400 up`]);
  });

  test("a device with another MAC address is taken down for the change", () => {
    const lines = plan(spec, withDevice({ macAddress: "fa:16:3e:00:00:99" }));

    assert.deepEqual(lines, [`link set ${spec.device} address ${spec.macAddress} down`, `link set ${spec.device} up`]);
  });

  test("DA-199: an address that was learnt is replaced by the same one, static", () => {
    const six = specOf([{ cidr: "2001:db8::/64", ipVersion: 6, gatewayIp: null }], ["2001:db8::2"]);
    const wanted = { ...six, device: spec.device, macAddress: spec.macAddress };
    const learnt = { address: "2001:db8::2", prefixLength: 64, scope: "global", isDynamic: true };

    assert.deepEqual(plan(wanted, { ...withDevice({ addresses: [learnt] }), routes: [] }), [
      `addr del 2001:db8::2/64 dev ${spec.device}`,
      `addr add 2001:db8::2/64 dev ${spec.device} nodad`,
    ]);
  });

  describe("metadata addresses", () => {
    const six = { cidr: "2001:db8::/64", ipVersion: 6, gatewayIp: null } as const;
    const both = { ...noMetadata, v4: true, v6: true };
    const addressesOf = (subnets: readonly Partial<Subnet>[], wish: Partial<DeviceWish>): readonly string[] =>
      specOf(subnets, [], wish).addresses;

    test("DA-188: only as the plan says; the IPv6 one only with an IPv6 subnet and on a host with IPv6", () => {
      assert.deepEqual(addressesOf([{}, six], {}), []);
      assert.deepEqual(addressesOf([{}], { metadata: both }), ["169.254.169.254/32"]);
      assert.deepEqual(addressesOf([{}, six], { metadata: both }), ["169.254.169.254/32", "fe80::a9fe:a9fe/64"]);
      assert.deepEqual(addressesOf([{}, six], { metadata: both, hasIpv6: false }), ["169.254.169.254/32"]);
      assert.deepEqual(addressesOf([{}, six], { metadata: { ...both, v4: false } }), ["fe80::a9fe:a9fe/64"]);
    });

    test("DA-188: the IPv6 one is looked for on the wire first when another agent serves the network too", () => {
      const alone = specOf([{}, six], [], { metadata: both });
      const last = (wanted: DeviceSpec): readonly string[] => plan(wanted, nothingInside).slice(-2);

      assert.deepEqual(last(alone).at(-1), `addr add fe80::a9fe:a9fe/64 dev ${alone.device} nodad`);
      assert.deepEqual(last({ ...alone, isMetadataShared: true }), [
        `sysctl net/ipv6/conf/${alone.device}/accept_dad=1`,
        `addr add fe80::a9fe:a9fe/64 dev ${alone.device}`,
      ]);
    });

    test("DA-188: go when they are not wanted any more, and come again after another agent's was found", () => {
      const own = { address: "fe80::a9fe:a9fe", prefixLength: 64, scope: "link", isDynamic: false };
      const addresses = [...(complete.devices[1]?.addresses ?? []), own];
      const wanted = { ...spec, addresses: [...spec.addresses, "fe80::a9fe:a9fe/64"] };

      assert.deepEqual(plan(spec, withDevice({ addresses })), [`addr del fe80::a9fe:a9fe/64 dev ${spec.device}`]);
      assert.deepEqual(plan(wanted, withDevice({ addresses })), []);
      const lost = addresses.map((one) => ({ ...one, isDadFailed: one.address === own.address }));
      assert.deepEqual(plan(wanted, withDevice({ addresses: lost })), [
        `addr del fe80::a9fe:a9fe/64 dev ${spec.device}`,
        `addr add fe80::a9fe:a9fe/64 dev ${spec.device} nodad`,
      ]);
    });
  });
});
