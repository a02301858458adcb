import assert from "node:assert/strict";
import { test } from "node:test";
import { AgentRig, turnLoop } from "../../helpers/agent-rig.ts";
import { blue, blueItems, red, redItems, servedPorts, stateOf } from "../../helpers/agent-scene.ts";
import { deleteItem, makeNetwork, makePort, networkItem, portItem } from "../../helpers/agent-items.ts";

const fenceAfterMs = 40_000;

async function fencingRig(before?: AgentRig): Promise<AgentRig> {
  const rig = new AgentRig({ fenceAfterMs, ...(before === undefined ? {} : { before }) });
  if (before === undefined) rig.server.commit([...blueItems, ...redItems]);
  await rig.start();
  return rig;
}

test("an agent that no server has heard for fence_after stops answering everywhere, once, and says why", async () => {
  const rig = await fencingRig();
  await rig.advance(20_000);
  assert.equal(rig.host.running.size, 2);

  rig.bus.disconnect();
  await rig.advance(31_000);
  assert.equal(rig.host.running.size, 2, "too early");
  await rig.advance(9_500);

  assert.deepEqual([...rig.host.running.keys()], []);
  assert.deepEqual([...rig.host.devices.keys()], [], "its address answers nobody either");
  const { state, reason } = rig.agent.journal.status.get(blue) ?? {};
  assert.equal(state, "fenced");
  assert.match(reason ?? "", /^no server has heard this agent for 40 s/);
  await rig.advance(60_000);
  assert.equal(rig.log("fenced, nothing is served").length, 1);
  assert.deepEqual(rig.server.releases, [], "its port stays as it is");
});

test("an agent that knows that there is no other goes on, however long nobody hears it", async () => {
  const rig = await fencingRig();
  rig.server.serving = { silentMs: 0, others: 0, movesAfterMs: 40_000 };
  await rig.advance(10_000);

  rig.bus.disconnect();
  await rig.advance(10 * fenceAfterMs);

  assert.equal(rig.host.running.size, 2);
  assert.equal(rig.fence?.isFenced, false);
});

test("what counts is when a server heard it, not that a server answers", async () => {
  const rig = await fencingRig();
  rig.server.serving = { silentMs: 39_000, others: 1, movesAfterMs: 40_000 };
  await rig.advance(fenceAfterMs + 500);

  rig.server.serving = { silentMs: 50_000, others: 1, movesAfterMs: 40_000 };
  await rig.advance(10_000);

  assert.equal(rig.fence?.isFenced, true);
  assert.equal(rig.host.running.size, 0);
});

test("a server that answers again: the copy is put right first, then what is still this host's is served", async () => {
  const rig = await fencingRig();
  await rig.advance(1000);
  rig.bus.disconnect();
  await rig.advance(fenceAfterMs);
  assert.equal(rig.host.running.size, 0);
  // Blue was given to another host meanwhile, and red has one port more.
  rig.server.commit([deleteItem(networkItem(makeNetwork(1, { revision: 7 }))), portItem(makePort(9, red, 2))], {
    isLost: true,
  });
  const syncsBefore = rig.server.syncs.length;
  const callsBefore = rig.driver.calls.length;

  rig.bus.reconnect();
  await rig.advance(9000);

  assert.ok(rig.server.syncs.length > syncsBefore);
  assert.equal(rig.fence?.isFenced, false);
  assert.deepEqual([...rig.host.running.keys()], [red]);
  assert.equal(servedPorts(rig, red).length, 3);
  assert.equal(stateOf(rig, red), "served");
  assert.equal(stateOf(rig, blue), undefined);
  const applied = rig.driver.calls.slice(callsBefore).filter(({ verb }) => verb === "apply");
  assert.deepEqual([...new Set(applied.map(({ network }) => network))], [red]);
});

test("servers that are silent while NATS is there fence too, and nothing is served before a sync after that", async () => {
  const rig = await fencingRig();
  await rig.advance(1000);
  const { serving } = rig.server;
  rig.server.serving = undefined;
  await rig.advance(fenceAfterMs);
  assert.equal(rig.host.running.size, 0);
  rig.server.commit([portItem(makePort(9, red, 2))]);
  await turnLoop();
  assert.equal(rig.host.running.size, 0, "an event is no leave to serve");

  rig.server.serving = serving;
  await rig.advance(9000);

  assert.equal(rig.host.running.size, 2);
  assert.equal(servedPorts(rig, red).length, 3);
});

test("an agent that starts cut off does not know whether it is alone: what an earlier process left is stopped", async () => {
  const first = await fencingRig();
  await first.kill();
  first.server.stop();

  const rig = await fencingRig(first);
  await rig.advance(fenceAfterMs - 1000);
  assert.equal(rig.host.running.size, 2, "an agent that is started again has its time");
  await rig.advance(2000);

  assert.equal(rig.host.running.size, 0);
  assert.equal(rig.host.devices.size, 0);
});

test("an answer that is late is counted from when it was asked for", async () => {
  const rig = await fencingRig();
  await rig.advance(1000);
  assert.equal(rig.host.running.size, 2);

  // The answers up to 8 s before the loss say that nobody had heard it for 30 s then.
  rig.server.serving = { silentMs: 30_000, others: 1, movesAfterMs: 40_000 };
  await rig.advance(fenceAfterMs);
  rig.bus.disconnect();
  await rig.advance(11_000);

  assert.equal(rig.host.running.size, 0);
});

test("a fence that comes after the servers' failover is told once", async () => {
  const rig = await fencingRig();
  rig.server.serving = { silentMs: 0, others: 1, movesAfterMs: 30_000 };

  await rig.advance(30_000);

  const [line, ...more] = rig.log("two hosts may serve the same before this one stops");
  assert.equal(line?.["reason"], "fence_after_ms is 40000, failover_after_ms of the server 30000");
  assert.equal(more.length, 0);
});

test("without fence_after an agent that nobody hears goes on", async () => {
  const rig = new AgentRig();
  rig.server.commit(blueItems);
  await rig.start();

  rig.bus.disconnect();
  await rig.advance(600_000);

  assert.deepEqual([...rig.host.running.keys()], [blue]);
});
