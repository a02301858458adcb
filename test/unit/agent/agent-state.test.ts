import assert from "node:assert/strict";
import { test } from "node:test";
import { readAgentState, serveAgentState } from "../../../src/agent/agent-state.ts";
import { askSubject } from "../../../src/messaging/subjects.ts";
import type { NetworkId } from "../../../src/model/ids.ts";
import { agentStateSchema } from "../../../src/types/agent-state.ts";
import { type AgentRig, rigHost } from "../../helpers/agent-rig.ts";
import { blue, blueItems, red, redItems, startedRig } from "../../helpers/agent-scene.ts";
import { makeNetwork, makeSubnet, networkItem, subnetItem, testNetworkId } from "../../helpers/agent-items.ts";

const partsOf = (rig: AgentRig) => ({
  host: rigHost,
  readPhase: () => "ready",
  cache: rig.cache,
  statuses: rig.agent.journal.status,
});

const all = { limit: Number.POSITIVE_INFINITY };

test("each network is told with state, reason, ports and its last reconcile; one without a turn too", async () => {
  const rig = await startedRig(...blueItems);
  rig.driver.broken.add(red);
  rig.server.commit(redItems);
  await rig.advance(10);
  const waiting = makeNetwork(3);
  rig.cache.applyItem(networkItem(waiting));
  rig.cache.applyItem(subnetItem(makeSubnet(3, waiting.id)));

  const { host, phase, networks, hasMore } = agentStateSchema.parse(readAgentState(partsOf(rig), all));

  assert.deepEqual([host, phase, hasMore], [rigHost, "ready", false]);
  assert.deepEqual(
    networks.map(({ networkId, state, ports, outcome }) => [networkId, state, ports, outcome]),
    [
      [blue, "served", 2, "started"],
      [red, "failing", 2, null],
      [waiting.id, "waiting", 0, null],
    ],
  );
  const [served, failing, other] = networks;
  assert.equal(served?.reason, null);
  assert.match(served?.lastReconcileAt ?? "", /^2023-11-14T/);
  assert.equal(failing?.reason, "broken network");
  assert.deepEqual([other?.reason, other?.lastReconcileAt], ["it has not had its first turn", null]);
});

test("pages follow each other by id and end, also when what was last is gone meanwhile", async () => {
  const rig = await startedRig(...blueItems, ...redItems);
  const parts = partsOf(rig);

  const first = readAgentState(parts, { limit: 1 });
  const second = readAgentState(parts, { after: first.networks[0]?.networkId, limit: 1 });
  const behind = readAgentState(parts, { after: testNetworkId(9), limit: 1 });

  assert.deepEqual([first.networks.length, first.hasMore], [1, true]);
  assert.deepEqual([second.networks[0]?.networkId, second.hasMore], [red, false]);
  assert.deepEqual([behind.networks, behind.hasMore], [[], false]);
});

test("thousands of networks with long reasons are told within what a message may have", async () => {
  const rig = await startedRig(...blueItems);
  const reason = "no ".repeat(1000);
  const status = { state: "failing", reason, ports: 1, outcome: null, lastReconcileMs: 0, lastReconcileAt: "" } as const;
  const statuses = new Map(Array.from({ length: 3000 }, (_, n) => [testNetworkId(n + 1), status]));
  serveAgentState(rig.bus, { ...partsOf(rig), statuses });
  const asking = rig.hub.connect();

  const found: NetworkId[] = [];
  for (let hasMore = true; hasMore; ) {
    const page = found.length === 0 ? {} : { after: found.at(-1) };
    const state = agentStateSchema.parse(await asking.request(askSubject("dhcp", "state", rigHost), page, { timeoutMs: 2000 }));
    found.push(...state.networks.map(({ networkId }) => networkId));
    hasMore = state.hasMore;
  }

  assert.equal(new Set(found).size, 3000);
  await assert.rejects(asking.request(askSubject("dhcp", "state", rigHost), { after: "x" }, { timeoutMs: 2000 }), {
    code: "INVALID",
  });
});
