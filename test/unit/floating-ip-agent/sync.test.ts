import assert from "node:assert/strict";
import { test } from "node:test";
import { NetloomError } from "../../../src/base/errors.ts";
import { FloatingIpAgentRig } from "../../helpers/floating-ip-agent-rig.ts";
import { floatingIpItem, goneItem, testRouterId } from "../../helpers/floating-ip-items.ts";

const router = testRouterId(1);

test("L3-17: an agent that finds no server keeps asking, and touches nothing until it was told everything", async () => {
  const rig = new FloatingIpAgentRig();
  const place = rig.places.set(router);
  rig.driver.kernel.set(`${router} life-1`, new Map([["203.0.113.1", "10.0.0.1"]]));
  rig.server.commit([floatingIpItem(1, 1)]);
  rig.server.syncFailures.push(new NetloomError("UNAVAILABLE", "no"), new NetloomError("UNAVAILABLE", "no"));

  await rig.start();
  rig.places.set(router, { gatewayMac: "fa:16:3e:00:00:02" });
  await rig.tell();
  rig.agent.sweep();
  await rig.settle();
  assert.deepEqual([rig.driver.applied.length, rig.driver.at(place)], [0, { "203.0.113.1": "10.0.0.1" }]);
  await rig.advance(60_000);

  assert.deepEqual(rig.driver.at(place), { "203.0.113.1": "10.0.0.1" });
  assert.deepEqual(rig.server.statuses, { "fip 1": "ACTIVE 1" });
});

test("a restarted agent removes what went while it was away, from routers without floating IPs too", async () => {
  const before = new FloatingIpAgentRig();
  const place = before.places.set(router);
  before.server.commit([floatingIpItem(1, 1)]);
  await before.start();
  await before.kill();
  before.server.commit([goneItem(floatingIpItem(1, 1), 2)]);

  const rig = new FloatingIpAgentRig({ before });
  await rig.start();

  assert.deepEqual(rig.driver.at(place), {});
});

test("half a snapshot is not applied", async () => {
  const rig = new FloatingIpAgentRig({ pageSize: 2 });
  const place = rig.places.set(router);
  rig.driver.kernel.set(`${router} life-1`, new Map([["203.0.113.3", "10.0.0.3"]]));
  rig.server.commit([1, 2, 3].map((n) => floatingIpItem(n, 1)));
  const seen: unknown[] = [];
  rig.server.betweenPages = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    seen.push(rig.driver.at(place));
  };

  await rig.start();

  assert.deepEqual(seen, [{ "203.0.113.3": "10.0.0.3" }]);
  assert.deepEqual(Object.keys(rig.driver.at(place)), ["203.0.113.1", "203.0.113.2", "203.0.113.3"]);
});

test("a message that was lost is noticed by the next one", async () => {
  const rig = new FloatingIpAgentRig();
  const place = rig.places.set(router);
  await rig.start();

  await rig.commit([floatingIpItem(1, 1)], { isLost: true });
  await rig.commit([floatingIpItem(2, 1)]);
  await rig.advance(1000);

  assert.deepEqual(Object.keys(rig.driver.at(place)), ["203.0.113.1", "203.0.113.2"]);
  assert.deepEqual(rig.server.syncs, ["snapshot", "delta"]);
});

test("a server whose database was restored is believed, whatever its revisions are", async () => {
  const rig = new FloatingIpAgentRig();
  const place = rig.places.set(router);
  rig.server.commit([floatingIpItem(1, 50), floatingIpItem(2, 50)]);
  await rig.start();

  rig.server.restore("epoch-2", [floatingIpItem(2, 3, { fixedIp: "10.0.0.22" })]);
  rig.server.control({ action: "resync", reason: "restored" });
  await rig.settle();
  await rig.advance(1000);

  assert.deepEqual(rig.driver.at(place), { "203.0.113.2": "10.0.0.22" });
  assert.equal(rig.server.statuses["fip 2"], "ACTIVE 3");
});

test("L3-102: routers that were given to others while this host was silent are left at once, also without a sync", async () => {
  const rig = new FloatingIpAgentRig();
  const place = rig.places.set(router);
  rig.server.commit([floatingIpItem(1, 1)]);
  await rig.start();
  rig.server.syncFailures.push(new NetloomError("UNAVAILABLE", "no"));

  rig.server.control({ action: "resync", reason: "was silent", lostRouterIds: [router] });
  await rig.settle();

  assert.deepEqual(rig.driver.at(place), {});
});

test("statuses that the server did not take are told again, the last word only", async () => {
  const rig = new FloatingIpAgentRig();
  rig.places.set(router);
  await rig.start();
  rig.server.statusFailures.push(new NetloomError("UNAVAILABLE", "no database"));

  await rig.commit([floatingIpItem(1, 1)]);
  await rig.commit([floatingIpItem(1, 2)]);
  await rig.advance(5000);

  assert.deepEqual(rig.server.reports.flat().length, 1);
  assert.deepEqual(rig.server.statuses, { "fip 1": "ACTIVE 2" });
});

test("a thousand floating IPs of one message are one call to the driver and one report", async () => {
  const rig = new FloatingIpAgentRig();
  const place = rig.places.set(router);
  await rig.start();
  const before = rig.driver.applied.length;

  const tail = (n: number): string => `${Math.floor(n / 250)}.${n % 250}`;
  const many = Array.from({ length: 1000 }, (_, n) =>
    floatingIpItem(n, 1, { floatingIp: `198.51.${tail(n)}`, fixedIp: `10.0.${tail(n)}` }),
  );
  await rig.commit(many);

  assert.equal(rig.driver.applied.length - before, 1);
  assert.equal(Object.keys(rig.driver.at(place)).length, 1000);
  assert.deepEqual(
    rig.server.reports.map((report) => report.length),
    [1000],
  );
});

test("what others changed is found by the sweep, repaired and counted", async () => {
  const rig = new FloatingIpAgentRig();
  const place = rig.places.set(router);
  rig.server.commit([floatingIpItem(1, 1), floatingIpItem(2, 1)]);
  await rig.start();
  rig.driver.kernel.get(`${router} life-1`)?.delete("203.0.113.1");

  await rig.advance(62_000);

  assert.deepEqual(Object.keys(rig.driver.at(place)), ["203.0.113.1", "203.0.113.2"]);
  assert.equal(rig.agent.journal.foreignChanges, 1);
  assert.equal(rig.log("what others had changed was repaired").length, 1);
});

test("each router is looked at once in each sweep, and not all of them together", async () => {
  const rig = new FloatingIpAgentRig();
  const routers = Array.from({ length: 12 }, (_, n) => testRouterId(n + 1));
  for (const id of routers) rig.places.set(id);
  rig.server.commit(routers.map((routerId, n) => floatingIpItem(n + 1, 1, { routerId })));
  await rig.start();

  await rig.advance(65_000);
  assert.equal(new Set(rig.driver.verified).size, 12);
  assert.equal(rig.driver.verified.length, 12);
});

test("a router that nobody told of is found by the sweep", async () => {
  const rig = new FloatingIpAgentRig();
  rig.server.commit([floatingIpItem(1, 1)]);
  await rig.start();
  const place = rig.places.set(router);

  await rig.advance(62_000);

  assert.deepEqual(rig.driver.at(place), { "203.0.113.1": "10.0.0.1" });
});
