// What the L3 agent notices by itself, and what it says of itself.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { afterEach, test } from "node:test";
import { NetloomError } from "../../../src/base/errors.ts";
import { haStateFile } from "../../../src/drivers/l3-layout.ts";
import type { RouterMetadata } from "../../../src/l3-agent/router-serving.ts";
import { goneRouter, routerItem } from "../../helpers/fake-router-server.ts";
import { L3AgentRig, type L3RigOptions } from "../../helpers/l3-agent-rig.ts";
import { makeRouter } from "../../helpers/router-items.ts";

const rigs: L3AgentRig[] = [];
const newRig = (options?: L3RigOptions): L3AgentRig => {
  const rig = new L3AgentRig(options);
  rigs.push(rig);
  return rig;
};

afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.stop();
});

test("L3-14: a router whose namespace went is made anew within a sweep", async () => {
  const rig = newRig();
  const router = makeRouter();
  rig.server.commit([routerItem(router)]);
  await rig.start();
  rig.driver.broken.add(router.id);
  rig.driver.foreignChanges = 4;

  await rig.advance(2_100);

  assert.deepEqual(
    rig.driver.applied.map(({ verify }) => verify),
    [false, true],
  );
  assert.equal(rig.running.agent.journal.foreignChanges, 4);
  assert.equal(rig.log("what others had changed was repaired")[0]?.["changes"], 4);
});

test("every router is looked at once a minute, and what others changed is counted", async () => {
  const rig = newRig();
  const routers = Array.from({ length: 20 }, () => makeRouter());
  rig.server.commit(routers.map(routerItem));
  await rig.start();
  rig.driver.applied.length = 0;
  rig.driver.foreignChanges = 1;

  await rig.advance(125_000);

  const looks = Map.groupBy(rig.driver.applied, ({ id }) => id);
  assert.equal(looks.size, routers.length);
  for (const [id, list] of looks) {
    assert.ok(list.length >= 1 && list.length <= 3, `${list.length} looks at ${id}`);
    assert.ok(list.every(({ verify }) => verify));
  }
  assert.equal(rig.running.agent.journal.foreignChanges, rig.driver.applied.length);
});

test("the server is told again only what it does not know, and everything after a restore of its database", async () => {
  const rig = newRig();
  const router = makeRouter();
  rig.server.commit([routerItem(router)]);
  await rig.start();
  await rig.advance(130_000);
  assert.equal(rig.server.reports.flat().length, 1);

  rig.server.restore("epoch-2", [router]);
  rig.server.control({ action: "resync", reason: "another epoch" });
  await rig.advance(1_000);

  assert.equal(rig.server.reports.flat().length, 2);
  assert.equal(rig.server.syncs.at(-1)?.epoch, "epoch-1");
});

test("statuses that the server did not take are kept", async () => {
  const rig = newRig();
  const router = makeRouter();
  rig.server.statusFailures.push(new NetloomError("UNAVAILABLE", "no"), new NetloomError("TIMEOUT", "no"));
  rig.server.commit([routerItem(router)]);

  await rig.start();
  assert.equal(rig.server.statusOf(router), undefined);
  await rig.advance(3_000);

  assert.equal(rig.server.statusOf(router), "ACTIVE 1");
});

test("a message that was lost is noticed by the next one", async () => {
  const rig = newRig();
  const [one, two] = [makeRouter(), makeRouter()];
  await rig.start();
  await rig.commit([routerItem(one)], { isLost: true });
  assert.equal(rig.driver.kernel.size, 0);

  await rig.commit([routerItem(two)]);
  await rig.advance(1_000);

  assert.deepEqual(new Set(rig.driver.kernel.keys()), new Set([one.id, two.id]));
});

test("what the kernel refuses is shown as degraded, and the router counts as working", async () => {
  const rig = newRig();
  const router = makeRouter();
  rig.driver.warnings = ["route replace 192.0.2.0/24 failed: network is unreachable"];
  rig.server.commit([routerItem(router)]);

  await rig.start();
  await rig.advance(5_100);

  assert.equal(rig.server.statusOf(router), "ACTIVE 1");
  const { state, reason } = rig.running.agent.journal.status.get(router.id) ?? {};
  assert.deepEqual([state, reason], ["degraded", rig.driver.warnings[0]]);
  const configurations = rig.server.heartbeats.at(-1)?.agent.configurations ?? {};
  assert.deepEqual(configurations["routers_in_trouble"], [{ router_id: router.id, state, reason }]);
});

test("the heartbeat says what it is, how many routers it has and how far it is", async () => {
  const rig = newRig();
  rig.server.commit([makeRouter(), makeRouter()].map(routerItem));

  await rig.start();
  await rig.advance(5_100);

  const { agent, phase, progress, load, seen } = rig.server.heartbeats.at(-1) ?? {};
  assert.equal(agent?.agentType, "L3 agent");
  assert.deepEqual([phase, progress, load?.routers], ["ready", { done: 2, total: 2 }, 2]);
  assert.deepEqual(seen, { epoch: "epoch-1", seq: 2 });
});

test("L3-74: metadata follow the router: with it, after it, and before its end", async () => {
  const calls: string[] = [];
  const failures: Error[] = [new NetloomError("UNAVAILABLE", "no socket")];
  const metadata: RouterMetadata = {
    apply: async (router, { namespace }) => {
      calls.push(`apply ${router.revision} in ${namespace}`);
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
    },
    remove: async () => void calls.push(`remove while ${rig.driver.kernel.size} on the host`),
  };
  const rig = newRig({ metadata });
  const router = makeRouter();
  const applied = `apply 1 in qrouter-${router.id}`;
  await rig.start();

  await rig.commit([routerItem(router)]);
  // Packets flow, but an instance that starts now would have no keys.
  assert.equal(rig.server.statusOf(router), "ERROR 1 no metadata: no socket");
  await rig.advance(2_000);
  assert.equal(rig.server.statusOf(router), "ACTIVE 1");
  await rig.commit([goneRouter(router)]);

  assert.deepEqual(calls, [applied, applied, "remove while 1 on the host"]);
});

test("L3-74: a router whose radvd or keepalived does not start serves metadata all the same; one that is not there does not", async () => {
  const served: string[] = [];
  const metadata: RouterMetadata = {
    apply: async ({ id }) => void served.push(id),
    remove: async () => {},
  };
  const rig = newRig({ metadata });
  const failure = new NetloomError("COMMAND_FAILED", "no router advertisements: radvd failed");
  const [lacking, absent] = [makeRouter(), makeRouter()];
  const [primary, backup] = [makeRouter({ isHa: true }), makeRouter({ isHa: true })];
  for (const { id } of [lacking, primary, backup]) rig.driver.helperFailures.set(id, Array<Error>(9).fill(failure));
  rig.driver.applyFailures.set(absent.id, Array<Error>(9).fill(failure));
  await rig.start();
  await writeFile(haStateFile(rig.stateDir, primary.id), "primary\n");
  await writeFile(haStateFile(rig.stateDir, backup.id), "backup\n");

  await rig.commit([lacking, absent, primary, backup].map(routerItem));

  assert.deepEqual(new Set(served), new Set([lacking.id, primary.id]));
  assert.equal(rig.server.statusOf(lacking), "ERROR 1 no router advertisements: radvd failed");
});

test("L3-75: of a router of high availability only the primary serves metadata", async () => {
  const calls: string[] = [];
  const metadata: RouterMetadata = {
    apply: async () => void calls.push("apply"),
    remove: async () => void calls.push("remove"),
  };
  const rig = newRig({ metadata });
  const router = { ...makeRouter(), isHa: true };
  rig.driver.haStates.set(router.id, "backup");
  await rig.start();
  await rig.commit([routerItem(router)]);
  assert.deepEqual(calls, ["remove"]);

  for (const [index, state] of (["primary", "backup"] as const).entries()) {
    rig.driver.haStates.set(router.id, state);
    await rig.commit([routerItem({ ...router, revision: router.revision + 1 + index })]);
  }

  assert.deepEqual(calls, ["remove", "apply", "remove"]);
});
