import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { agentQueue, askSubject } from "../../../src/messaging/subjects.ts";
import type { NetworkState } from "../../../src/types/agent-state.ts";
import { networkId } from "../../../src/model/ids.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";
import { admin, everything } from "../../helpers/network-services.ts";
import type { RawAgent } from "../../helpers/raw-agent.ts";
import { RawL3Agent } from "../../helpers/raw-l3-agent.ts";
import { ServerRig } from "../../helpers/server-rig.ts";

const networkOf = (n: number): NetworkState => ({
  networkId: networkId(`a0000000-0000-4000-8000-${String(n).padStart(12, "0")}`),
  state: n === 2 ? "failing" : "served",
  reason: n === 2 ? "no room" : null,
  ports: n,
  outcome: n === 2 ? null : "added",
  lastReconcileMs: 1.5,
  lastReconcileAt: "2026-11-21T10:00:00Z",
});

/** Answers two networks a page. */
function answer(agent: RawAgent, networks: readonly NetworkState[]): void {
  agent.bus.serve(askSubject("dhcp", "state", agent.host), agentQueue, async ({ data }) => {
    const { after = "" } = data as { readonly after?: string };
    const rest = networks.filter((one) => one.networkId > after);
    return { host: agent.host, phase: "ready", networks: rest.slice(0, 2), hasMore: rest.length > 2 };
  });
}

forEachDatabase((_name, openFresh) => {
  const rigs: ServerRig[] = [];
  afterEach(() => Promise.all(rigs.splice(0).map((rig) => rig.close())));

  async function setUp() {
    const rig = await ServerRig.start(await openFresh());
    rigs.push(rig);
    const agent = rig.agent("node-1.example");
    await agent.sync();
    const id = String((await rig.agentOf("node-1.example"))["id"]);
    return { rig, agent, id, agents: rig.parts.services.agents };
  }

  test("an agent is asked page by page, and its networks are shown as the API names things", async () => {
    const { agent, id, agents } = await setUp();
    answer(agent, [1, 2, 3, 4, 5].map(networkOf));

    const status = await agents.status(admin, id);

    assert.deepEqual([status["agent_id"], status["host"], status["phase"]], [id, "node-1.example", "ready"]);
    const networks = status["networks"] as readonly Readonly<Record<string, unknown>>[];
    assert.deepEqual(
      networks.map((one) => one["ports"]),
      [1, 2, 3, 4, 5],
    );
    assert.deepEqual(networks[1], {
      network_id: networkOf(2).networkId,
      state: "failing",
      reason: "no room",
      ports: 2,
      outcome: null,
      last_reconcile_at: "2026-11-21T10:00:00Z",
      last_reconcile_ms: 1.5,
    });
  });

  test("an agent that is not there is told by its name, host and last heartbeat", async () => {
    const { rig, id, agents } = await setUp();

    await assert.rejects(agents.status(admin, id), (thrown: { readonly type?: string; readonly message?: string }) => {
      assert.equal(thrown.type, "ServiceUnavailable");
      const start = `Agent ${id} on host node-1.example cannot be asked: it is not connected to NATS, its last heartbeat was at 20`;
      assert.ok(thrown.message?.startsWith(start), thrown.message);
      return true;
    });
    rig.bus.disconnect();
    await assert.rejects(agents.status(admin, id), /cannot be asked: this server is not connected to NATS\.$/);
  });

  test("nobody is asked about an agent that is unknown or has no networks", async () => {
    const { rig, id, agents } = await setUp();
    const nowhere = "00000000-0000-4000-8000-000000000000";
    await rig.store.db.updateTable("agents").set({ role: "other", agent_type: "Other agent" }).where("id", "=", id).execute();

    await assert.rejects(agents.status(admin, nowhere), { type: "AgentNotFound" });
    await assert.rejects(agents.status(admin, id), { type: "HTTPNotFound", message: /\(Other agent\) has no status/ });
  });

  test("an agent of floating IPs is asked for its routers, page by page", async () => {
    const { rig } = await setUp();
    const fip = new RawL3Agent(rig.hub.connect(), "fip", "node-1");
    await fip.sync();
    const routerNo = (n: number): string => `a0000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
    const timing = { outcome: null, lastReconcileMs: 1.5, lastReconcileAt: "2026-11-21T10:00:00Z" };
    fip.bus.serve(askSubject("fip", "state", "node-1"), agentQueue, async ({ data }) => {
      const { after } = data as { readonly after?: string };
      const n = after === undefined ? 1 : Number(after.slice(-1)) + 1;
      const router = { routerId: routerNo(n), state: "failing", reason: "nft: no such table", addresses: n, ...timing };
      return { host: "node-1", phase: "ready", routers: [router], hasMore: n < 3 };
    });
    const all = await rig.parts.services.agents.list(admin, everything);
    const id = String(all.find((agent) => agent["agent_type"] === "Floating IP agent")?.["id"]);

    const status = await rig.parts.services.agents.status(admin, id);

    const routers = status["routers"] as readonly Readonly<Record<string, unknown>>[];
    assert.deepEqual(
      routers.map((one) => one["router_id"]),
      [1, 2, 3].map(routerNo),
    );
    const line = { state: "failing", reason: "nft: no such table", floating_ips: 1 };
    const shownTiming = { last_reconcile_at: "2026-11-21T10:00:00Z", last_reconcile_ms: 1.5 };
    assert.deepEqual(routers[0], { router_id: routerNo(1), ...line, ...shownTiming });
  });

  test("alive is who was heard of lately, by any server; a server that has just started makes nobody alive", async () => {
    const clock = new FakeClock();
    const store = await openFresh();
    const first = await ServerRig.start(store, { clock });
    rigs.push(first);
    await first.agent("node-1").sync();
    await clock.advance(15_000);

    const second = await ServerRig.start(store, { clock });
    rigs.push(second);
    assert.equal((await second.agentOf("node-1"))["alive"], true);
    await clock.advance(10_000);

    const third = await ServerRig.start(store, { clock });
    rigs.push(third);
    assert.equal((await third.agentOf("node-1"))["alive"], false);
    await third.agent("node-1").sync();
    assert.equal((await third.agentOf("node-1"))["alive"], true);
  });
});
