import assert from "node:assert/strict";
import { test } from "node:test";
import { NetloomError } from "../../../src/base/errors.ts";
import { FloatingIpAgentRig } from "../../helpers/floating-ip-agent-rig.ts";
import { floatingIpItem, forwardingItem, goneItem, testRouterId } from "../../helpers/floating-ip-items.ts";

const router = testRouterId(1);
const other = testRouterId(2);

async function startedRig(count = 1): Promise<FloatingIpAgentRig> {
  const rig = new FloatingIpAgentRig();
  rig.places.set(router);
  rig.server.commit(Array.from({ length: count }, (_, index) => floatingIpItem(index + 1, 1)));
  await rig.start();
  return rig;
}

test("L3-43: an added floating IP is applied, announced three times and reported as ACTIVE", async () => {
  const rig = await startedRig(0);

  await rig.commit([floatingIpItem(1, 4)]);

  assert.deepEqual(rig.driver.at(rig.places.set(router)), { "203.0.113.1": "10.0.0.1" });
  assert.deepEqual(rig.server.statuses, { "fip 1": "ACTIVE 4" });
  assert.deepEqual(rig.driver.announced, ["203.0.113.1"]);
  await rig.advance(3100);
  assert.deepEqual(rig.driver.announced, ["203.0.113.1", "203.0.113.1", "203.0.113.1"]);
});

test("an announcement is not repeated for an address that is gone", async () => {
  const rig = await startedRig(0);
  const item = floatingIpItem(1, 4);
  await rig.commit([item]);

  await rig.commit([goneItem(item, 5)]);
  await rig.advance(5000);

  assert.deepEqual(rig.driver.announced, ["203.0.113.1"]);
});

test("an announcement is repeated by who is the primary then: silent after it went, not before it came", async () => {
  const rig = await startedRig(0);
  const become = (haState: "primary" | "backup"): void => {
    rig.places.set(router, { haState });
    rig.agent.sweep();
  };
  become("primary");
  await rig.commit([floatingIpItem(1, 4)]);
  assert.deepEqual(rig.driver.announced, ["203.0.113.1"]);
  become("backup");
  await rig.advance(5000);
  assert.deepEqual(rig.driver.announced, ["203.0.113.1"]);
  rig.driver.announced.length = 0;

  await rig.commit([floatingIpItem(2, 4)]);
  assert.deepEqual(rig.driver.announced, []);
  become("primary");
  await rig.advance(5000);

  assert.deepEqual(rig.driver.announced, ["203.0.113.2", "203.0.113.2"]);
});

test("L3-44: a removed floating IP is DOWN at the revision of its delete", async () => {
  const rig = await startedRig();

  await rig.commit([goneItem(floatingIpItem(1, 1), 7)]);

  assert.deepEqual(rig.driver.at(rig.places.set(router)), {});
  assert.deepEqual(rig.server.statuses, { "fip 1": "DOWN 7" });
});

test("a delete of a floating IP that was never heard of is answered too", async () => {
  const rig = await startedRig(0);

  await rig.commit([goneItem(floatingIpItem(9, 1), 7)]);

  assert.deepEqual(rig.server.statuses, { "fip 9": "DOWN 7" });
});

test("L3-45: one that is mapped to another instance is ACTIVE at its new revision", async () => {
  const rig = await startedRig();

  await rig.commit([floatingIpItem(1, 2, { fixedIp: "10.0.0.99" })]);

  assert.deepEqual(rig.driver.at(rig.places.set(router)), { "203.0.113.1": "10.0.0.99" });
  assert.deepEqual(rig.server.statuses, { "fip 1": "ACTIVE 2" });
});

test("L3-46: an address that goes to another floating IP is served for that one, and the old one is DOWN", async () => {
  const rig = await startedRig();

  await rig.commit([
    goneItem(floatingIpItem(1, 1), 2),
    floatingIpItem(2, 3, { floatingIp: "203.0.113.1", fixedIp: "10.0.0.2" }),
  ]);

  assert.deepEqual(rig.driver.at(rig.places.set(router)), { "203.0.113.1": "10.0.0.2" });
  assert.deepEqual(rig.server.statuses, { "fip 1": "DOWN 2", "fip 2": "ACTIVE 3" });
});

test("L3-47: one that moves to another router of this host leaves the old one, and is not reported as DOWN", async () => {
  const rig = await startedRig();
  const place = rig.places.set(router);
  const target = rig.places.set(other);
  await rig.tell();

  await rig.commit([floatingIpItem(1, 5, { routerId: other })]);

  assert.deepEqual([rig.driver.at(place), rig.driver.at(target)], [{}, { "203.0.113.1": "10.0.0.1" }]);
  assert.deepEqual(rig.server.statuses, { "fip 1": "ACTIVE 5" });
});

test("L3-47: the old router drops it also when it hears last, and when a late delete names the old router", async () => {
  const rig = await startedRig();
  const target = rig.places.set(other);
  await rig.tell();

  await rig.commit([floatingIpItem(1, 5, { routerId: other })]);
  await rig.commit([goneItem(floatingIpItem(1, 1), 4, router)]);

  assert.deepEqual(rig.driver.at(target), { "203.0.113.1": "10.0.0.1" });
  assert.equal(rig.server.statuses["fip 1"], "ACTIVE 5");
});

test("L3-48: an address that the kernel refuses is ERROR with the reason, the others are ACTIVE; it heals", async () => {
  const rig = await startedRig(0);
  rig.driver.refused.set("203.0.113.2", "no room");

  await rig.commit([floatingIpItem(1, 1), floatingIpItem(2, 1)]);
  assert.deepEqual(rig.server.statuses, { "fip 1": "ACTIVE 1", "fip 2": "ERROR 1 no room" });
  rig.driver.refused.clear();
  rig.agent.sweep();
  await rig.settle();

  assert.deepEqual(rig.server.statuses, { "fip 1": "ACTIVE 1", "fip 2": "ACTIVE 1" });
});

test("L3-49: when nothing can be applied all floating IPs of the router are ERROR, and tried again", async () => {
  const rig = await startedRig(2);
  rig.driver.failures.push(new NetloomError("UNAVAILABLE", "nft ended"));

  await rig.commit([floatingIpItem(3, 1)]);
  const reason = "ERROR 1 nft ended";
  assert.deepEqual(rig.server.statuses, { "fip 1": reason, "fip 2": reason, "fip 3": reason });
  await rig.advance(1000);

  const active = "ACTIVE 1";
  assert.deepEqual(rig.server.statuses, { "fip 1": active, "fip 2": active, "fip 3": active });
});

test("L3-50: what does not change is not reported again", async () => {
  const rig = await startedRig(3);
  const reports = rig.server.reports.length;

  rig.agent.sweep();
  await rig.settle();
  rig.agent.routerChanged(router);
  await rig.settle();

  assert.equal(rig.server.reports.length, reports);
});

test("L3-51: without a gateway nothing is served, what was there goes, and the reason is told after a while", async () => {
  const rig = await startedRig();
  const closed = rig.places.set(router, { gatewayDevice: null, gatewayPortId: null, gatewayMac: null });
  await rig.tell();
  assert.deepEqual(rig.driver.at(closed), {});
  assert.equal(rig.server.statuses["fip 1"], "ACTIVE 1");

  await rig.advance(6000);
  assert.equal(rig.server.statuses["fip 1"], `DOWN 1 router ${router} has no gateway on this host`);
  rig.places.set(router, { epoch: "life-2" });
  await rig.tell();

  assert.equal(rig.server.statuses["fip 1"], "ACTIVE 1");
});

test("L3-52: floating IPs of a router that is not here wait, and are served as soon as it comes", async () => {
  const rig = new FloatingIpAgentRig();
  rig.server.commit([floatingIpItem(1, 1)]);
  await rig.start();
  assert.deepEqual(rig.server.statuses, {});
  await rig.advance(6000);
  assert.equal(rig.server.statuses["fip 1"], `DOWN 1 router ${router} is not on this host yet`);

  const place = rig.places.set(router);
  await rig.tell();

  assert.deepEqual(rig.driver.at(place), { "203.0.113.1": "10.0.0.1" });
  assert.equal(rig.server.statuses["fip 1"], "ACTIVE 1");
});

test("a router that is made anew gets all of its floating IPs in one call", async () => {
  const rig = await startedRig(3);
  const place = rig.places.set(router, { epoch: "life-2", namespaceInode: 2 });
  const before = rig.driver.applied.length;

  await rig.tell();

  assert.equal(rig.driver.applied.length, before + 1);
  assert.equal(Object.keys(rig.driver.at(place)).length, 3);
});

test("L3-62: a floating IP whose port goes while it is applied is gone afterwards", async () => {
  const rig = await startedRig(0);
  const { promise, resolve } = Promise.withResolvers<void>();
  rig.driver.gate = promise;
  const item = floatingIpItem(1, 1);
  await rig.commit([item]);

  await rig.commit([goneItem(item, 2)]);
  rig.driver.gate = Promise.resolve();
  resolve();
  await rig.settle();

  assert.deepEqual(rig.driver.at(rig.places.set(router)), {});
  assert.deepEqual(rig.server.statuses, { "fip 1": "DOWN 2" });
});

test("L3-63: an address that only carries port forwardings is told of when the first of them is served", async () => {
  const rig = await startedRig(0);
  const bare = floatingIpItem(1, 1, { fixedIp: null, portId: null });

  await rig.commit([bare]);
  assert.deepEqual(rig.server.statuses, {});
  await rig.commit([forwardingItem(7, 2, { floatingIp: "203.0.113.1" })]);

  assert.deepEqual(rig.driver.at(rig.places.set(router)), { "203.0.113.1": "- 8007>10.0.0.7" });
  assert.deepEqual(rig.server.statuses, { "fip 1": "ACTIVE 1" });
});

test("L3-66: port forwardings follow their router to another one", async () => {
  const rig = await startedRig(0);
  const target = rig.places.set(other);
  await rig.tell();
  const bare = { fixedIp: null, portId: null };
  await rig.commit([floatingIpItem(1, 1, bare), forwardingItem(7, 2, { floatingIp: "203.0.113.1" })]);

  await rig.commit([
    floatingIpItem(1, 3, { ...bare, routerId: other }),
    forwardingItem(7, 4, { floatingIp: "203.0.113.1", routerId: other }),
  ]);

  assert.deepEqual(rig.driver.at(rig.places.set(router)), {});
  assert.deepEqual(rig.driver.at(target), { "203.0.113.1": "- 8007>10.0.0.7" });
});

test("L3-67: a router that was deleted keeps nothing in memory", async () => {
  const rig = await startedRig(2);
  rig.places.remove(router);
  await rig.tell();

  await rig.commit([goneItem(floatingIpItem(1, 1), 2), goneItem(floatingIpItem(2, 1), 2)]);

  assert.deepEqual([rig.agent.counts.routers, rig.agent.journal.status.size], [0, 0]);
  assert.deepEqual(rig.server.statuses, { "fip 1": "DOWN 2", "fip 2": "DOWN 2" });
});

test("L3-68: a port forwarding of a router that is not here changes nothing", async () => {
  const rig = await startedRig();
  const before = rig.driver.applied.length;

  await rig.commit([forwardingItem(7, 2, { floatingIp: "203.0.113.1", routerId: other })]);

  assert.equal(rig.driver.applied.length, before);
  assert.deepEqual(rig.driver.at(rig.places.set(router)), { "203.0.113.1": "10.0.0.1" });
});

test("changes of one router that come together are one call, and only what changed is named", async () => {
  const rig = await startedRig(5);
  const before = rig.driver.applied.length;

  await rig.commit([floatingIpItem(6, 1), floatingIpItem(7, 1), goneItem(floatingIpItem(2, 1), 2)]);

  assert.deepEqual(rig.driver.applied.slice(before), [
    { routerId: router, addresses: ["203.0.113.2", "203.0.113.6", "203.0.113.7"] },
  ]);
});

test("one router is never worked on twice at once, several are", async () => {
  const rig = await startedRig(1);
  rig.places.set(other);
  await rig.tell();
  const { promise, resolve } = Promise.withResolvers<void>();
  rig.driver.gate = promise;

  await rig.commit([floatingIpItem(2, 1), floatingIpItem(3, 1, { routerId: other })]);
  await rig.commit([floatingIpItem(4, 1), floatingIpItem(5, 1, { routerId: other })]);
  assert.equal(rig.driver.running, 2);
  resolve();
  await rig.settle();

  assert.equal(rig.driver.mostRunning, 2);
  assert.equal(rig.agent.counts.floatingIps, 5);
});

test("one router that fails delays no other", async () => {
  const rig = await startedRig(0);
  const target = rig.places.set(other);
  await rig.tell();
  rig.driver.failures.push(new NetloomError("UNAVAILABLE", "no"));

  await rig.commit([floatingIpItem(1, 1), floatingIpItem(2, 1, { routerId: other })]);

  assert.deepEqual(rig.driver.at(target), { "203.0.113.2": "10.0.0.2" });
});

test("fenced, floating IPs leave plain routers without a word to the server, and come back when it is over", async () => {
  const rig = await startedRig();
  const place = rig.places.set(router);
  const haPlace = rig.places.set(other, { haState: "backup" });
  await rig.tell();
  await rig.commit([floatingIpItem(2, 1, { routerId: other })]);
  const reports = rig.server.reports.length;

  rig.agent.fence("no server hears");
  await rig.advance(120_000);

  assert.deepEqual([rig.driver.at(place), rig.driver.at(haPlace)], [{}, { "203.0.113.2": "10.0.0.2" }]);
  assert.deepEqual(rig.agent.journal.status.get(router)?.state, "fenced");
  assert.equal(rig.server.reports.length, reports);
  rig.driver.announced.length = 0;

  rig.agent.unfence();
  await rig.settle();

  assert.deepEqual(rig.driver.at(place), { "203.0.113.1": "10.0.0.1" });
  assert.deepEqual(rig.driver.announced, ["203.0.113.1"]);
});

test("fenced before the first sync, what an earlier process left in plain routers goes", async () => {
  const first = await startedRig();
  await first.kill();
  first.server.stop();
  const rig = new FloatingIpAgentRig({ before: first });
  const place = rig.places.set(router);
  await rig.start();
  assert.deepEqual(rig.driver.at(place), { "203.0.113.1": "10.0.0.1" });

  rig.agent.fence("no server hears");
  await rig.settle();

  assert.deepEqual(rig.driver.at(place), {});
});
