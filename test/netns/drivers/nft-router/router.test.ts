// A router on the real kernel: what instances and the outside see of it.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { skipWithoutRoot } from "../../../helpers/namespaces.ts";
import { makeAddress, makeGateway, makeInterface, makeRouter } from "../../../helpers/router-items.ts";
import { type Guest, RouterScene } from "../../../helpers/router-scene.ts";

const outsideAddress = "203.0.113.254";
const gatewayAddress = makeAddress("203.0.113.10", "203.0.113.0/24", { gatewayIp: outsideAddress });

describe("a router with two networks", { skip: skipWithoutRoot }, () => {
  const red = makeInterface([makeAddress("10.1.0.1", "10.1.0.0/24")]);
  const blue = makeInterface([makeAddress("10.2.0.1", "10.2.0.0/24")]);
  const gateway = makeGateway([gatewayAddress]);
  const router = makeRouter({ interfaces: [red, blue], gateway });
  let scene: RouterScene;
  let one: Guest;
  let two: Guest;

  beforeEach(async () => {
    scene = await RouterScene.open();
    one = await scene.plugGuest("one", red, "10.1.0.5/24", "10.1.0.1");
    two = await scene.plugGuest("two", blue, "10.2.0.5/24", "10.2.0.1");
  });
  afterEach(async () => scene.remove());

  test("instances reach each other and the outside, which sees the gateway's address", async () => {
    const driver = scene.driver();
    assert.equal((await driver.apply(router, { verify: false })).outcome, "created");
    await scene.ping(one.namespace, two.address);
    const sources = await scene.sourcesSeen(scene.outside, () => scene.ping(one.namespace, outsideAddress));
    assert.deepEqual([...sources], ["203.0.113.10"]);
    assert.equal((await driver.apply(router, { verify: false })).outcome, "unchanged");
    assert.deepEqual(await driver.apply(router, { verify: true }), { outcome: "unchanged", foreignChanges: 0, warnings: [] });
    assert.deepEqual(await driver.list(), [router.id]);
  });
});
