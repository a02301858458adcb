// The L3 agent on the real kernel: what it repairs by itself, and what a successor finds.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { hasDevice } from "../../../src/linux/ip.ts";
import { routerDeviceName, tapName } from "../../../src/model/device-names.ts";
import type { Router } from "../../../src/model/router.ts";
import { goneRouter, routerItem } from "../../helpers/fake-router-server.ts";
import { L3AgentSite } from "../../helpers/l3-agent-site.ts";
import { sh, skipWithoutRoot } from "../../helpers/namespaces.ts";
import { makeAddress, makeGateway, makeInterface, makeRouter } from "../../helpers/router-items.ts";
import { type Guest, RouterScene } from "../../helpers/router-scene.ts";
import { waitFor } from "../../helpers/wait-for.ts";

const outside = "203.0.113.254";

describe("the L3 agent on a host", { skip: skipWithoutRoot }, () => {
  const red = makeInterface([makeAddress("10.1.0.1", "10.1.0.0/24")]);
  const blue = makeInterface([makeAddress("10.2.0.1", "10.2.0.0/24")]);
  const gateway = makeGateway([makeAddress("203.0.113.10", "203.0.113.0/24", { gatewayIp: outside })]);
  const router = makeRouter({ interfaces: [red, blue], gateway });
  const sites: L3AgentSite[] = [];
  let scene: RouterScene;
  let one: Guest;
  let two: Guest;

  const start = async (before?: L3AgentSite, resyncIntervalMs = 1000): Promise<L3AgentSite> => {
    const site = await L3AgentSite.start(scene, before, { resyncIntervalMs });
    sites.push(site);
    return site;
  };
  const works = (from: Guest, to: string) => async (): Promise<boolean> => scene.ping(from.namespace, to).then(() => true);
  const soon = { limitMs: 10_000, what: "packets through the router" };

  beforeEach(async () => {
    scene = await RouterScene.open();
    // The scene's own driver removes what is left.
    scene.driver();
    one = await scene.plugGuest("one", red, "10.1.0.5/24", "10.1.0.1");
    two = await scene.plugGuest("two", blue, "10.2.0.5/24", "10.2.0.1");
  });
  afterEach(async () => {
    for (const site of sites.splice(0)) await site.stop();
    await scene.remove();
  });

  const breaches: Readonly<Record<string, () => Promise<unknown>>> = {
    "rules that were flushed": () => sh("ip", "netns", "exec", scene.namespaceOf(router), "nft", "flush", "ruleset"),
    "an address that was removed": () => scene.inside(router, "addr", "flush", "dev", routerDeviceName(red.portId)),
    "a namespace that was deleted": () => sh("ip", "netns", "del", scene.namespaceOf(router)),
    "a link that was set down": () => scene.inside(router, "link", "set", routerDeviceName(red.portId), "down"),
  };
  for (const [what, breakIt] of Object.entries(breaches)) {
    test(`L3-14: ${what}: the agent finds it within a sweep, repairs and counts it`, async () => {
      const site = await start();
      await site.commit([routerItem(router)]);
      await waitFor(works(one, outside), soon);
      assert.equal(site.journal.foreignChanges, 0);

      await breakIt();

      await waitFor(() => site.journal.foreignChanges > 0, { limitMs: 10_000, what: "the repair" });
      await waitFor(works(one, outside), soon);
      const sources = await scene.sourcesSeen(scene.outside, () => scene.ping(two.namespace, outside));
      assert.deepEqual([...sources], ["203.0.113.10"]);
    });
  }

  test("L3-15: stopped and started again, no packet is lost and nothing is made anew; what was deleted meanwhile goes", async () => {
    const other = makeRouter({ interfaces: [makeInterface([makeAddress("10.3.0.1", "10.3.0.0/24")])] });
    const before = await start(undefined, 60_000);
    await before.commit([router, other].map(routerItem));
    await waitFor(works(one, outside), soon);
    await waitFor(works(one, two.address), soon);
    const pings = [await scene.keepPinging(one.namespace, outside), await scene.keepPinging(one.namespace, two.address)];

    await before.stop();
    before.server.commit([goneRouter(other)]);
    const after = await start(before, 60_000);

    assert.equal(after.journal.outcomes.get("adopted"), 1);
    assert.equal(existsSync(`/run/netns/${scene.namespaceOf(other)}`), false);
    for (const ping of pings) {
      const { sent, lost } = await ping.stop();
      assert.ok(sent > 0);
      assert.equal(lost, 0, `${lost} of ${sent} pings were lost`);
    }
    assert.equal(after.server.statusOf(router), "ACTIVE 1");
  });

  test("L3-27: a router that this host has no bridge for is told as ERROR with the reason, and works once there is one", async () => {
    const site = await start();
    const carrier = { networkType: "flat", physicalNetwork: "elsewhere", segmentationId: null } as const;
    const stray: Router = { ...router, gateway: { ...gateway, carrier } };

    await site.commit([routerItem(stray)]);
    await waitFor(() => site.server.statusOf(stray)?.startsWith("ERROR 1 no bridge is mapped to physical network elsewhere"), {
      ...{ limitMs: 10_000, what: "the ERROR" },
    });
    await site.commit([routerItem({ ...router, revision: 2 })]);

    await waitFor(() => site.server.statusOf(router) === "ACTIVE 2", { limitMs: 10_000, what: "the router to be ACTIVE" });
    await waitFor(works(one, outside), soon);
  });

  test("L3-7: of a router that goes nothing is left on the host", async () => {
    const site = await start();
    await site.commit([routerItem(router)]);
    await waitFor(works(one, two.address), soon);

    await site.remove(router);

    assert.equal(existsSync(`/run/netns/${scene.namespaceOf(router)}`), false);
    for (const { portId } of [red, blue, gateway]) assert.equal(hasDevice(tapName(portId)), false);
    for (const folder of ["routers", "ready"]) {
      assert.equal(existsSync(join(scene.directory.path, "l3", folder, `${router.id}.json`)), false);
    }
  });
});
