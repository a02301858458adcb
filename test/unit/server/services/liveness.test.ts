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

test("DA-229: an agent that is heard again after it counted as dead is flagged, one that was only quiet is not", async () => {
  const clock = new FakeClock();
  const liveness = new LivenessTable(clock, 20_000);
  const agent = { role: "dhcp", host: "node-1" };

  assert.equal(liveness.heard(agent).isRevived, false);
  await clock.advance(19_999);
  assert.equal(liveness.heard(agent).isRevived, false);
  await clock.advance(20_000);
  assert.equal(liveness.heard(agent).isRevived, true);
  assert.equal(liveness.heard(agent).isRevived, false);
});

test("while the server could hear nobody, nobody was silent", async () => {
  const clock = new FakeClock();
  const liveness = new LivenessTable(clock, 20_000);
  const agent = { role: "dhcp", host: "node-1", heartbeat_at: formatTimestamp(clock.nowMs()) };
  liveness.heard(agent);
  await clock.advance(300_000);

  liveness.listenAnew();
  await clock.advance(10_000);

  assert.equal(liveness.of(agent), "unknown");
  assert.equal(liveness.silentMs(agent), 10_000);
  assert.equal(liveness.heard(agent).isRevived, false);
});

test("a heartbeat time from the future, which a wrong clock wrote, keeps nobody alive", async () => {
  const clock = new FakeClock();
  const liveness = new LivenessTable(clock, 20_000);
  const agent = { role: "dhcp", host: "node-1", heartbeat_at: formatTimestamp(clock.nowMs() + 3_600_000) };

  await clock.advance(20_000);

  assert.equal(liveness.of(agent), "dead");
  assert.equal(liveness.silentMs(agent), 20_000);
});
