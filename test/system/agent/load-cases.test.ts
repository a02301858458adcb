// Many networks at once, and one that never works: how long the others wait. Time is moved by hand, so the figures are exact.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NetworkId } from "../../../src/model/ids.ts";
import { makePort, portItem, testNetworkId, testPortId } from "../../helpers/agent-items.ts";
import { type AgentRig, turnLoop } from "../../helpers/agent-rig.ts";
import { applies, bareItems, blue, red, servedPorts, startedRig, stateOf } from "../../helpers/agent-scene.ts";

const count = 200;
/** What one reconcile takes here; the rig works on four networks at once. */
const workMs = 10;
const slots = 4;
const numbers = Array.from({ length: count }, (_, n) => n + 1);

/** From here on every reconcile takes its time; answers when each network's first one was done. */
function slowDown(rig: AgentRig, isBroken: (id: NetworkId) => boolean): ReadonlyMap<NetworkId, number> {
  const { clock } = rig;
  const doneAtMs = new Map<NetworkId, number>();
  const startedAtMs = clock.monotonicMs();
  rig.driver.onApply = async ({ view }) => {
    const { id } = view.network;
    const { promise, resolve } = Promise.withResolvers<void>();
    clock.after(isBroken(id) ? 5 * workMs : workMs, resolve);
    await promise;
    if (isBroken(id)) throw new Error("it never works");
    if (!doneAtMs.has(id)) doneAtMs.set(id, clock.monotonicMs() - startedAtMs);
  };
  return doneAtMs;
}

const oneEventEach = (rig: AgentRig): void => {
  for (const n of numbers) rig.server.commit([portItem(makePort(1000 + n, testNetworkId(n), n))]);
};

async function startedAll(): Promise<AgentRig> {
  const rig = await startedRig(...numbers.flatMap(bareItems));
  await rig.agent.idle();
  await rig.advance(5);
  return rig;
}

describe("many networks", () => {
  test("DA-068: with one event each are all done as soon as the work allows, without a tick that paces them", async () => {
    const rig = await startedAll();
    const doneAtMs = slowDown(rig, () => false);

    oneEventEach(rig);
    await turnLoop();
    await rig.clock.advance(999);

    assert.equal(doneAtMs.size, count);
    assert.equal(Math.max(...doneAtMs.values()), (count / slots) * workMs);
    assert.equal(rig.agent.queueStats.dirty, 0);
  });

  test("DA-100: one whose server does not come is tried for as long as it takes, and costs no other network anything", async () => {
    const rig = await startedAll();
    const doneAtMs = slowDown(rig, (id) => id === blue);
    rig.server.commit([portItem(makePort(900, blue, 1))]);

    // Longer than the five minutes after which others give up.
    await rig.advance(400_000);
    assert.equal(stateOf(rig), "failing");
    const before = rig.clock.monotonicMs();
    rig.server.commit([portItem(makePort(902, red, 2))]);
    await rig.advance(workMs);

    assert.ok(doneAtMs.has(red), "a network that works is served while the other is tried");
    assert.ok(rig.clock.monotonicMs() - before <= workMs);
    rig.driver.onApply = () => {};
    await rig.advance(90_000);
    assert.equal(stateOf(rig), "served");
    assert.ok(servedPorts(rig).includes(testPortId(900)));
  });

  test("DA-069: wait for one that never works no longer than its slot is taken", async () => {
    const rig = await startedAll();
    const doneAtMs = slowDown(rig, (id) => id === blue);
    const before = applies(rig).length;

    oneEventEach(rig);
    await turnLoop();
    await rig.clock.advance(10_000);

    assert.equal(doneAtMs.size, count - 1);
    const latestMs = Math.max(...doneAtMs.values());
    assert.ok(latestMs <= Math.ceil((count - 1) / (slots - 1)) * workMs, `${latestMs} ms`);
    const attempts = applies(rig)
      .slice(before)
      .filter((id) => id === blue).length;
    assert.ok(attempts >= 4, "it is tried again and again");
    assert.equal(rig.agent.queueStats.failing, 1);
  });
});
