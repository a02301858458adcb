// Extra routes of a router on the real kernel.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Route } from "../../../../src/model/router.ts";
import { sh, skipWithoutRoot } from "../../../helpers/namespaces.ts";
import { makeAddress, makeGateway, makeInterface, makeRouter } from "../../../helpers/router-items.ts";
import { type Guest, RouterScene } from "../../../helpers/router-scene.ts";

const quick = { verify: false };
const via = (destination: string, ...nexthops: readonly string[]): readonly Route[] =>
  nexthops.map((nexthop) => ({ destination, nexthop }));

/** By destination. */
async function countRequests(namespace: string): Promise<void> {
  const lines = [
    "table ip seen {",
    "set to { type ipv4_addr; flags dynamic; counter; }",
    "chain in { type filter hook input priority filter; icmp type echo-request update @to { ip daddr }; }",
    "}",
  ];
  await sh("ip", "netns", "exec", namespace, "nft", lines.join("\n"));
}

async function requestsSeen(namespace: string): Promise<ReadonlyMap<string, number>> {
  const text = await sh("ip", "netns", "exec", namespace, "nft", "list", "set", "ip", "seen", "to");
  const counts = [...text.matchAll(/(\d+\.\d+\.\d+\.\d+) counter packets (\d+)/g)];
  return new Map(counts.map(([, to = "", packets = ""]) => [to, Number(packets)]));
}

describe("extra routes", { skip: skipWithoutRoot }, () => {
  const red = makeInterface([makeAddress("10.1.0.1", "10.1.0.0/24")]);
  const blue = makeInterface([makeAddress("10.2.0.1", "10.2.0.0/24")]);
  const gateway = makeGateway([makeAddress("203.0.113.10", "203.0.113.0/24", { gatewayIp: "203.0.113.254" })]);
  const router = makeRouter({ interfaces: [red, blue], gateway });
  let scene: RouterScene;
  let one: Guest;
  let two: Guest;

  const routesTo = async (destination: string): Promise<readonly string[]> => {
    type Line = { gateway?: string; nexthops?: readonly { gateway: string }[] };
    const lines = JSON.parse(await scene.inside(router, "-j", "route", "show", destination)) as readonly Line[];
    return lines.flatMap(({ gateway: only, nexthops }) => nexthops?.map((hop) => hop.gateway) ?? only ?? []).sort();
  };

  beforeEach(async () => {
    scene = await RouterScene.open();
    one = await scene.plugGuest("one", red, "10.1.0.5/24", "10.1.0.1");
    two = await scene.plugGuest("two", blue, "10.2.0.5/24", "10.2.0.1");
    await sh("ip", "-n", two.namespace, "addr", "add", "192.0.2.1/32", "dev", "lo");
    await sh("ip", "-n", two.namespace, "addr", "add", "10.2.0.6/24", "dev", "eth0");
    await sh("ip", "-n", two.namespace, "addr", "add", "10.2.0.7/24", "dev", "eth0");
  });
  afterEach(async () => scene.remove());

  test("L3-70: one is added, replaced and removed, and packets follow", async () => {
    const driver = scene.driver();
    await driver.apply(router, quick);
    assert.equal(await scene.isSilent(one.namespace, "192.0.2.1"), true);

    await driver.apply({ ...router, routes: via("192.0.2.0/24", "10.2.0.5") }, quick);
    await scene.ping(one.namespace, "192.0.2.1");
    await driver.apply({ ...router, routes: via("192.0.2.0/24", "10.2.0.99") }, quick);
    assert.equal(await scene.isSilent(one.namespace, "192.0.2.1"), true);
    assert.deepEqual(await routesTo("192.0.2.0/24"), ["10.2.0.99"]);
    await driver.apply({ ...router, routes: via("192.0.2.0/24", "10.2.0.6") }, quick);
    await scene.ping(one.namespace, "192.0.2.1");
    await driver.apply(router, quick);

    assert.deepEqual(await routesTo("192.0.2.0/24"), []);
    await scene.ping(one.namespace, two.address);
  });

  test("L3-71: several next hops are one route: from one to three, to two, to one, to none", async () => {
    const driver = scene.driver();
    const hops = ["10.2.0.5", "10.2.0.6", "10.2.0.7"];
    for (const count of [1, 2, 3, 2, 1, 0]) {
      const routes = via("192.0.2.0/24", ...hops.slice(0, count));
      await driver.apply({ ...router, routes }, quick);

      assert.deepEqual(await routesTo("192.0.2.0/24"), hops.slice(0, count));
      if (count > 0) await scene.ping(one.namespace, "192.0.2.1");
      const again = await driver.apply({ ...router, routes }, { verify: true });
      assert.deepEqual(again, { outcome: "unchanged", foreignChanges: 0, warnings: [] }, `${count} next hops`);
    }
  });

  test("L3-71: two next hops share the flows: each is given some of them, and a flow keeps its way", async () => {
    const driver = scene.driver();
    const three = await scene.plugGuest("three", blue, "10.2.0.8/24", "10.2.0.1");
    const ways = [two, three];
    for (const { namespace } of ways) {
      await sh("ip", "-n", namespace, "link", "set", "lo", "up");
      await sh("ip", "-n", namespace, "route", "add", "local", "198.51.100.0/24", "dev", "lo");
    }
    await driver.apply({ ...router, routes: via("198.51.100.0/24", two.address, three.address) }, quick);
    const targets = [...Array(24).keys()].map((number) => `198.51.100.${number + 1}`);
    // No third one, however late the answers are.
    const twice = ["-c", "2", "-i", "0.2", "-w", "0"];
    const pingAll = (): Promise<unknown> => Promise.all(targets.map((to) => scene.ping(one.namespace, to, twice)));
    for (const { address } of ways) await scene.ping(one.namespace, address);
    for (const { namespace } of ways) await countRequests(namespace);

    await pingAll();

    const shares = await Promise.all(ways.map(({ namespace }) => requestsSeen(namespace)));
    // Each of 24 flows falls to either: all to one by chance is one case in eight million.
    for (const share of shares) assert.ok(share.size > 0, "a next hop was given nothing");
    const flows = shares.flatMap((share) => [...share.keys()]);
    assert.deepEqual(flows.toSorted(), targets.toSorted(), "a flow that went both ways, or none");
    assert.deepEqual(
      shares.flatMap((share) => [...share.values()]),
      targets.map(() => 2),
    );
  });

  test("L3-72: a next hop out of reach is told, the other routes are there, and nobody is blamed for it", async () => {
    const driver = scene.driver();
    const routes = [...via("192.0.2.0/24", "10.2.0.5"), ...via("198.18.0.0/15", "172.31.0.1")];
    const lone = { ...router, gateway: null, routes };

    const first = await driver.apply(lone, quick);
    const second = await driver.apply(lone, { verify: true });
    const third = await driver.apply(lone, quick);

    await scene.ping(one.namespace, "192.0.2.1");
    for (const { warnings } of [first, second, third])
      assert.match(warnings.join(), /198\.18\.0\.0\/15 via 172\.31\.0\.1.*unreachable/i);
    assert.deepEqual([second.outcome, second.foreignChanges, third.outcome], ["unchanged", 0, "unchanged"]);
    // Once it can be reached, the next look finds the way.
    const reached = { ...blue, addresses: [...blue.addresses, makeAddress("172.31.0.9", "172.31.0.0/24")] };
    const last = await driver.apply({ ...lone, interfaces: [red, reached] }, quick);
    assert.deepEqual(last.warnings, []);
    assert.deepEqual(await routesTo("198.18.0.0/15"), ["172.31.0.1"]);
  });

  test("an extra default route takes the place of the gateway's, and gives it back", async () => {
    const driver = scene.driver();
    await driver.apply({ ...router, routes: via("0.0.0.0/0", "10.2.0.5") }, quick);
    assert.deepEqual(await routesTo("default"), ["10.2.0.5"]);

    await driver.apply(router, quick);

    assert.deepEqual(await routesTo("default"), ["203.0.113.254"]);
  });

  test("routes that others removed or changed come back, and are counted", async () => {
    const driver = scene.driver();
    const wanted = { ...router, routes: via("192.0.2.0/24", "10.2.0.5") };
    await driver.apply(wanted, quick);
    await scene.inside(router, "route", "del", "default");
    await scene.inside(router, "route", "replace", "192.0.2.0/24", "via", "10.1.0.99", "proto", "static");
    await scene.inside(router, "route", "add", "198.51.100.0/24", "via", "10.1.0.99", "proto", "static");

    const result = await driver.apply(wanted, { verify: true });

    assert.equal(result.foreignChanges, 3);
    assert.deepEqual(await routesTo("default"), ["203.0.113.254"]);
    assert.deepEqual(await routesTo("192.0.2.0/24"), ["10.2.0.5"]);
    assert.deepEqual(await routesTo("198.51.100.0/24"), []);
  });
});
