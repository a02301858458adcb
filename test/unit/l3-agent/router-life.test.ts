// The life of routers on one host, with everything around the agent fake.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { NetloomError } from "../../../src/base/errors.ts";
import { routerId } from "../../../src/model/ids.ts";
import type { Router } from "../../../src/model/router.ts";
import { goneRouter, routerItem } from "../../helpers/fake-router-server.ts";
import { L3AgentRig, type L3RigOptions } from "../../helpers/l3-agent-rig.ts";
import { makeAddress, makeGateway, makeRouter } from "../../helpers/router-items.ts";

const rigs: L3AgentRig[] = [];
const newRig = (options?: L3RigOptions): L3AgentRig => {
  const rig = new L3AgentRig(options);
  rigs.push(rig);
  return rig;
};
const routerNo = (n: number, values: Partial<Router> = {}): Router =>
  makeRouter({ id: routerId(`00000000-0000-4000-8000-${String(n).padStart(12, "0")}`), ...values });
const [one, two, three] = [routerNo(1), routerNo(2), routerNo(3)];
const gateway = makeGateway([makeAddress("203.0.113.10", "203.0.113.0/24")]);

afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.stop();
});

test("L3-1: without a gateway a router is served only where that is wished, and goes when it loses its gateway", async () => {
  const rig = newRig({ handlesInternalOnly: false });
  const withGateway = { ...two, gateway };
  rig.server.commit([one, withGateway].map(routerItem));
  await rig.start();
  assert.deepEqual([...rig.driver.kernel.keys()], [two.id]);

  await rig.commit([routerItem({ ...two, revision: 2 })]);

  assert.deepEqual([...rig.driver.kernel.keys()], []);
  const usual = newRig();
  usual.server.commit([routerItem(one)]);
  await usual.start();
  assert.deepEqual([...usual.driver.kernel.keys()], [one.id]);
});

test("L3-2: a router that is switched off leaves the host, which says so, and comes back", async () => {
  const rig = newRig();
  rig.server.commit([routerItem(one)]);
  await rig.start();

  await rig.commit([routerItem({ ...one, adminStateUp: false, revision: 2 })]);
  assert.deepEqual(rig.driver.removed, [one.id]);
  // As asked for: the server takes its ports for DOWN then.
  assert.equal(rig.server.statusOf(one), "ACTIVE 2");
  await rig.commit([routerItem({ ...one, revision: 3 })]);

  assert.equal(rig.driver.kernel.get(one.id)?.revision, 3);
  assert.equal(rig.server.statusOf(one), "ACTIVE 3");
});

test("L3-3: a change of a router that was unknown adds it", async () => {
  const rig = newRig();
  await rig.start();

  await rig.commit([routerItem({ ...one, revision: 7 })]);

  assert.deepEqual([...rig.driver.kernel.keys()], [one.id]);
  assert.equal(rig.server.statusOf(one), "ACTIVE 7");
});

test("L3-4: the end of a router that was unknown removes what is left of it", async () => {
  const rig = newRig();
  await rig.start();
  rig.driver.kernel.set(two.id, two);

  await rig.commit([goneRouter(two)]);

  assert.deepEqual(rig.driver.removed, [two.id]);
});

test("L3-5: a router that cannot be made is tried again; so is one that can then not even be removed", async () => {
  const rig = newRig();
  const failure = new NetloomError("COMMAND_FAILED", "no such device");
  rig.driver.applyFailures.set(one.id, [failure, failure]);
  rig.server.commit([routerItem(one)]);
  await rig.start();
  assert.equal(rig.server.statusOf(one), "ERROR 1 no such device");

  await rig.advance(5_000);
  assert.equal(rig.server.statusOf(one), "ACTIVE 1");
  assert.deepEqual(
    rig.driver.applied.map(({ verify }) => verify),
    [false, true, true],
    "an attempt after a failure must trust nothing",
  );
  rig.driver.removeFailures.set(one.id, [failure, failure]);
  await rig.commit([goneRouter(one)]);
  assert.equal(rig.driver.kernel.size, 1);
  await rig.advance(5_000);

  assert.equal(rig.driver.kernel.size, 0);
});

test("L3-6: what fails with one router keeps no other", async () => {
  const rig = newRig();
  rig.driver.applyFailures.set(two.id, Array<Error>(9).fill(new Error("a bug")));

  rig.server.commit([one, two, three].map(routerItem));
  await rig.start();

  assert.deepEqual([...rig.driver.kernel.keys()].sort(), [one.id, three.id]);
  assert.deepEqual(
    [one, two, three].map((router) => rig.server.statusOf(router)),
    ["ACTIVE 1", "ERROR 1 a bug", "ACTIVE 1"],
  );
});

test("L3-7: what was deleted while the agent was away is removed at its first sync", async () => {
  const before = newRig();
  before.server.commit([one, two].map(routerItem));
  await before.start();
  await before.stop();
  before.server.commit([goneRouter(two)]);

  const rig = newRig({ before });
  await rig.start();

  assert.deepEqual(rig.driver.removed, [two.id]);
  assert.deepEqual([...rig.driver.kernel.keys()], [one.id]);
});

test("L3-8: a router that is deleted during the sync is not made by what the sync says", async () => {
  const rig = newRig({ pageSize: 1 });
  rig.server.commit([one, two, three].map(routerItem));
  let isDone = false;
  rig.server.betweenPages = () => {
    if (isDone) return;
    isDone = true;
    rig.server.commit([goneRouter(one)]);
  };

  await rig.start();
  await rig.settle();

  assert.deepEqual([...rig.driver.kernel.keys()].sort(), [two.id, three.id]);
});

test("L3-9: a sync that fails is repeated as a whole, and nothing is removed meanwhile", async () => {
  const rig = newRig({ pageSize: 1 });
  rig.driver.kernel.set(three.id, three);
  rig.server.commit([one, two].map(routerItem));
  let failures = 2;
  rig.server.betweenPages = () => {
    failures -= 1;
    if (failures >= 0) throw new NetloomError("TIMEOUT", "too slow");
  };

  await rig.start();
  const whileFailing = [...rig.driver.kernel.keys()];
  await rig.advance(2_000);

  // The server names what is lost with its first page, which is enough.
  assert.ok(!whileFailing.includes(one.id), "half a snapshot was applied");
  assert.deepEqual([...rig.driver.kernel.keys()].sort(), [one.id, two.id]);
});

test("L3-10: changes that come while a router is worked on are one more turn", async () => {
  const rig = newRig();
  const entered = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  rig.driver.during = async () => {
    entered.resolve();
    await gate.promise;
  };
  await rig.start();
  rig.server.commit([routerItem(one)]);
  await entered.promise;

  for (const revision of [2, 3, 4]) rig.server.commit([routerItem({ ...one, revision })]);
  await rig.settle();
  gate.resolve();
  await rig.settle();

  assert.deepEqual(
    rig.driver.applied.map(({ revision }) => revision),
    [1, 4],
  );
  assert.equal(rig.server.statusOf(one), "ACTIVE 4");
});

test("L3-11: an old state that comes late is not applied", async () => {
  const rig = newRig();
  await rig.start();
  await rig.commit([routerItem({ ...one, revision: 5 })]);

  await rig.commit([routerItem({ ...one, revision: 3, name: "old" })]);
  rig.server.publish(0, 1);
  await rig.settle();

  assert.deepEqual(
    rig.driver.applied.map(({ revision }) => revision),
    [5],
  );
});

test("L3-12: a router that keeps failing is never given up: its pauses grow, each failure is told, and others go on", async () => {
  const rig = newRig();
  rig.driver.applyFailures.set(one.id, Array<Error>(30).fill(new NetloomError("INVALID", "no bridge is mapped")));
  rig.server.commit([routerItem(one)]);
  await rig.start();

  await rig.advance(600_000);

  const lines = rig.log("router not reconciled, will be repeated");
  assert.ok(lines.length > 10 && lines.length < 25, `${lines.length} attempts`);
  assert.equal(rig.server.statusOf(one), "ERROR 1 no bridge is mapped");
  assert.equal(rig.running.agent.journal.status.get(one.id)?.state, "failing");
  await rig.commit([routerItem(two)]);
  assert.equal(rig.server.statusOf(two), "ACTIVE 1");
});

test("L3-15: an agent that stops leaves every router as it is, and its successor touches none", async () => {
  const before = newRig();
  before.server.commit([one, two].map(routerItem));
  await before.start();

  await before.stop();
  assert.deepEqual([before.driver.removed, before.driver.kernel.size], [[], 2]);
  const rig = newRig({ before });
  await rig.start();

  assert.deepEqual(new Set(rig.log("router reconciled").map(({ outcome }) => outcome)), new Set(["unchanged"]));
});

test("L3-16: each change is followed by its own trace", async () => {
  const rig = newRig();
  await rig.start();
  const traces = ["1", "2"].map((digit) => digit.repeat(32));

  for (const [index, trace] of traces.entries()) {
    const item = routerItem({ ...one, revision: index + 1 });
    await rig.commit([{ ...item, traceparent: `00-${trace}-${"1".repeat(16)}-01` }]);
  }

  assert.deepEqual(
    rig.log("router reconciled").map(({ traceId }) => traceId),
    traces,
  );
});

test("L3-17: an agent that finds no server keeps asking, and touches nothing until it was told everything", async () => {
  const rig = newRig();
  rig.driver.kernel.set(two.id, two);
  rig.server.commit([routerItem(one)]);
  rig.server.syncFailures.push(...Array<NetloomError>(3).fill(new NetloomError("UNAVAILABLE", "no server")));

  await rig.start();
  assert.deepEqual([...rig.driver.kernel.keys()], [two.id]);
  assert.equal(rig.server.heartbeats.at(-1)?.phase ?? "syncing", "syncing");
  await rig.advance(10_000);

  assert.deepEqual([...rig.driver.kernel.keys()], [one.id]);
  assert.equal(rig.server.heartbeats.at(-1)?.phase, "ready");
});

test("L3-102: routers that others were given while the agent was silent are dropped at once", async () => {
  const rig = newRig();
  rig.server.commit([one, two].map(routerItem));
  await rig.start();
  rig.server.syncFailures.push(...Array<NetloomError>(9).fill(new NetloomError("UNAVAILABLE", "no server")));

  rig.server.control({ action: "resync", reason: "revived", lostRouterIds: [two.id] });
  await rig.settle();

  assert.deepEqual([...rig.driver.kernel.keys()], [one.id]);
  assert.equal(rig.log("routers were given to other hosts while this one was silent").length, 1);
});
