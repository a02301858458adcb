import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { servingReplySchema, type ServingReply } from "../../../src/types/agent-serving.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";
import { admin } from "../../helpers/network-services.ts";
import type { RawAgent } from "../../helpers/raw-agent.ts";
import { RawL3Agent } from "../../helpers/raw-l3-agent.ts";
import { ServerRig } from "../../helpers/server-rig.ts";

const ask = async (agent: Pick<RawAgent, "call">): Promise<ServingReply> =>
  servingReplySchema.parse(await agent.call("renewServing", {}));

forEachDatabase((_name, openFresh) => {
  const rigs: ServerRig[] = [];
  afterEach(() => Promise.all(rigs.splice(0).map((rig) => rig.close())));

  const setUp = async (options: Parameters<typeof ServerRig.start>[1] = {}) => {
    const clock = new FakeClock();
    const rig = await ServerRig.start(await openFresh(), { clock, ...options });
    rigs.push(rig);
    return { clock, rig };
  };

  test("an agent is told whether there are others, also silent ones and ones that are switched off", async () => {
    const { rig } = await setUp();
    const [one, two] = [rig.agent("node-1"), rig.agent("node-2")];
    await one.sync();
    assert.equal((await ask(one)).others, 0);

    await two.sync();
    const { id } = await rig.agentOf("node-2");
    await rig.parts.services.agents.update(admin, String(id), { admin_state_up: false });

    assert.equal((await ask(one)).others, 1);
  });

  test("asking is no sign of life: the silence that is told goes on, until the agent is heard", async () => {
    const { clock, rig } = await setUp();
    const one = rig.agent("node-1");
    await one.sync();

    await clock.advance(7000);
    await ask(one);
    await clock.advance(5000);
    assert.equal((await ask(one)).silentMs, 12_000);

    await one.sync();
    assert.equal((await ask(one)).silentMs, 0);
  });

  test("an agent is told when its networks go to others, and that they never do", async () => {
    const moving = await setUp({ failover: { failoverAfterMs: 33_000 } });
    const still = await setUp({ failover: { failoverMovesPerSecond: 0 } });
    const [one, two] = [moving.rig.agent("node-1"), still.rig.agent("node-1")];
    await one.sync();
    await two.sync();

    assert.equal((await ask(one)).movesAfterMs, 33_000);
    assert.equal((await ask(two)).movesAfterMs, null);
  });

  test("agents of routers and of floating IPs are told the same, of others of their own kind", async () => {
    const { clock, rig } = await setUp();
    const agents = (["l3", "fip"] as const).map((role) => new RawL3Agent(rig.hub.connect(), role, "node-1"));
    for (const agent of agents) {
      await assert.rejects(agent.call("renewServing", {}), { code: "UNAVAILABLE" });
      await agent.sync();
    }
    await new RawL3Agent(rig.hub.connect(), "l3", "node-2").sync();
    await clock.advance(7000);

    const [l3, fip] = await Promise.all(agents.map((agent) => ask(agent)));

    assert.deepEqual(l3, { silentMs: 7000, others: 1, movesAfterMs: 40_000 });
    assert.deepEqual(fip, { silentMs: 7000, others: 0, movesAfterMs: 40_000 });
  });

  test("an agent that is not registered gets no leave to serve", async () => {
    const { rig } = await setUp();

    await assert.rejects(rig.agent("node-1").call("renewServing", {}), { code: "UNAVAILABLE" });
  });
});
