// Namespaces that are kept ready for routers to come.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { NamespaceRunner } from "../../../../src/linux/namespace-worker.ts";
import { namespaceInode } from "../../../../src/linux/netns.ts";
import { sh, skipWithoutRoot } from "../../../helpers/namespaces.ts";
import { makeAddress, makeGateway, makeInterface, makeRouter } from "../../../helpers/router-items.ts";
import { RouterScene } from "../../../helpers/router-scene.ts";
import { waitFor } from "../../../helpers/wait-for.ts";

const quick = { verify: false };
const outside = "203.0.113.254";

describe("spare namespaces", { skip: skipWithoutRoot }, () => {
  const red = makeInterface([makeAddress("10.1.0.1", "10.1.0.0/24")]);
  const gateway = makeGateway([makeAddress("203.0.113.10", "203.0.113.0/24", { gatewayIp: outside })]);
  const router = makeRouter({ interfaces: [red], gateway });
  let scene: RouterScene;

  const spares = (): readonly string[] => readdirSync("/run/netns").filter((name) => name.startsWith(`${scene.prefix}qspare-`));

  beforeEach(async () => {
    scene = await RouterScene.open();
  });
  afterEach(async () => scene.remove());

  test("a router takes one and is as any other; another is made ready; they go with the process", async () => {
    const guest = await scene.plugGuest("one", red, "10.1.0.5/24", "10.1.0.1");
    const driver = scene.driver({ spares: 2 });
    await driver.prepare();
    const inodes = new Set(spares().map(namespaceInode));
    const starts = scene.nft.starts;
    assert.equal(inodes.size, 2);

    const result = await driver.apply(router, quick);

    assert.equal(result.outcome, "created");
    assert.ok(inodes.has(namespaceInode(scene.namespaceOf(router))), "it was not taken");
    assert.equal(scene.nft.starts, starts, "an nft was started");
    await waitFor(() => scene.ping(guest.namespace, outside), { limitMs: 10_000, what: "a ping" });
    const looked = await driver.apply(router, { verify: true });
    assert.deepEqual([looked.outcome, looked.foreignChanges], ["unchanged", 0]);
    await driver.prepared();
    assert.equal(spares().length, 2);
    await driver.close();
    assert.equal(spares().length, 0);
    await scene.ping(guest.namespace, outside);
  });

  test("what a killed process left is removed by the next, and nothing that only has such a name", async () => {
    await scene.driver({ spares: 2 }).prepare();
    const left = spares();
    const stranger = `${scene.prefix}qspare-stranger`;
    await sh("ip", "netns", "add", stranger);
    scene.keep(stranger);

    const successor = scene.driver({ spares: 1 });
    await successor.prepare();

    assert.equal(left.length, 2);
    assert.equal(spares().filter((name) => left.includes(name)).length, 0);
    assert.ok(spares().includes(stranger));
    await successor.close();
  });

  test("one that somebody deleted, or whose rules somebody changed, makes no router wrong", async () => {
    const driver = scene.driver({ spares: 2 });
    await driver.prepare();
    const [first = "", second = ""] = spares();
    await sh("ip", "netns", "del", first);
    await sh("ip", "netns", "exec", second, "nft", "flush", "ruleset");

    for (let n = 0; n < 2; n += 1) {
      const one = makeRouter({ interfaces: [makeInterface([makeAddress(`10.${n + 5}.0.1`, `10.${n + 5}.0.0/24`)])] });
      await waitFor(async () => (await driver.apply(one, { verify: n > 0 })) !== undefined, {
        limitMs: 10_000,
        what: "the router",
      });
      const looked = await driver.apply(one, { verify: true });
      assert.deepEqual([looked.outcome, looked.foreignChanges], ["unchanged", 0]);
    }
    await driver.close();
  });

  test("one that cannot be had does not stay, and the router is made without it", async () => {
    let failures = 1;
    const worker: NamespaceRunner = {
      run: async (namespace, operations) => {
        if (operations.some(({ kind }) => kind === "renameNamespace") && failures-- > 0) throw new Error("not today");
        return scene.worker.run(namespace, operations);
      },
    };
    const driver = scene.driver({ spares: 2, worker });
    await driver.prepare();
    const before = spares();
    const marks = (): readonly string[] => readdirSync(join(scene.directory.path, "l3", "spare"));

    const result = await driver.apply(router, quick);

    assert.equal(result.outcome, "created");
    await driver.prepared();
    const after = spares();
    assert.equal(failures, 0);
    assert.equal(after.length, 2);
    assert.equal(after.filter((name) => before.includes(name)).length, 1, "the one that failed is still there");
    assert.deepEqual(marks().toSorted(), after.toSorted());
    assert.equal((await driver.apply(router, { verify: true })).foreignChanges, 0);
    await driver.close();
  });
});
