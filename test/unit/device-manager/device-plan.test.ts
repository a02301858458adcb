import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ActualDevices, planDevice } from "../../../src/device-manager/device-plan.ts";
import { buildDeviceSpec, type DeviceSpec, specFingerprint } from "../../../src/device-manager/device-spec.ts";
import type { Subnet } from "../../../src/model/network.ts";
import { makeDhcpPort, makeNetwork, makeSubnet, makeView } from "../../helpers/dhcp-network.ts";

const network = makeNetwork();

function specOf(subnets: readonly Partial<Subnet>[], addresses: readonly string[]): DeviceSpec {
  const made = subnets.map((values, index) => ({ ...makeSubnet(network, values), id: idOf(index) }));
  return buildDeviceSpec("", makeView(network, made, []), makeDhcpPort(made, addresses));
}

// In the order given: views are sorted by id.
const idOf = (index: number): Subnet["id"] => `00000000-0000-4000-8000-00000000000${index}` as Subnet["id"];

const nothing: ActualDevices = { hasNamespace: false, hasBridge: false, hasTap: false, staleTaps: [], devices: [], routes: [] };

describe("what the DHCP device must be", () => {
  const gateways = (subnets: readonly Partial<Subnet>[], addresses: readonly string[]): readonly string[] =>
    specOf(subnets, addresses).defaultRoutes.map((route) => route.gateway + (route.isOffSubnet ? " off" : ""));

  test("has the addresses on served subnets, with the subnet's prefix", () => {
    const subnets = [{ cidr: "10.1.0.0/20" }, { cidr: "10.2.0.0/24", enableDhcp: false }];

    assert.deepEqual(specOf(subnets, ["10.1.0.2", "10.2.0.2"]).addresses, ["10.1.0.2/20"]);
  });

  test("routes over the gateway of the first served subnet that has one and an address of ours", () => {
    const subnets = [
      { cidr: "10.1.0.0/24", gatewayIp: "10.1.0.1", enableDhcp: false },
      { cidr: "10.2.0.0/24", gatewayIp: null },
      { cidr: "10.3.0.0/24", gatewayIp: "10.3.0.1" },
      { cidr: "10.4.0.0/24", gatewayIp: "10.4.0.1" },
    ];

    assert.deepEqual(gateways(subnets, ["10.1.0.2", "10.2.0.2", "10.3.0.2", "10.4.0.2"]), ["10.3.0.1"]);
    assert.deepEqual(gateways(subnets.slice(2, 3), []), []);
  });

  test("has a default route for each IP version, IPv6 by its own rules", () => {
    const six = { cidr: "2001:db8::/64", ipVersion: 6, gatewayIp: "fe80::1" } as const;

    assert.deepEqual(gateways([{}, six], ["10.20.0.2", "2001:db8::2"]), ["10.20.0.1", "fe80::1"]);
    assert.deepEqual(gateways([{ ...six, cidr: "2001:db8::/127" }], ["2001:db8::2"]), []);
    assert.deepEqual(gateways([{ ...six, cidr: "2001:db8::/80", ipv6AddressMode: "slaac" }], ["2001:db8::2"]), []);
    assert.deepEqual(gateways([{ ...six, gatewayIp: "2001:db9::1" }], ["2001:db8::2"]), ["2001:db9::1 off"]);
  });

  test("has no IPv6 on a link that is too small for it", () => {
    const view = makeView(makeNetwork({ mtuBytes: 1200 }), [makeSubnet(network, { cidr: "2001:db8::/64", ipVersion: 6 })], []);

    assert.deepEqual(buildDeviceSpec("", view, makeDhcpPort(view.subnets, ["2001:db8::2"])).addresses, []);
  });

  test("has a fingerprint that the order of addresses does not change", () => {
    const subnet = { ...makeSubnet(network), id: idOf(0) };
    const port = makeDhcpPort([subnet], ["10.20.0.2", "10.20.0.3"]);
    const turned = { ...port, fixedIps: port.fixedIps.toReversed() };
    const view = makeView(network, [subnet], []);

    assert.equal(specFingerprint(buildDeviceSpec("", view, port)), specFingerprint(buildDeviceSpec("", view, turned)));
  });
});

describe("the plan for the DHCP device", () => {
  const spec = specOf([{}], ["10.20.0.2"]);
  const complete: ActualDevices = {
    hasNamespace: true,
    hasBridge: true,
    hasTap: true,
    staleTaps: [],
    devices: [
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

  test("from nothing makes the namespace first, and the device inside it", () => {
    const plan = planDevice(spec, nothing);

    assert.equal(plan.isNewDevice, true);
    assert.equal(plan.rootLines[0], `netns add ${spec.namespace}`);
    assert.ok(
      plan.rootLines.some((line) => line.includes(`peer name ${spec.device} netns ${spec.namespace} mtu 1450 address`)),
    );
    assert.ok(plan.namespaceLines.includes(`addr add 10.20.0.2/24 dev ${spec.device}`));
  });

  test("of a complete device only repeats what is safe to repeat", () => {
    const plan = planDevice(spec, complete);

    assert.equal(plan.isNewDevice, false);
    assert.deepEqual(
      [...plan.rootLines, ...plan.namespaceLines].filter((line) => /\b(add|del)\b/.test(line)),
      [],
    );
  });

  test("takes away addresses, routes and devices that do not belong, and no others", () => {
    const [device] = complete.devices;
    if (device === undefined) throw new Error("no device");
    const learnt = { address: "2001:db8::99", prefixLength: 64, scope: "global", isDynamic: true };
    const plan = planDevice(spec, {
      ...complete,
      staleTaps: ["tapold"],
      devices: [
        { ...device, addresses: [...device.addresses, learnt] },
        { ...device, name: "ns-old" },
        { ...device, name: "sit0" },
      ],
      routes: [
        ...complete.routes,
        { destination: "192.0.2.1", gateway: undefined, device: spec.device, isStatic: true },
        { destination: "10.20.0.0/24", gateway: undefined, device: spec.device, isStatic: false },
      ],
    });

    const removed = [...plan.rootLines, ...plan.namespaceLines].filter((line) => /\bdel\b/.test(line));
    assert.deepEqual(removed, [
      "link del tapold",
      "link del ns-old",
      `addr del 2001:db8::99/64 dev ${spec.device}`,
      `route del 192.0.2.1 dev ${spec.device} proto static`,
    ]);
  });

  test("of half a pair makes a new one", () => {
    const plan = planDevice(spec, { ...complete, devices: [] });

    assert.equal(plan.isNewDevice, true);
    assert.ok(plan.rootLines.indexOf(`link del ${spec.tap}`) < plan.rootLines.findIndex((line) => line.startsWith("link add")));
  });
});
