import assert from "node:assert/strict";
import { test } from "node:test";
import { Heartbeat } from "../../../src/heartbeat/heartbeat.ts";
import { heartbeatSubject } from "../../../src/messaging/subjects.ts";
import { heartbeatSchema, type Heartbeat as HeartbeatMessage } from "../../../src/types/agent-messages.ts";
import { describeRigAgent, recordingLogger, turnLoop, type LogLine } from "../../helpers/agent-rig.ts";
import { FakeHub } from "../../helpers/fake-bus.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";

function beating(lines: LogLine[] = []) {
  const clock = new FakeClock();
  const hub = new FakeHub();
  const bus = hub.connect();
  const beats: HeartbeatMessage[] = [];
  hub.connect().subscribe(heartbeatSubject("dhcp", "host-1"), ({ data }) => void beats.push(heartbeatSchema.parse(data)));
  let ports = 0;
  const heartbeat = new Heartbeat({
    ...{ bus, role: "dhcp", host: "host-1", intervalMs: 5000, timers: clock },
    log: recordingLogger(lines),
    read: () => ({
      agent: describeRigAgent(),
      progress: { done: 1, total: 2 },
      seen: { epoch: "e", seq: 7 },
      load: { networks: 1, subnets: 1, ports, dirty: 0, oldestDirtyMs: 0 },
    }),
  });
  return { clock, bus, beats, heartbeat, setPorts: (count: number) => (ports = count) };
}

test("it beats at once and then every interval, with what is so at that moment", async () => {
  const { clock, beats, heartbeat, setPorts } = beating();

  heartbeat.start();
  await turnLoop();
  setPorts(9);
  await clock.advance(10_000);
  await turnLoop();

  assert.deepEqual(
    beats.map(({ load }) => load.ports),
    [0, 9, 9],
  );
  assert.equal(beats[0]?.phase, "starting");
  assert.deepEqual(beats[0]?.seen, { epoch: "e", seq: 7 });
});

test("a change of phase is told at once, the same phase again is not", async () => {
  const { beats, heartbeat } = beating();
  heartbeat.start();

  heartbeat.setPhase("syncing");
  heartbeat.setPhase("syncing");
  heartbeat.setPhase("ready");
  await turnLoop();

  assert.deepEqual(
    beats.map(({ phase }) => phase),
    ["starting", "syncing", "ready"],
  );
});

test("while disconnected it is silent, and beats at the reconnect", async () => {
  const { clock, bus, beats, heartbeat } = beating();
  heartbeat.start();
  await turnLoop();
  bus.disconnect();
  await clock.advance(20_000);
  assert.equal(beats.length, 1);

  bus.reconnect();
  await turnLoop();

  assert.equal(beats.length, 2);
});

test("DA-022: a failing series is logged once, and its end once", async () => {
  const lines: LogLine[] = [];
  const { clock, bus, heartbeat } = beating(lines);
  for (const n of [1, 2, 3]) bus.failCall(n);

  heartbeat.start();
  await clock.advance(20_000);

  assert.deepEqual(
    lines.map(({ message }) => message),
    ["heartbeat failed", "heartbeat succeeded again"],
  );
});

test("a closed one beats no more", async () => {
  const { clock, beats, heartbeat } = beating();
  heartbeat.start();

  heartbeat.close();
  heartbeat.setPhase("stopping");
  await clock.advance(20_000);
  await turnLoop();

  assert.equal(beats.length, 1);
});
