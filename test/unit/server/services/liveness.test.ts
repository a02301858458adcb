import assert from "node:assert/strict";
import { test } from "node:test";
import { formatTimestamp } from "../../../../src/base/clock.ts";
import { LivenessTable } from "../../../../src/server/services/liveness.ts";
import { FakeClock } from "../../../helpers/fake-clock.ts";

test("nobody is dead before the server has listened for as long as an agent may be silent", async () => {
  const clock = new FakeClock();
  const liveness = new LivenessTable(clock);
  const agent = { role: "dhcp", host: "node-1", heartbeat_at: formatTimestamp(clock.nowMs() - 3_600_000) };

  assert.equal(liveness.of(agent), "unknown");
  await clock.advance(19_999);
  assert.equal(liveness.of(agent), "unknown");
  await clock.advance(1);
  assert.equal(liveness.of(agent), "dead");
});

test("an agent is alive for 20 s after it was heard, here or by another server", async () => {
  const clock = new FakeClock();
  const liveness = new LivenessTable(clock);
  await clock.advance(60_000);
  const agent = { role: "dhcp", host: "node-1", heartbeat_at: formatTimestamp(clock.nowMs()) };

  await clock.advance(10_000);
  assert.equal(liveness.of(agent), "alive");
  liveness.heard(agent);
  await clock.advance(19_000);
  assert.equal(liveness.of(agent), "alive");
  await clock.advance(1_000);
  assert.equal(liveness.of(agent), "dead");
});
