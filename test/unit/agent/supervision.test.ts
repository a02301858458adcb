import assert from "node:assert/strict";
import { test } from "node:test";
import { deleteItem, makeNetwork, makePort, networkItem, portItem } from "../../helpers/agent-items.ts";
import { AgentRig, turnLoop } from "../../helpers/agent-rig.ts";
import { applies, blue, blueItems, red, redItems, startedRig, stateOf } from "../../helpers/agent-scene.ts";

/** Its server dies whenever it is looked at. */
async function dieFor(rig: AgentRig, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 2000) {
    rig.host.dead.add(blue);
    await rig.advance(2000);
  }
}

/** Lets up to a minute pass. */
async function passUntil(rig: AgentRig, state: string): Promise<void> {
  for (let passed = 0; passed < 60_000 && stateOf(rig) !== state; passed += 100) await rig.clock.advance(100);
  assert.equal(stateOf(rig), state);
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

test("a server that died is started again after 0.2 s, then ever later, and until it lives its network counts as failing", async () => {
  const rig = await startedRig(...blueItems, ...redItems);
  const waits: number[] = [];

  for (let death = 0; death < 9; death += 1) {
    rig.host.dead.add(blue);
    await passUntil(rig, "failing");
    const diedAtMs = rig.clock.monotonicMs();
    assert.match(rig.agent.journal.status.get(blue)?.reason ?? "", /DHCP server died, restart in [\d.]+ s/);
    assert.equal(rig.agent.journal.failing, 1);
    assert.equal(rig.agent.queueStats.dirty, 1);
    await passUntil(rig, "served");
    waits.push(rig.clock.monotonicMs() - diedAtMs);
    assert.deepEqual([rig.agent.journal.failing, rig.agent.queueStats.dirty], [0, 0]);
  }

  assert.equal(rig.agent.crashes, 9);
  const wanted = [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000];
  for (const [index, ms] of wanted.entries()) assert.ok(Math.abs((waits[index] ?? 0) - ms) <= 100, `${waits.join(", ")}`);
});

test("the agent is not ready while a server that died waits to be started again", async () => {
  const rig = new AgentRig();
  rig.server.commit(blueItems);
  const deadFor = Promise.withResolvers<void>();
  rig.driver.onApply = ({ view }) => (view.network.id === blue ? undefined : deadFor.promise);
  rig.server.commit(redItems);
  await rig.start();
  let isReady = false;
  void rig.agent.whenReady().then(() => (isReady = true));

  rig.host.dead.add(blue);
  await rig.advance(550);
  deadFor.resolve();
  await turnLoop();

  assert.equal(stateOf(rig, red), "served");
  assert.equal(stateOf(rig), "failing");
  assert.equal(isReady, false);
  await rig.advance(200);
  assert.equal(stateOf(rig), "served");
  assert.equal(isReady, true);
});

test("a change brings a restart forward, but a server that dies at each change does not spin", async () => {
  const rig = await startedRig(...blueItems);
  await dieFor(rig, 60_000);
  await passUntil(rig, "served");
  rig.host.dead.add(blue);
  await rig.advance(600);
  assert.equal(stateOf(rig), "failing");

  rig.server.commit([portItem(makePort(7, blue, 1))]);
  await rig.advance(200);

  assert.equal(stateOf(rig), "served");
});

test("a start that fails after a death is no further death", async () => {
  const rig = await startedRig(...blueItems);
  rig.driver.broken.add(blue);

  rig.host.dead.add(blue);
  await rig.advance(20_000);

  assert.equal(rig.agent.crashes, 1);
  assert.equal(stateOf(rig), "failing");
  rig.driver.broken.delete(blue);
  await rig.advance(60_000);
  assert.equal(stateOf(rig), "served");
});

test("a server that was given up and is started after all is judged anew", async () => {
  const rig = await startedRig(...blueItems);
  await dieFor(rig, 300_000);
  assert.equal(stateOf(rig), "degraded");

  rig.agent.syncState([blue]);
  await turnLoop();
  assert.equal(stateOf(rig), "served");
  rig.host.dead.add(blue);
  await rig.advance(600);

  assert.equal(stateOf(rig), "failing", "not shown as served while it is dead");
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

test("a server that is being started while somebody looks for dead ones has not died", async () => {
  const rig = await startedRig(...blueItems);
  const { promise, resolve } = Promise.withResolvers<void>();
  rig.driver.onApply = () => promise;
  rig.host.dead.add(blue);
  rig.agent.applyItems([portItem(makePort(7, blue, 1))]);
  await turnLoop();

  await rig.advance(2000);
  resolve();
  await turnLoop();

  assert.equal(rig.agent.crashes, 0);
});

test("a device that somebody took apart is looked at closely at the next look, and the others are not", async () => {
  const rig = await startedRig(...blueItems, ...redItems);
  await rig.advance(2000);
  const before = rig.deviceManager.calls.length;

  rig.deviceManager.damaged.add(blue);
  await rig.advance(2000);

  assert.deepEqual(rig.deviceManager.calls.slice(before), [{ verb: "setup", network: blue, verify: true }]);
  assert.equal(rig.deviceManager.damaged.size, 0);
});
