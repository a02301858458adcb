// A router's way out on the real kernel.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";
import { readyFile, type RouterReady } from "../../../../src/drivers/l3-layout.ts";
import { hasDevice } from "../../../../src/linux/ip.ts";
import { gatewayDeviceName, routerDeviceName, tapName } from "../../../../src/model/device-names.ts";
import { subnetId } from "../../../../src/model/ids.ts";
import type { Router } from "../../../../src/model/router.ts";
import { randomId, sh, skipWithoutRoot } from "../../../helpers/namespaces.ts";
import { ask, listen, type Listener, silenceS, talk } from "../../../helpers/packets.ts";
import { makeAddress, makeGateway, makeInterface, makeRouter } from "../../../helpers/router-items.ts";
import { type Guest, RouterScene } from "../../../helpers/router-scene.ts";
import { waitFor } from "../../../helpers/wait-for.ts";

const quick = { verify: false };
const outside = "203.0.113.254";
const at = (address: string, gatewayIp: string | null = outside) => makeAddress(address, "203.0.113.0/24", { gatewayIp });

describe("the gateway of a router", { skip: skipWithoutRoot }, () => {
  const red = makeInterface([makeAddress("10.1.0.1", "10.1.0.0/24")]);
  const gateway = makeGateway([at("203.0.113.10")]);
  const router = makeRouter({ interfaces: [red], gateway });
  const device = gatewayDeviceName(gateway.portId);
  const listeners: Listener[] = [];
  let scene: RouterScene;
  let one: Guest;

  const readyOf = ({ id }: Pick<Router, "id">): RouterReady =>
    JSON.parse(readFileSync(readyFile(scene.directory.path, id), "utf8")) as RouterReady;
  const sourceOutside = async (): Promise<readonly string[]> => [
    ...(await scene.sourcesSeen(scene.outside, () => scene.ping(one.namespace, outside))),
  ];
  const addElement = (name: string, element: string): Promise<string> =>
    scene.nft.run(scene.namespaceOf(router), `add element inet netloom ${name} { ${element} }`);

  beforeEach(async () => {
    scene = await RouterScene.open();
    one = await scene.plugGuest("one", red, "10.1.0.5/24", "10.1.0.1");
  });
  afterEach(async () => {
    for (const listener of listeners.splice(0)) await listener.close();
    await scene.remove();
  });

  test("L3-31: it comes, moves to another network, and goes", async () => {
    const driver = scene.driver();
    await driver.apply({ ...router, gateway: null }, quick);
    assert.equal(await scene.isSilent(one.namespace, outside), true);

    await driver.apply(router, quick);
    assert.deepEqual(await sourceOutside(), ["203.0.113.10"]);

    const other = makeGateway([at("203.0.113.20")]);
    await driver.apply({ ...router, gateway: other }, quick);
    assert.deepEqual(await sourceOutside(), ["203.0.113.20"]);
    assert.equal(hasDevice(tapName(gateway.portId)), false);

    await driver.apply({ ...router, gateway: null }, quick);
    assert.equal(await scene.isSilent(one.namespace, outside), true);
    assert.deepEqual(await scene.devicesOf(router), [routerDeviceName(red.portId)]);
    assert.equal(hasDevice(scene.bridge), true, "the operator's bridge was removed");
  });

  test("L3-32: with another address the device stays; flows of the old one end, and begin anew with the new one", async () => {
    const driver = scene.driver();
    await driver.apply(router, quick);
    listeners.push(await listen(scene.outside, "tcp:80"));
    const flow = talk(one.namespace, outside, 80);
    listeners.push(flow);
    assert.equal(await flow.say(), "80 203.0.113.10");
    const pings = await scene.keepPinging(one.namespace, outside);
    const index = await scene.indexOf(router, device);
    await scene.inside(router, "route", "add", "local", "203.0.113.99/32", "dev", device, "proto", "static");
    const { epoch } = readyOf(router);

    await driver.apply({ ...router, gateway: { ...gateway, addresses: [at("203.0.113.11")] } }, quick);

    assert.match(await scene.inside(router, "route", "show", "table", "local"), /local 203\.0\.113\.99/);
    assert.equal(readyOf(router).epoch, epoch);
    assert.equal(await scene.indexOf(router, device), index);
    assert.deepEqual(await scene.addressesOf(router, device), ["203.0.113.11/24"]);
    assert.equal(await flow.say(silenceS), "nothing");
    // One source and identifier: to the connection table it is one flow, which must not stick to the old address.
    assert.deepEqual(await sourceOutside(), ["203.0.113.11"]);
    await waitFor(async () => (await scene.sourcesSeen(scene.outside, () => scene.ping(one.namespace, outside))).size > 0, {
      ...{ limitMs: 10_000, what: "pings" },
    });
    const { sent, lost } = await pings.stop();
    assert.ok(lost < sent / 2, `${lost} of ${sent} pings were lost: the flow did not begin anew`);
    assert.equal(await ask(one.namespace, "tcp", outside, 80), "80 203.0.113.11");
  });

  test("L3-33: further addresses are kept, and floating IPs in it too", async () => {
    const driver = scene.driver();
    const two = { ...gateway, addresses: [at("203.0.113.10"), at("203.0.113.12")] };
    await driver.apply({ ...router, gateway: two }, quick);
    await scene.inside(router, "route", "add", "local", "203.0.113.99/32", "dev", device, "proto", "static");

    const result = await driver.apply({ ...router, gateway: two }, { verify: true });

    assert.deepEqual(result, { outcome: "unchanged", foreignChanges: 0, warnings: [] });
    assert.deepEqual(await scene.addressesOf(router, device), ["203.0.113.10/24", "203.0.113.12/24"]);
    await scene.ping(scene.outside, "203.0.113.12");
    await scene.ping(scene.outside, "203.0.113.99");
    assert.deepEqual(await sourceOutside(), ["203.0.113.10"]);
  });

  test("L3-34: a subnet without a gateway gives no way beyond it; for IPv6 the network's routers are believed", async () => {
    const driver = scene.driver();
    const six = makeAddress("2001:db8:ffff::10", "2001:db8:ffff::/64", { gatewayIp: null });

    await driver.apply({ ...router, gateway: { ...gateway, addresses: [at("203.0.113.10", null), six] } }, quick);

    assert.doesNotMatch(await scene.inside(router, "route"), /default/);
    await scene.ping(one.namespace, outside);
    const acceptRa = await sh(
      "ip",
      "netns",
      "exec",
      scene.namespaceOf(router),
      "cat",
      `/proc/sys/net/ipv6/conf/${device}/accept_ra`,
    );
    assert.equal(acceptRa.trim(), "2");
  });

  test("L3-35: a gateway outside the subnet is reached over the link", async () => {
    const driver = scene.driver();
    await sh("ip", "-n", scene.outside, "addr", "add", "198.51.100.1/32", "dev", "eth0");
    await sh("ip", "-n", scene.outside, "addr", "add", "192.0.2.1/32", "dev", "lo");

    await driver.apply({ ...router, gateway: { ...gateway, addresses: [at("203.0.113.10", "198.51.100.1")] } }, quick);

    await scene.ping(one.namespace, "192.0.2.1");
    const routes = await scene.inside(router, "route");
    assert.match(routes, new RegExp(`default via 198.51.100.1 dev ${device}`));
    assert.match(routes, new RegExp(`198.51.100.1 dev ${device} .*scope link`));
  });

  test("L3-36: with two families there are two ways out", async () => {
    const sixth = makeInterface([makeAddress("2001:db8:1::1", "2001:db8:1::/64")]);
    const guest = await scene.plugGuest("six", sixth, "2001:db8:1::5/64", "2001:db8:1::1");
    const six = makeAddress("2001:db8:ffff::10", "2001:db8:ffff::/64", { gatewayIp: "2001:db8:ffff::fe" });
    await sh("ip", "-n", scene.outside, "-6", "route", "add", "2001:db8:1::/64", "via", "2001:db8:ffff::10");
    await sh("ip", "-n", scene.outside, "addr", "add", "2001:db8:2::1/128", "dev", "lo");
    const driver = scene.driver();

    await driver.apply(
      { ...router, interfaces: [red, sixth], gateway: { ...gateway, addresses: [at("203.0.113.10"), six] } },
      quick,
    );

    await scene.ping(one.namespace, outside);
    // The first neighbour solicitation on a new link may be lost; the kernel repeats it after a second.
    const pinged = { limitMs: 10_000, what: "a ping by IPv6" };
    await waitFor(() => scene.ping(guest.namespace, "2001:db8:2::1"), pinged);
    const sources = await scene.sourcesSeen(scene.outside, () => scene.ping(guest.namespace, "2001:db8:2::1"));
    assert.deepEqual([...sources], ["2001:db8:1::5"]);
  });

  test("L3-37: without an IPv4 address outside nothing is translated", async () => {
    const six = makeAddress("2001:db8:ffff::10", "2001:db8:ffff::/64", { gatewayIp: "2001:db8:ffff::fe" });
    const driver = scene.driver();

    await driver.apply({ ...router, gateway: { ...gateway, addresses: [six] } }, quick);

    const map = await scene.nft.run(scene.namespaceOf(router), "list map inet netloom gw_src");
    assert.doesNotMatch(map, /elem/);
    assert.equal(await scene.isSilent(one.namespace, outside), true);
    await scene.ping(scene.outside, "2001:db8:ffff::10");
  });

  test("L3-38: subnets of the external network without an address are on the link; floating IPs are untouched", async () => {
    const driver = scene.driver();
    await sh("ip", "-n", scene.outside, "addr", "add", "198.51.100.254/24", "dev", "eth0");
    const extra = { ...gateway, addresses: [at("203.0.113.10", null)] };
    await driver.apply({ ...router, gateway: extra }, quick);
    await addElement("fip_in", "203.0.113.99 : 10.1.0.5");
    const { epoch } = readyOf(router);
    assert.equal(await scene.isSilent(one.namespace, "198.51.100.254"), true);

    const subnet = { id: subnetId(randomId()), cidr: "198.51.100.0/24", ipVersion: 4 } as const;
    await sh("ip", "-n", scene.outside, "route", "replace", "203.0.113.10", "dev", "eth0");
    await driver.apply({ ...router, gateway: { ...extra, extraSubnets: [subnet] } }, quick);
    await scene.ping(one.namespace, "198.51.100.254");
    await driver.apply({ ...router, gateway: extra }, quick);

    assert.equal(await scene.isSilent(one.namespace, "198.51.100.254"), true);
    assert.equal(readyOf(router).epoch, epoch);
    assert.match(await scene.nft.run(scene.namespaceOf(router), "list map inet netloom fip_in"), /203\.0\.113\.99/);
  });

  test("L3-39: an external network without subnets gives a device and nothing else", async () => {
    const driver = scene.driver();

    const result = await driver.apply({ ...router, gateway: { ...gateway, addresses: [] } }, quick);

    assert.equal(result.outcome, "created");
    assert.deepEqual(await scene.addressesOf(router, device), []);
    assert.equal(await scene.isSilent(one.namespace, outside), true);
    assert.equal(
      (await driver.apply({ ...router, gateway: { ...gateway, addresses: [] } }, { verify: true })).foreignChanges,
      0,
    );
  });

  test("L3-40: SNAT is switched by rules alone, and flows that are there go on", async () => {
    const driver = scene.driver();
    await driver.apply(router, quick);
    await sh("ip", "-n", scene.outside, "route", "add", "10.1.0.0/24", "via", "203.0.113.10");
    listeners.push(await listen(scene.outside, "tcp:80"));
    const flow = talk(one.namespace, outside, 80);
    listeners.push(flow);
    await flow.say();
    const { epoch } = readyOf(router);
    const state = async (): Promise<string> =>
      [await scene.inside(router, "addr"), await scene.inside(router, "route")].join("\n").replace(/valid_lft.*/g, "");
    const before = await state();

    await driver.apply({ ...router, enableSnat: false }, quick);
    assert.equal(await ask(one.namespace, "tcp", outside, 80), "80 10.1.0.5");
    assert.equal(await flow.say(), "80 203.0.113.10");
    await driver.apply(router, quick);

    assert.equal(await ask(one.namespace, "tcp", outside, 80), "80 203.0.113.10");
    assert.equal(await state(), before);
    assert.equal(readyOf(router).epoch, epoch);
  });

  test("neighbours that knew the address elsewhere are told of it", async () => {
    await sh("ip", "-n", scene.outside, ..."neigh replace 203.0.113.10 lladdr 02:00:00:00:00:01 dev eth0 nud stale".split(" "));
    await sh("ip", "-n", one.namespace, ..."neigh replace 10.1.0.1 lladdr 02:00:00:00:00:02 dev eth0 nud stale".split(" "));

    await scene.driver().apply(router, quick);

    const knows = async (namespace: string, address: string, mac: string): Promise<boolean> =>
      (await sh("ip", "-n", namespace, "neigh", "show", address)).includes(mac);
    await waitFor(() => knows(scene.outside, "203.0.113.10", gateway.macAddress), {
      limitMs: 10_000,
      what: "the outside to hear",
    });
    await waitFor(() => knows(one.namespace, "10.1.0.1", red.macAddress), { limitMs: 10_000, what: "the instance to hear" });
  });
});
