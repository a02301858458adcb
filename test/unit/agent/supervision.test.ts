import assert from "node:assert/strict";
import { test } from "node:test";
import { deleteItem, makeNetwork, makePort, networkItem, portItem } from "../../helpers/agent-items.ts";
import type { AgentRig } from "../../helpers/agent-rig.ts";
import { turnLoop } from "../../helpers/agent-rig.ts";
import { applies, blue, blueItems, red, redItems, startedRig, stateOf } from "../../helpers/agent-scene.ts";

/** Its server dies whenever it is looked at. */
async function dieFor(rig: AgentRig, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 2000) {
    rig.host.dead.add(blue);
    await rig.advance(2000);
  }
}

test("a server that dies ten times in five minutes is given up, the server is told, and others are served on", async () => {
  const rig = await startedRig(...blueItems, ...redItems);

  await dieFor(rig, 300_000);
  const before = applies(rig).filter((id) => id === blue).length;
  await dieFor(rig, 300_000);

  assert.equal(rig.agent.crashes, 10);
  assert.equal(applies(rig).filter((id) => id === blue).length, before, "not even when networks are verified");
  assert.equal(stateOf(rig), "degraded");
  assert.match(rig.agent.journal.status.get(blue)?.reason ?? "", /dies again and again/);
  assert.deepEqual(
    rig.server.events.map(({ kind, networkId }) => [kind, networkId]),
    [...Array.from({ length: 9 }, () => ["dhcp-server-died", blue]), ["dhcp-server-given-up", blue]],
  );
  assert.ok(applies(rig).lastIndexOf(red) > applies(rig).lastIndexOf(blue), "red is looked at on");
});

test("a server that was given up gets another chance when its network changes", async () => {
  const rig = await startedRig(...blueItems);
  await dieFor(rig, 300_000);
  const before = applies(rig).length;

  rig.server.commit([portItem(makePort(7, blue, 1))]);
  await turnLoop();

  assert.equal(applies(rig).length, before + 1);
  assert.equal(stateOf(rig), "served");
  rig.host.dead.add(blue);
  await rig.advance(2000);
  assert.equal(applies(rig).length, before + 2, "and is started again when it dies");
});

test("networks that others were given are stopped at once, without a sync, and stay so until the server names them", async () => {
  const rig = await startedRig(...blueItems, ...redItems);

  rig.agent.dropNetworks([blue]);
  await turnLoop();

  assert.deepEqual([...rig.host.running.keys()], [red]);
  assert.deepEqual([...rig.host.devices.keys()], [red]);
  assert.deepEqual(rig.server.releases, [], "the port is the server's business");
  rig.agent.applyItems(blueItems);
  await turnLoop();

  assert.ok(rig.host.running.has(blue));
});

test("a device that did not go when its network went is removed by one of the next looks", async () => {
  const rig = await startedRig(...blueItems, ...redItems);
  await rig.advance(2000);
  rig.deviceManager.failingTeardowns = 2;

  rig.server.commit([deleteItem(networkItem(makeNetwork(1)))]);
  await turnLoop();
  assert.ok(rig.host.devices.has(blue), "the removal failed behind the agent's back");
  await rig.advance(2000);
  await rig.advance(2000);

  assert.deepEqual([...rig.host.devices.keys()], [red]);
  const destroyed = rig.deviceManager.calls.filter(({ verb, network }) => verb === "destroy" && network === blue).length;
  await rig.advance(10_000);
  assert.equal(
    rig.deviceManager.calls.filter(({ verb, network }) => verb === "destroy" && network === blue).length,
    destroyed,
    "and left alone then",
  );
});
