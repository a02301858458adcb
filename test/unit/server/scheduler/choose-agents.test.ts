import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Candidate, chooseAgents } from "../../../../src/server/scheduler/choose-agents.ts";

const zone = "nova";
const candidate = (id: string, load: number, isConfirmedAlive = true): Candidate => ({ id, zone, load, isConfirmedAlive });

test("the least loaded agent gets the network, the smaller id where loads are equal", () => {
  const chosen = chooseAgents([candidate("c", 1), candidate("b", 0), candidate("a", 1)], { wanted: 2, bound: [] });

  assert.deepEqual(chosen, [
    { agentId: "b", slot: 0 },
    { agentId: "a", slot: 1 },
  ]);
});

test("an agent that was heard of goes before an idle one that perhaps is dead", () => {
  const chosen = chooseAgents([candidate("idle", 0, false), candidate("busy", 9)], { wanted: 1, bound: [] });

  assert.deepEqual(chosen, [{ agentId: "busy", slot: 0 }]);
});

test("a slot that became free in the middle is used again, and no agent hosts a network twice", () => {
  const bound = [
    { agentId: "a", slot: 0, zone },
    { agentId: "c", slot: 2, zone },
  ];

  const chosen = chooseAgents([candidate("a", 0), candidate("b", 5), candidate("c", 0)], { wanted: 3, bound });

  assert.deepEqual(chosen, [{ agentId: "b", slot: 1 }]);
});

test("whatever there is, a network never has more agents than wanted, nor one slot or agent twice", () => {
  const agents = fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.nat(5), fc.boolean()), { selector: ([id]) => id });
  fc.assert(
    fc.property(agents, fc.nat(4), fc.nat(4), (all, wanted, boundCount) => {
      const candidates = all.map(([id, load, alive]) => candidate(`a${id}`, load, alive));
      const bound = all.slice(0, boundCount).map(([id], slot) => ({ agentId: `a${id}`, slot, zone }));

      const after = [...bound, ...chooseAgents(candidates, { wanted, bound })];

      assert.equal(after.length, Math.max(bound.length, Math.min(wanted, candidates.length)));
      assert.equal(new Set(after.map(({ agentId }) => agentId)).size, after.length);
      assert.equal(new Set(after.map(({ slot }) => slot)).size, after.length);
    }),
  );
});
