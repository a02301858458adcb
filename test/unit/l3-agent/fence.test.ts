// An L3 agent that no server hears, with everything around it fake.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { afterEach, test } from "node:test";
import { haStateFile } from "../../../src/drivers/l3-layout.ts";
import { routerId } from "../../../src/model/ids.ts";
import type { Router } from "../../../src/model/router.ts";
import { goneRouter, routerItem } from "../../helpers/fake-router-server.ts";
import { L3AgentRig } from "../../helpers/l3-agent-rig.ts";
import { makeRouter } from "../../helpers/router-items.ts";

const fenceAfterMs = 40_000;
const routerNo = (n: number, values: Partial<Router> = {}): Router =>
  makeRouter({ id: routerId(`00000000-0000-4000-8000-${String(n).padStart(12, "0")}`), ...values });
const [plain, other, ha] = [routerNo(1), routerNo(2), routerNo(3, { isHa: true })];

const rigs: L3AgentRig[] = [];
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.stop();
});

async function fencingRig(before?: L3AgentRig): Promise<L3AgentRig> {
  const rig = new L3AgentRig({ fenceAfterMs, ...(before === undefined ? {} : { before }) });
  rigs.push(rig);
  rig.driver.haStates.set(ha.id, "primary");
  if (before === undefined) rig.server.commit([plain, other, ha].map(routerItem));
  await rig.start();
  return rig;
}

const served = (rig: L3AgentRig): readonly string[] => [...rig.driver.kernel.keys()].toSorted();

test("an agent that no server has heard for fence_after takes plain routers from the host, once, and says why", async () => {
  const rig = await fencingRig();
  rig.bus.disconnect();
  await rig.advance(39_000);
  assert.deepEqual(served(rig), [plain.id, other.id, ha.id], "too early");

  await rig.advance(2000);

  assert.deepEqual(served(rig), [ha.id], "who forwards for one of high availability is settled without servers");
  const { state, reason } = rig.running.agent.journal.status.get(plain.id) ?? {};
  assert.equal(state, "fenced");
  assert.match(reason ?? "", /^no server has heard this agent for 40 s/);
  await rig.advance(120_000);
  assert.deepEqual(served(rig), [ha.id], "no sweep brings them back");
  assert.equal(rig.log("fenced, nothing is served").length, 1);
  assert.equal(rig.running.agent.journal.status.get(ha.id)?.state, "served");
});

test("heard again: the copy is put right first, then what is still this host's is built", async () => {
  const rig = await fencingRig();
  rig.bus.disconnect();
  await rig.advance(fenceAfterMs + 1000);
  rig.server.commit([goneRouter(plain)], { isLost: true });
  const applied = rig.driver.applied.length;

  rig.bus.reconnect();
  await rig.advance(9000);

  assert.deepEqual(served(rig), [other.id, ha.id]);
  assert.ok(
    rig.driver.applied.slice(applied).every(({ id }) => id !== plain.id),
    "a router of another host was built",
  );
  assert.equal(rig.server.statusOf(other), "ACTIVE 1");
  assert.equal(rig.running.agent.journal.status.get(other.id)?.state, "served");
});

test("alone, or without fence_after, it goes on", async () => {
  const alone = await fencingRig();
  alone.server.serving = { silentMs: 0, others: 0, movesAfterMs: 40_000 };
  await alone.advance(10_000);
  const usual = new L3AgentRig();
  rigs.push(usual);
  usual.server.commit([routerItem(plain)]);
  await usual.start();

  for (const rig of [alone, usual]) {
    rig.bus.disconnect();
    await rig.advance(10 * fenceAfterMs);
  }

  assert.deepEqual(served(alone), [plain.id, other.id, ha.id]);
  assert.deepEqual(served(usual), [plain.id]);
});

test("an agent that starts cut off has its time, and then takes away what an earlier process left, but not what VRRP governs", async () => {
  const first = await fencingRig();
  await first.stop();
  first.server.close();
  const rig = await fencingRig(first);
  await writeFile(haStateFile(rig.stateDir, ha.id), "backup\n");
  await rig.advance(fenceAfterMs - 1000);
  assert.deepEqual(served(rig), [plain.id, other.id, ha.id]);

  await rig.advance(2000);

  assert.deepEqual(served(rig), [ha.id]);
});
