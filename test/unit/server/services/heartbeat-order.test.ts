import assert from "node:assert/strict";
import { test } from "node:test";
import { HeartbeatOrder } from "../../../../src/server/services/heartbeat-order.ts";
import type { Heartbeat } from "../../../../src/types/agent-messages.ts";
import { describeRigAgent, type LogLine, recordingLogger } from "../../../helpers/agent-rig.ts";
import { FakeClock } from "../../../helpers/fake-clock.ts";

const key = "dhcp host-1";

function setUp() {
  const lines: LogLine[] = [];
  const clock = new FakeClock();
  const order = new HeartbeatOrder({ clock, log: recordingLogger(lines), maxSkewMs: 20_000 });
  const beat = (sentAtMs: unknown, bootId = "boot"): Heartbeat => ({
    agent: { ...describeRigAgent(), bootId },
    ...{ sentAtMs, phase: "ready", progress: { done: 0, total: 0 }, seen: { epoch: "", seq: 0 } },
    load: { networks: 0, subnets: 0, ports: 0, dirty: 0, oldestDirtyMs: 0 },
  });
  return { lines, clock, judge: (sentAtMs: unknown, bootId?: string) => order.judge(key, beat(sentAtMs, bootId)) };
}

test("DA-229: a heartbeat that comes after a newer one says nothing", () => {
  const { clock, judge } = setUp();
  const now = clock.nowMs();

  assert.deepEqual(
    [judge(now), judge(now + 5000), judge(now + 4000), judge(now + 10_000)],
    ["new-boot", "new", "stale", "new"],
  );
});

test("DA-229: a late heartbeat of the process before does not pass for a new process", () => {
  const { clock, judge } = setUp();
  const now = clock.nowMs();

  assert.deepEqual([judge(now, "one"), judge(now + 2000, "two"), judge(now + 1000, "one")], ["new-boot", "new-boot", "stale"]);
});

test("DA-229: a bad timestamp is logged once for each process of the agent and the heartbeat counts", () => {
  const { lines, judge } = setUp();

  for (const bad of ["yesterday", Number.NaN, -1, null, {}]) judge(bad, "one");
  assert.equal(judge("later", "two"), "new-boot");

  assert.deepEqual(
    lines.map(({ level, message }) => `${level}: ${message}`),
    Array(2).fill("warn: heartbeat with a bad timestamp"),
  );
});

test("DA-229: a clock that is far off is told once and never makes a living agent look dead", () => {
  const { lines, clock, judge } = setUp();
  const hourMs = 3_600_000;

  assert.equal(judge(clock.nowMs() + hourMs), "new-boot");
  // Set right: far back, and in order from then on.
  assert.deepEqual([judge(clock.nowMs()), judge(clock.nowMs() + 5000)], ["new", "new"]);

  assert.deepEqual(
    lines.map(({ message, ms }) => [message, ms]),
    [["clock of an agent is off", hourMs]],
  );
});

test("agents that do not stamp their heartbeats are heard as before", () => {
  const { judge } = setUp();

  assert.deepEqual([judge(undefined), judge(undefined), judge(undefined, "two")], ["new-boot", "new", "new-boot"]);
});
