import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Candidate, chooseAgents } from "../../../../src/server/scheduler/choose-agents.ts";

const zone = "nova";
const candidate = (id: string, load: number, isConfirmedAlive = true): Candidate => ({ id, zone, load, isConfirmedAlive });

test("DA-223: the least loaded agent gets the network, the smaller id where loads are equal", () => {
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

const inZone = (id: string, where: string, load = 0): Candidate => ({ id, zone: where, load, isConfirmedAlive: true });
const idsOf = (choices: readonly { readonly agentId: string }[]): readonly string[] => choices.map(({ agentId }) => agentId);

test("DA-223: agents of one network are spread over zones, the least loaded of a zone first", () => {
  const candidates = [inZone("a1", "east", 1), inZone("a2", "east", 0), inZone("b1", "west", 7), inZone("b2", "west", 9)];

  assert.deepEqual(idsOf(chooseAgents(candidates, { wanted: 2, bound: [] })), ["a2", "b1"]);
  assert.deepEqual(idsOf(chooseAgents(candidates, { wanted: 4, bound: [] })), ["a2", "b1", "a1", "b2"]);
});

test("DA-223: a zone that hosts the network already comes after one that does not, however loaded", () => {
  const candidates = [inZone("a1", "east", 0), inZone("b1", "west", 50)];
  const bound = [{ agentId: "a0", slot: 0, zone: "east" }];

  assert.deepEqual(idsOf(chooseAgents(candidates, { wanted: 2, bound })), ["b1"]);
});

test("DA-223: of zones that are equally empty the one with the least loaded agent is taken", () => {
  const candidates = [inZone("a1", "east", 3), inZone("b1", "west", 2), inZone("b2", "west", 8)];

  assert.deepEqual(idsOf(chooseAgents(candidates, { wanted: 1, bound: [] })), ["b1"]);
});

test("DA-223: with zones asked for no other is taken, not even when it is the only one left", () => {
  const candidates = [inZone("a1", "east"), inZone("b1", "west"), inZone("b2", "west")];

  assert.deepEqual(idsOf(chooseAgents(candidates, { wanted: 3, bound: [], zones: ["west"] })), ["b1", "b2"]);
  assert.deepEqual(chooseAgents(candidates, { wanted: 3, bound: [], zones: ["north"] }), []);
});

test("DA-223: by chance every agent gets its turn, whatever its load", () => {
  const candidates = [inZone("a", zone, 0), inZone("b", zone, 90), inZone("c", zone, 50)];
  const numbers = [0.9, 0.1, 0.5];
  const random = (): number => numbers.shift() ?? 0;

  const chosen = chooseAgents(candidates, { wanted: 3, bound: [], order: "chance", random });

  assert.deepEqual(idsOf(chosen), ["b", "c", "a"]);
});

test("DA-223: of agents with equally many networks the one with fewer ports is taken", () => {
  const candidates = [
    { ...inZone("a", zone, 2), ports: 100 },
    { ...inZone("b", zone, 2), ports: 10 },
  ];

  assert.deepEqual(idsOf(chooseAgents(candidates, { wanted: 1, bound: [] })), ["b"]);
});
