// Interfaces of a router on the real kernel: what comes, changes and goes, and that the rest stays untouched.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type CommandRunner, processRunner } from "../../../../src/linux/command-runner.ts";
import { hasDevice } from "../../../../src/linux/ip.ts";
import { gatewayDeviceName, routerDeviceName, tapName } from "../../../../src/model/device-names.ts";
import { sh, skipWithoutRoot } from "../../../helpers/namespaces.ts";
import { makeAddress, makeGateway, makeInterface, makeRouter } from "../../../helpers/router-items.ts";
import { type Guest, RouterScene } from "../../../helpers/router-scene.ts";

const quick = { verify: false };
const closely = { verify: true };

describe("interfaces of a router", { skip: skipWithoutRoot }, () => {
  const red = makeInterface([makeAddress("10.1.0.1", "10.1.0.0/24")]);
  const blue = makeInterface([makeAddress("10.2.0.1", "10.2.0.0/24")]);
  const router = makeRouter({ interfaces: [red, blue] });
  let scene: RouterScene;
  let one: Guest;
  let two: Guest;

  beforeEach(async () => {
    scene = await RouterScene.open();
    one = await scene.plugGuest("one", red, "10.1.0.5/24", "10.1.0.1");
    two = await scene.plugGuest("two", blue, "10.2.0.5/24", "10.2.0.1");
  });
  afterEach(async () => scene.remove());

  test("L3-19: a port comes, goes when it is switched off, comes again, and goes when it is removed", async () => {
    const driver = scene.driver();
    const green = makeInterface([makeAddress("10.3.0.1", "10.3.0.0/24")]);
    const three = await scene.plugGuest("three", green, "10.3.0.5/24", "10.3.0.1");
    await driver.apply(router, quick);
    const index = await scene.indexOf(router, routerDeviceName(red.portId));

    await driver.apply({ ...router, interfaces: [red, blue, green] }, quick);
    await scene.ping(one.namespace, three.address);
    await driver.apply({ ...router, interfaces: [red, blue, { ...green, adminStateUp: false }] }, quick);
    assert.equal(await scene.isSilent(one.namespace, three.address), true);
    assert.equal(hasDevice(tapName(green.portId)), false);
    await driver.apply({ ...router, interfaces: [red, blue, green] }, quick);
    await scene.ping(three.namespace, two.address);
    await driver.apply(router, quick);

    assert.equal(await scene.isSilent(one.namespace, three.address), true);
    assert.deepEqual(await scene.devicesOf(router), [red, blue].map(({ portId }) => routerDeviceName(portId)).sort());
    assert.equal(await scene.indexOf(router, routerDeviceName(red.portId)), index, "another port's device was made anew");
    await scene.ping(one.namespace, two.address);
  });

  test("L3-20: changed addresses are put in place, the device and its flows stay", async () => {
    const driver = scene.driver();
    await driver.apply(router, quick);
    const device = routerDeviceName(red.portId);
    const index = await scene.indexOf(router, device);
    const pings = await scene.keepPinging(one.namespace, two.address);
    const more = makeAddress("10.9.0.1", "10.9.0.0/24");
    const [first] = red.addresses;
    assert.ok(first !== undefined);

    await driver.apply({ ...router, interfaces: [{ ...red, addresses: [first, more] }, blue] }, quick);
    assert.deepEqual(await scene.addressesOf(router, device), ["10.1.0.1/24", "10.9.0.1/24"]);
    await driver.apply(router, quick);

    assert.deepEqual(await scene.addressesOf(router, device), ["10.1.0.1/24"]);
    assert.equal(await scene.indexOf(router, device), index);
    const { sent, lost } = await pings.stop();
    assert.equal(lost, 0, `${lost} of ${sent} pings were lost`);
    assert.ok(sent > 0);
  });

  test("L3-21: the MTU of a network goes to both ends of its ports, and to no others", async () => {
    const driver = scene.driver();
    await driver.apply(router, quick);
    const index = await scene.indexOf(router, routerDeviceName(red.portId));

    await driver.apply({ ...router, interfaces: [{ ...red, mtuBytes: 1400 }, blue] }, quick);

    assert.match(await scene.inside(router, "link", "show", routerDeviceName(red.portId)), /mtu 1400 /);
    assert.match(await scene.inside(router, "link", "show", routerDeviceName(blue.portId)), /mtu 1450 /);
    assert.match(await sh("ip", "link", "show", tapName(red.portId)), /mtu 1400 /);
    assert.equal(await scene.indexOf(router, routerDeviceName(red.portId)), index);
    await scene.ping(one.namespace, two.address, ["-M", "do", "-s", String(1400 - 28)]);
  });

  test("L3-24: IPv4 and IPv6 come by different ports of one network", async () => {
    const six = makeInterface([makeAddress("2001:db8:1::1", "2001:db8:1::/64")], { networkId: red.networkId });
    const driver = scene.driver();

    await driver.apply({ ...router, interfaces: [red, blue, six] }, quick);

    await scene.ping(one.namespace, two.address);
    await sh("ip", "-n", one.namespace, "addr", "add", "2001:db8:1::5/64", "dev", "eth0", "nodad");
    await scene.ping(one.namespace, "2001:db8:1::1");
    const result = await driver.apply({ ...router, interfaces: [red, blue, six] }, closely);
    assert.deepEqual([result.outcome, result.foreignChanges], ["unchanged", 0]);
  });

  test("L3-25, L3-26: devices of an earlier life go, inside the namespace and on the host", async () => {
    const driver = scene.driver();
    const gateway = makeGateway([makeAddress("203.0.113.10", "203.0.113.0/24")]);
    await driver.apply({ ...router, gateway }, quick);
    await scene.inside(router, "link", "add", "qr-stale", "type", "veth", "peer", "name", "stale");
    await scene.inside(router, "link", "add", "qg-stale", "type", "veth", "peer", "name", "stale2");

    // Another process, which remembers nothing, is told that gateway and port are gone.
    const successor = scene.driver();
    await successor.apply({ ...router, interfaces: [red] }, quick);

    assert.deepEqual(await scene.devicesOf(router), [routerDeviceName(red.portId)]);
    for (const { portId } of [gateway, blue]) assert.equal(hasDevice(tapName(portId)), false);
    assert.equal(hasDevice(scene.bridge), true);
  });

  test("L3-27: what cannot be plugged now is not taken for plugged", async () => {
    const driver = scene.driver({ mappings: new Map([["public", `${scene.prefix}no`]]) });
    const gateway = makeGateway([makeAddress("203.0.113.10", "203.0.113.0/24")]);

    for (const attempt of [1, 2]) {
      await assert.rejects(driver.apply({ ...router, gateway }, quick), /bridge t\S+-no of the external network/, `${attempt}`);
    }
    await sh("ip", "link", "add", `${scene.prefix}no`, "type", "bridge");
    try {
      await driver.apply({ ...router, gateway }, quick);
      assert.ok((await scene.devicesOf(router)).includes(gatewayDeviceName(gateway.portId)));
    } finally {
      await sh("ip", "link", "del", `${scene.prefix}no`);
    }
  });

  test("L3-28: what cannot be unplugged now is not forgotten", async () => {
    const runner = processRunner();
    let isFailing = true;
    const refused = { exitCode: 2, stdout: "", stderr: "not now" };
    const stubborn: CommandRunner = {
      run: async (argv, options) =>
        isFailing && argv[0] === "ip" && !argv.includes("nft") ? refused : runner.run(argv, options),
    };
    const driver = scene.driver({ runner: stubborn });
    await driver.apply(router, quick);
    // The inner end stays where it is, as with a device that somebody else holds: nothing but its removal takes the tap.
    await scene.inside(router, "link", "set", routerDeviceName(blue.portId), "name", "held");

    await assert.rejects(driver.apply({ ...router, interfaces: [red] }, quick), /cannot be removed/);
    assert.equal(hasDevice(tapName(blue.portId)), true);
    isFailing = false;
    await driver.apply({ ...router, interfaces: [red] }, quick);

    assert.equal(hasDevice(tapName(blue.portId)), false);
  });

  test("L3-29, L3-42: another order, name, project or revision is no change", async () => {
    const driver = scene.driver();
    const gateway = makeGateway([makeAddress("203.0.113.10", "203.0.113.0/24")]);
    await driver.apply({ ...router, gateway }, quick);
    const starts = scene.nft.starts;

    const again = { ...router, gateway: { ...gateway }, interfaces: [blue, red], name: "x", projectId: "p2", revision: 9 };
    const result = await driver.apply(again, quick);

    assert.deepEqual(result, { outcome: "unchanged", foreignChanges: 0, warnings: [] });
    assert.equal(scene.nft.starts, starts);
  });

  test("L3-30: names of devices are three letters and eleven of the port's id", async () => {
    const driver = scene.driver();
    const gateway = makeGateway([makeAddress("203.0.113.10", "203.0.113.0/24")]);

    await driver.apply({ ...router, gateway }, quick);

    const expected = [`qg-${gateway.portId.slice(0, 11)}`, `qr-${red.portId.slice(0, 11)}`, `qr-${blue.portId.slice(0, 11)}`];
    assert.deepEqual(await scene.devicesOf(router), expected.sort());
    assert.ok(expected.every((name) => name.length === 14));
  });
});
