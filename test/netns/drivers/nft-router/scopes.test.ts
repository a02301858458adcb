// Address scopes on the real kernel: who is translated, who goes as he is, and who does not get through.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { randomId, sh, skipWithoutRoot } from "../../../helpers/namespaces.ts";
import { makeAddress, makeGateway, makeInterface, makeRouter } from "../../../helpers/router-items.ts";
import { type Guest, RouterScene } from "../../../helpers/router-scene.ts";

const quick = { verify: false };
const outside = "203.0.113.254";

describe("address scopes", { skip: skipWithoutRoot }, () => {
  const [ours, theirs] = [randomId(), randomId()];
  const inScope = (address: string, cidr: string, addressScopeId: string | null) =>
    makeAddress(address, cidr, { addressScopeId });
  const red = makeInterface([inScope("10.1.0.1", "10.1.0.0/24", ours)]);
  const blue = makeInterface([inScope("10.2.0.1", "10.2.0.0/24", ours)]);
  const green = makeInterface([inScope("10.3.0.1", "10.3.0.0/24", theirs)]);
  const gateway = makeGateway([makeAddress("203.0.113.10", "203.0.113.0/24", { gatewayIp: outside, addressScopeId: ours })]);
  const router = makeRouter({ interfaces: [red, blue, green], gateway });
  let scene: RouterScene;
  let one: Guest;
  let two: Guest;
  let three: Guest;

  beforeEach(async () => {
    scene = await RouterScene.open();
    one = await scene.plugGuest("one", red, "10.1.0.5/24", "10.1.0.1");
    two = await scene.plugGuest("two", blue, "10.2.0.5/24", "10.2.0.1");
    three = await scene.plugGuest("three", green, "10.3.0.5/24", "10.3.0.1");
    for (const cidr of ["10.1.0.0/24", "10.3.0.0/24"]) {
      await sh("ip", "-n", scene.outside, "route", "add", cidr, "via", "203.0.113.10");
    }
  });
  afterEach(async () => scene.remove());

  test("L3-59: inside one scope nothing is translated, also not on the way out, and the outside comes in", async () => {
    await scene.driver().apply(router, quick);

    await scene.ping(one.namespace, two.address);
    const sources = await scene.sourcesSeen(scene.outside, () => scene.ping(one.namespace, outside));
    assert.deepEqual([...sources], ["10.1.0.5"]);
    await scene.ping(scene.outside, one.address);
  });

  test("between scopes nothing passes but what is translated", async () => {
    const driver = scene.driver();
    await driver.apply(router, quick);

    assert.equal(await scene.isSilent(one.namespace, three.address), true);
    assert.equal(await scene.isSilent(scene.outside, three.address), true);
    const sources = await scene.sourcesSeen(scene.outside, () => scene.ping(three.namespace, outside));
    assert.deepEqual([...sources], ["203.0.113.10"]);
    await driver.apply({ ...router, enableSnat: false }, quick);

    assert.equal(await scene.isSilent(three.namespace, outside), true);
  });

  test("L3-58: a floating IP leads to an instance of another scope", async () => {
    await scene.driver().apply(router, quick);
    const nft = (line: string): Promise<string> => scene.nft.run(scene.namespaceOf(router), line);
    await nft("add element inet netloom fip_in { 203.0.113.99 : 10.3.0.5 }");
    await nft("add element inet netloom fip_out { 10.3.0.5 : 203.0.113.99 }");
    await nft("add element inet netloom fip_pair { 203.0.113.99 . 10.3.0.5 }");
    const device = (await scene.devicesOf(router)).find((name) => name.startsWith("qg-")) ?? "";
    await scene.inside(router, "route", "add", "local", "203.0.113.99/32", "dev", device, "proto", "static");

    await scene.ping(scene.outside, "203.0.113.99");
    const sources = await scene.sourcesSeen(scene.outside, () => scene.ping(three.namespace, outside));

    assert.deepEqual([...sources], ["203.0.113.99"]);
    await scene.ping(one.namespace, "203.0.113.99");
  });

  test("a port whose scope changes is judged anew", async () => {
    const driver = scene.driver();
    await driver.apply(router, quick);
    const moved = { ...green, addresses: [inScope("10.3.0.1", "10.3.0.0/24", ours)] };

    await driver.apply({ ...router, interfaces: [red, blue, moved] }, quick);

    await scene.ping(one.namespace, three.address);
  });
});
