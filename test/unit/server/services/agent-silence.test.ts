import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeSilence, type ObservedAgent } from "../../../../src/server/services/agent-silence.ts";

const limits = { agentDownMs: 20_000, failoverAfterMs: 40_000, freezeShare: 0.5, freezeMinAgents: 2 };

const agent = (id: string, silentSeconds: number, changes: Partial<ObservedAgent> = {}): ObservedAgent => ({
  ...{ id, load: 5, silentMs: silentSeconds * 1000, phase: "ready" },
  ...changes,
});

const deadOf = (agents: readonly ObservedAgent[]): readonly string[] => judgeSilence(agents, limits).dead.map(({ id }) => id);

test("an agent loses its networks after the failover time, not when it merely looks down", () => {
  assert.deepEqual(deadOf([agent("a", 39), agent("b", 1), agent("c", 1)]), []);
  assert.deepEqual(deadOf([agent("a", 40), agent("b", 1), agent("c", 1)]), ["a"]);
});

test("DA-226: an agent that fell silent while starting or syncing is spared for longer", () => {
  for (const phase of ["starting", "syncing"]) {
    assert.deepEqual(deadOf([agent("a", 79, { phase }), agent("b", 1)]), []);
    assert.deepEqual(deadOf([agent("a", 80, { phase }), agent("b", 1)]), ["a"]);
  }
});

test("DA-226: without an agent that is there nothing is moved", () => {
  assert.deepEqual(deadOf([agent("only", 3600)]), []);
});

test("more than half of the agents silent at once freezes all moves, half of them does not", () => {
  const half = [agent("a", 60), agent("b", 60), agent("c", 1), agent("d", 1)];
  const more = [agent("a", 60), agent("b", 25), agent("c", 1)];

  assert.deepEqual(deadOf(half), ["a", "b"]);
  assert.equal(judgeSilence(half, limits).isFrozen, false);
  assert.deepEqual(deadOf(more), []);
  assert.equal(judgeSilence(more, limits).isFrozen, true);
});

test("one silent agent of two is a death and no outage", () => {
  const verdict = judgeSilence([agent("a", 60), agent("b", 1)], { ...limits, freezeShare: 0.3 });

  assert.equal(verdict.isFrozen, false);
  assert.deepEqual(
    verdict.dead.map(({ id }) => id),
    ["a"],
  );
});

test("agents that died long ago and were relieved of their networks do not count towards a freeze", () => {
  const long = ["x", "y", "z"].map((id) => agent(id, 86_400, { load: 0 }));

  const verdict = judgeSilence([...long, agent("a", 60), agent("b", 1), agent("c", 1)], limits);

  assert.equal(verdict.isFrozen, false);
  assert.deepEqual(
    verdict.dead.map(({ id }) => id),
    ["a"],
  );
});
