import assert from "node:assert/strict";
import { test } from "node:test";
import { FloatingIpCache } from "../../../src/floating-ip-agent/floating-ip-cache.ts";
import { floatingIpItem, forwardingItem, goneItem, testRouterId } from "../../helpers/floating-ip-items.ts";

const router = testRouterId(1);
const address = "203.0.113.1";

function cacheWith(...items: Parameters<FloatingIpCache["applyItem"]>[0][]): FloatingIpCache {
  const cache = new FloatingIpCache();
  for (const item of items) cache.applyItem(item);
  return cache;
}

test("an address has its fixed IP and the port forwardings of its floating IP", () => {
  const cache = cacheWith(floatingIpItem(1, 3), forwardingItem(2, 5, { floatingIp: address }));

  const view = cache.view(router, address);

  assert.deepEqual([view?.fixedIp, view?.revision, view?.forwardings.length], ["10.0.0.1", 5, 1]);
  assert.deepEqual(cache.counts(), { floatingIps: 1, portForwardings: 1 });
});

test("an older item changes nothing, whether its object is there or was deleted", () => {
  const item = floatingIpItem(1, 3);
  const cache = cacheWith(item);

  assert.deepEqual(cache.applyItem(floatingIpItem(1, 2, { fixedIp: "10.0.0.9" })), []);
  assert.equal(cache.view(router, address)?.fixedIp, "10.0.0.1");
  cache.applyItem(goneItem(item, 5));
  assert.deepEqual(cache.applyItem(floatingIpItem(1, 4)), []);
  assert.equal(cache.view(router, address), undefined);
  assert.deepEqual(cache.applyItem(floatingIpItem(1, 6)), [{ routerId: router, address }]);
});

test("a delete that comes before the upsert it follows wins over it", () => {
  const cache = new FloatingIpCache();

  assert.deepEqual(cache.applyItem(goneItem(floatingIpItem(1, 3), 4)), []);

  assert.deepEqual(cache.applyItem(floatingIpItem(1, 3)), []);
  assert.deepEqual(cache.routerIds(), []);
});

test("a floating IP that goes to another router touches both", () => {
  const cache = cacheWith(floatingIpItem(1, 3));

  const affected = cache.applyItem(floatingIpItem(1, 4, { routerId: testRouterId(2) }));

  assert.deepEqual(affected, [
    { routerId: router, address },
    { routerId: testRouterId(2), address },
  ]);
  assert.deepEqual(cache.addressesOf(router), []);
});

test("a floating IP whose address is another touches both addresses", () => {
  const cache = cacheWith(floatingIpItem(1, 3));

  const affected = cache.applyItem(floatingIpItem(1, 4, { floatingIp: "203.0.113.77" }));

  assert.deepEqual(
    affected.map((one) => one.address),
    [address, "203.0.113.77"],
  );
});

test("L3-46: an address that changes its floating IP has the newer one, in either order", () => {
  const old = floatingIpItem(1, 3);
  const next = floatingIpItem(2, 9, { floatingIp: address, fixedIp: "10.0.0.2" });

  for (const order of [
    [old, next],
    [next, old],
  ]) {
    const cache = cacheWith(...order);
    assert.equal(cache.view(router, address)?.fixedIp, "10.0.0.2");
    cache.applyItem(goneItem(old, 4));
    assert.equal(cache.view(router, address)?.fixedIp, "10.0.0.2");
  }
});

test("what a snapshot does not name is gone, and what came during it stays", () => {
  const cache = cacheWith(floatingIpItem(1, 3), floatingIpItem(2, 3));

  cache.beginSnapshot({ isNewEpoch: false });
  cache.applyItem(floatingIpItem(2, 3));
  const affected = cache.endSnapshot();

  assert.deepEqual(affected, [{ routerId: router, address }]);
  assert.deepEqual(cache.addressesOf(router), ["203.0.113.2"]);
});

test("revisions of another epoch are not compared", () => {
  const gone = floatingIpItem(2, 90);
  const cache = cacheWith(floatingIpItem(1, 90), gone, goneItem(gone, 91));

  cache.beginSnapshot({ isNewEpoch: true });
  cache.applyItem(floatingIpItem(1, 2, { fixedIp: "10.0.0.7" }));
  cache.applyItem(floatingIpItem(2, 1));
  cache.endSnapshot();

  assert.equal(cache.view(router, address)?.fixedIp, "10.0.0.7");
  assert.deepEqual(cache.addressesOf(router), [address, "203.0.113.2"]);
});

test("a router that was given away takes all of its floating IPs along", () => {
  const cache = cacheWith(floatingIpItem(1, 3), floatingIpItem(2, 3), forwardingItem(3, 3, { floatingIp: "203.0.113.2" }));

  const affected = cache.dropRouter(router);

  assert.deepEqual([affected.length, cache.counts()], [3, { floatingIps: 0, portForwardings: 0 }]);
});
