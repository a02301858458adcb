// What others break in a router, what a killed agent leaves half done, and what an agent that starts again must not touch.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { readyFile, type RouterReady } from "../../../../src/drivers/l3-layout.ts";
import { type CommandRunner, processRunner } from "../../../../src/linux/command-runner.ts";
import { hasDevice } from "../../../../src/linux/ip.ts";
import type { NamespaceRunner } from "../../../../src/linux/namespace-worker.ts";
import { gatewayDeviceName, routerDeviceName, tapName } from "../../../../src/model/device-names.ts";
import type { Router } from "../../../../src/model/router.ts";
import { createNamespace, deleteNamespace, sh, skipWithoutRoot } from "../../../helpers/namespaces.ts";
import { makeAddress, makeGateway, makeInterface, makeRouter } from "../../../helpers/router-items.ts";
import { type Guest, RouterScene } from "../../../helpers/router-scene.ts";
import { waitFor } from "../../../helpers/wait-for.ts";

const quick = { verify: false };
const closely = { verify: true };
const outside = "203.0.113.254";

describe("a router that is tampered with", { skip: skipWithoutRoot }, () => {
  const red = makeInterface([makeAddress("10.1.0.1", "10.1.0.0/24")]);
  const blue = makeInterface([makeAddress("10.2.0.1", "10.2.0.0/24")]);
  const gateway = makeGateway([makeAddress("203.0.113.10", "203.0.113.0/24", { gatewayIp: outside })]);
  const router = makeRouter({ interfaces: [red, blue], gateway });
  const [qr, qg] = [routerDeviceName(red.portId), gatewayDeviceName(gateway.portId)];
  let scene: RouterScene;
  let one: Guest;
  let two: Guest;

  const readyOf = ({ id }: Pick<Router, "id">): RouterReady =>
    JSON.parse(readFileSync(readyFile(scene.directory.path, id), "utf8")) as RouterReady;
  const nft = (line: string): Promise<string> =>
    sh("ip", "netns", "exec", scene.namespaceOf(router), "nft", ...line.split(" "));
  const assertWorks = async (): Promise<void> => {
    // A bridge hears a moment later that a link is up again.
    const soon = { limitMs: 10_000, what: "a ping through the router" };
    await waitFor(() => scene.ping(one.namespace, two.address), soon);
    await waitFor(() => scene.ping(two.namespace, outside), soon);
    const sources = await scene.sourcesSeen(scene.outside, () => scene.ping(two.namespace, outside));
    assert.deepEqual([...sources], ["203.0.113.10"]);
  };

  beforeEach(async () => {
    scene = await RouterScene.open();
    one = await scene.plugGuest("one", red, "10.1.0.5/24", "10.1.0.1");
    two = await scene.plugGuest("two", blue, "10.2.0.5/24", "10.2.0.1");
  });
  afterEach(async () => scene.remove());

  const breaches: Readonly<Record<string, () => Promise<unknown>>> = {
    "a rule was flushed": () => nft("flush chain inet netloom c_post"),
    "a rule was added": () => nft("insert rule inet netloom c_forward drop"),
    "a chain of somebody else's was added": () => nft("add chain inet netloom mine"),
    "the table was deleted": () => nft("delete table inet netloom"),
    "all rules were flushed": () => nft("flush ruleset"),
    "an element was removed": () => nft("flush map inet netloom gw_src"),
    "an address was removed": () => scene.inside(router, "addr", "del", "10.1.0.1/24", "dev", qr),
    "an address was added": () => scene.inside(router, "addr", "add", "10.66.0.1/24", "dev", qr),
    "an inner link was set down": () => scene.inside(router, "link", "set", qr, "down"),
    "the gateway's link was set down": () => scene.inside(router, "link", "set", qg, "down"),
    "an inner device was deleted": () => scene.inside(router, "link", "del", qr),
    "a tap was set down": () => sh("ip", "link", "set", tapName(red.portId), "down"),
    "a tap left its bridge": () => sh("ip", "link", "set", tapName(gateway.portId), "nomaster"),
    "a tap was deleted": () => sh("ip", "link", "del", tapName(gateway.portId)),
    "the MTU was changed": () => scene.inside(router, "link", "set", qr, "mtu", "1300"),
    "the MAC was changed": () => scene.inside(router, "link", "set", qr, "address", "02:00:00:00:00:07"),
    "the default route was removed": () => scene.inside(router, "route", "del", "default"),
    "the namespace was deleted": () => sh("ip", "netns", "del", scene.namespaceOf(router)),
  };
  for (const [what, breakIt] of Object.entries(breaches)) {
    test(`L3-14: ${what}: it is found, repaired and counted`, async () => {
      const driver = scene.driver();
      await driver.apply(router, quick);
      await assertWorks();
      await breakIt();

      const result = await driver.apply(router, closely);

      assert.ok(result.foreignChanges > 0, "nothing was counted");
      await assertWorks();
      const again = await driver.apply(router, closely);
      assert.deepEqual([again.outcome, again.foreignChanges], ["unchanged", 0]);
    });
  }

  test("forwarding that was switched off is on again", async () => {
    const driver = scene.driver();
    await driver.apply(router, quick);
    await sh("ip", "netns", "exec", scene.namespaceOf(router), "sysctl", "-qw", "net.ipv4.ip_forward=0");

    await driver.apply(router, closely);

    await assertWorks();
  });

  test("a namespace or tap that went is found without a child", async () => {
    const driver = scene.driver();
    await driver.apply(router, quick);
    assert.deepEqual(await driver.findBroken(), []);

    await sh("ip", "link", "del", tapName(blue.portId));
    assert.deepEqual(await driver.findBroken(), [router.id]);
    await driver.apply(router, closely);
    await sh("ip", "netns", "del", scene.namespaceOf(router));

    assert.deepEqual(await driver.findBroken(), [router.id]);
  });

  test("repairs keep what floating IPs have, and say by another epoch when it was lost", async () => {
    const driver = scene.driver();
    await driver.apply(router, quick);
    await nft("add element inet netloom fip_in { 203.0.113.99 : 10.1.0.5 }");
    const { epoch } = readyOf(router);

    await nft("flush chain inet netloom c_pre");
    await driver.apply(router, closely);
    assert.match(await nft("list map inet netloom fip_in"), /203\.0\.113\.99/);
    assert.equal(readyOf(router).epoch, epoch);
    await nft("delete table inet netloom");
    await driver.apply(router, closely);

    assert.notEqual(readyOf(router).epoch, epoch);
  });

  test("addresses that others took from the gateway have taken routes of floating IPs along: the epoch says so", async () => {
    const driver = scene.driver();
    await driver.apply(router, quick);
    const { epoch } = readyOf(router);
    await scene.inside(router, "addr", "flush", "dev", qg, "scope", "global");

    const result = await driver.apply(router, closely);

    assert.ok(result.foreignChanges > 0);
    assert.notEqual(readyOf(router).epoch, epoch);
    assert.deepEqual((await driver.apply(router, closely)).foreignChanges, 0);
    await assertWorks();
  });

  test("an agent that starts again adopts it: no packet is lost, no child started, nothing announced anew", async () => {
    await scene.driver().apply(router, quick);
    const { epoch } = readyOf(router);
    const pings = [await scene.keepPinging(one.namespace, two.address), await scene.keepPinging(two.namespace, outside)];
    let commands = 0;
    const inner = processRunner();
    const counting: CommandRunner = {
      run: (argv, options) => {
        commands += 1;
        return inner.run(argv, options);
      },
    };
    const starts = scene.nft.starts + scene.worker.starts;

    const successor = scene.driver({ runner: counting });
    const result = await successor.apply(router, quick);
    assert.deepEqual(result, { outcome: "adopted", foreignChanges: 0, warnings: [] });
    assert.equal(commands + scene.nft.starts + scene.worker.starts - starts, 0, "a child was started");
    const verified = await successor.apply(router, closely);

    assert.deepEqual([verified.outcome, verified.foreignChanges], ["unchanged", 0]);
    assert.equal(readyOf(router).epoch, epoch);
    for (const ping of pings) assert.equal((await ping.stop()).lost, 0);
  });

  test("killed at any step of making it, the next agent completes it; at any step of removing it, nothing is left", async () => {
    let made = 0;
    for (let step = 1; ; step += 1) {
      const dying = dyingTools(scene, step);
      const failed = await scene
        .driver(dying)
        .apply(router, quick)
        .then(
          () => false,
          () => true,
        );
      dying.revive();
      const result = await scene.driver().apply(router, quick);
      assert.ok(["created", "changed"].includes(result.outcome) || !failed, `step ${step}: ${result.outcome}`);
      const again = await scene.driver().apply(router, closely);
      assert.deepEqual([again.outcome, again.foreignChanges], ["unchanged", 0], `step ${step}`);
      await assertWorks();
      await removeKilled(step);
      made = step;
      if (!failed) break;
    }
    assert.ok(made > 5, `only ${made} steps`);
  });

  async function removeKilled(step: number): Promise<void> {
    const dying = dyingTools(scene, Math.ceil(step / 2));
    await scene
      .driver(dying)
      .remove(router.id)
      .catch(() => {});
    dying.revive();
    const successor = scene.driver();
    for (const id of await successor.list()) await successor.remove(id);
    assert.deepEqual(await successor.list(), []);
    assert.equal(existsSync(`/run/netns/${scene.namespaceOf(router)}`), false);
    for (const { portId } of [red, blue, gateway]) assert.equal(hasDevice(tapName(portId)), false, `step ${step}`);
    assert.equal(existsSync(readyFile(scene.directory.path, router.id)), false);
  }

  test("L3-4: removing a router that nobody knows is nothing; a namespace of that name without our mark is not ours", async () => {
    const driver = scene.driver();
    await driver.remove(router.id);
    const namespace = await createNamespace(scene.namespaceOf(router));
    try {
      await driver.remove(router.id);
      assert.equal(existsSync(`/run/netns/${namespace}`), true);
    } finally {
      await deleteNamespace(namespace);
    }
  });

  test("files that a killed agent was about to put in place go with the next agent's first look", async () => {
    await scene.driver().apply(router, quick);
    const folders = ["routers", "ready", "radvd", "spare"].map((name) => join(scene.directory.path, "l3", name));
    for (const folder of folders) {
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, `.${router.id}.json.1-1`), "half");
    }

    assert.deepEqual(await scene.driver().list(), [router.id]);

    const hidden = folders.flatMap((folder) => readdirSync(folder)).filter((name) => name.startsWith("."));
    assert.deepEqual(hidden, []);
    assert.equal(readyOf(router).routerId, router.id);
  });

  test("L3-7: what an agent before made is listed and removed, whatever is left of it", async () => {
    await scene.driver().apply(router, quick);
    await sh("ip", "netns", "del", scene.namespaceOf(router));

    const successor = scene.driver();
    assert.deepEqual(await successor.list(), [router.id]);
    await successor.remove(router.id);

    assert.deepEqual(await successor.list(), []);
    for (const { portId } of [red, blue, gateway]) assert.equal(hasDevice(tapName(portId)), false);
    assert.equal(hasDevice(scene.bridge), true);
  });
});

/** Tools of a process that is killed when it is about to take its n-th step: that one and all later ones do nothing. */
function dyingTools(
  scene: RouterScene,
  lastStep: number,
): { readonly worker: NamespaceRunner; readonly runner: CommandRunner; revive(): void } {
  const inner = processRunner();
  let steps = 0;
  let isAlive = true;
  const step = (): void => {
    steps += 1;
    if (steps >= lastStep) isAlive = false;
    if (!isAlive) throw new Error("killed");
  };
  return {
    worker: {
      run: async (namespace, operations) => {
        // An operation for each message: a kill may come between any two of them.
        const answers: Buffer[] = [];
        for (const operation of operations) {
          step();
          answers.push(...(await scene.worker.run(namespace, [operation])));
        }
        return answers;
      },
    },
    runner: {
      run: async (argv, options) => {
        step();
        return inner.run(argv, options);
      },
    },
    revive: () => {
      isAlive = true;
      steps = Number.NEGATIVE_INFINITY;
    },
  };
}
