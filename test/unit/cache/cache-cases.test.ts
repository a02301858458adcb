// Every way to ask the cache, after every way to change it; and the graves that keep late news out.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NetworkCache } from "../../../src/cache/network-cache.ts";
import { Tombstones } from "../../../src/cache/tombstones.ts";
import type { StreamItem } from "../../../src/types/agent-messages.ts";
import {
  deleteItem,
  makeNetwork,
  makePort,
  makeSubnet,
  networkItem,
  portItem,
  subnetItem,
  testNetworkId,
  testPortId,
  testSubnetId,
} from "../../helpers/agent-items.ts";
import { bareItems, blue, red } from "../../helpers/agent-scene.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";

function cacheWith(...items: readonly StreamItem[]): NetworkCache {
  const cache = new NetworkCache({ clock: new FakeClock() });
  for (const item of items) cache.applyItem(item);
  return cache;
}

const portIds = (cache: NetworkCache, network = blue): readonly string[] =>
  cache.view(network)?.ports.map(({ id }) => id) ?? [];

describe("the cache", () => {
  const port = makePort(5, blue, 1);
  const items = [...bareItems(1), portItem(port), ...bareItems(2), portItem(makePort(6, red, 2))];

  test("DA-200: finds a network and its parts by their ids, and nothing under an id that it does not have", () => {
    const cache = cacheWith(...items);

    assert.deepEqual([...cache.networkIds()].toSorted(), [blue, red]);
    assert.equal(cache.findNetwork(blue)?.name, "network-1");
    assert.equal(cache.findSubnet(testSubnetId(1))?.networkId, blue);
    assert.equal(cache.findPort(testPortId(5))?.networkId, blue);
    assert.deepEqual([portIds(cache, blue), portIds(cache, red)], [[testPortId(5)], [testPortId(6)]]);
    const missing = testNetworkId(9);
    assert.deepEqual(
      [cache.view(missing), cache.findNetwork(missing), cache.findSubnet(missing), cache.findPort(missing)],
      [undefined, undefined, undefined, undefined],
    );
  });

  test("DA-200: keeps the parts of a network that is put again, and what it says of itself is new", () => {
    const cache = cacheWith(...items);

    cache.applyItem(networkItem(makeNetwork(1, { revision: 2, name: "other" })));

    assert.equal(cache.view(blue)?.network.name, "other");
    assert.deepEqual([cache.view(blue)?.subnets.length, portIds(cache)], [1, [testPortId(5)]]);
  });

  test("DA-200: finds a subnet and a port only in the network to which they moved", () => {
    const cache = cacheWith(...items);

    const dirty = cache.applyItem(portItem(makePort(5, red, 2, { revision: 2 })));

    assert.deepEqual([...dirty].toSorted(), [blue, red]);
    assert.deepEqual([portIds(cache, blue), portIds(cache, red)], [[], [testPortId(5), testPortId(6)]]);
    assert.equal(cache.findPort(testPortId(5))?.networkId, red);
    assert.equal(cache.findOwner(blue, "10.1.0.5"), undefined);
  });

  test("DA-200: forgets a network with all its parts, once and again", () => {
    const cache = cacheWith(...items);

    for (const attempt of [1, 2]) {
      const dirty = cache.applyItem(deleteItem(networkItem(makeNetwork(1))));
      assert.deepEqual(dirty, attempt === 1 ? [blue] : []);
    }

    assert.deepEqual(cache.networkIds(), [red]);
    assert.deepEqual([cache.findSubnet(testSubnetId(1)), cache.findPort(testPortId(5))], [undefined, undefined]);
    assert.equal(cache.findOwner(blue, "10.1.0.5"), undefined);
    assert.notEqual(cache.findPort(testPortId(6)), undefined);
  });

  test("DA-201: takes a new port, puts a known one in its place, and removes one by its id however it has changed", () => {
    const cache = cacheWith(...items);

    cache.applyItem(portItem(makePort(7, blue, 1)));
    cache.applyItem(portItem({ ...port, revision: 2, dnsName: "web" }));
    assert.deepEqual(portIds(cache), [testPortId(5), testPortId(7)]);
    assert.equal(cache.findPort(port.id)?.dnsName, "web");
    // The delete knows nothing of the name.
    cache.applyItem(deleteItem(portItem({ ...port, revision: 2 })));

    assert.deepEqual(portIds(cache), [testPortId(7)]);
    assert.equal(cache.findPort(port.id), undefined);
  });

  test("DA-202: counts networks, subnets and ports of those that are hosted here", () => {
    const cache = cacheWith(...items, portItem(makePort(8, testNetworkId(3), 3)));

    assert.deepEqual(cache.counts(), { networks: 2, subnets: 2, ports: 2 });
    cache.applyItem(subnetItem(makeSubnet(4, red)));
    cache.applyItem(deleteItem(portItem(port)));
    assert.deepEqual(cache.counts(), { networks: 2, subnets: 3, ports: 1 });
    cache.applyItem(deleteItem(networkItem(makeNetwork(2))));
    assert.deepEqual(cache.counts(), { networks: 1, subnets: 1, ports: 0 });
  });
});

describe("the graves of what was deleted", () => {
  const limits = { max: 100, ttlMs: 1000 };

  test("DA-054: none, and none too old: nothing goes", async () => {
    const clock = new FakeClock();
    const graves = new Tombstones(clock, limits);
    assert.equal(graves.covers("a", 1), false);

    graves.add("a", blue, 1);
    await clock.advance(1000);
    graves.add("b", blue, 1);

    assert.deepEqual([graves.size, graves.covers("a", 1), graves.covers("b", 1)], [2, true, true]);
  });

  test("DA-054: some too old: only they go, at the next delete; they count for nothing before", async () => {
    const clock = new FakeClock();
    const graves = new Tombstones(clock, limits);
    graves.add("old", blue, 1);
    await clock.advance(600);
    graves.add("young", blue, 1);
    await clock.advance(401);
    assert.deepEqual([graves.covers("old", 1), graves.covers("young", 1)], [false, true]);

    graves.add("new", red, 1);

    assert.equal(graves.size, 2);
    assert.ok(!graves.has("old"));
  });
});
