import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { silentLogger } from "../../../src/base/logger.ts";
import { Stop } from "../../../src/runtime/stop.ts";
import { FakeClock, settle } from "../../helpers/fake-clock.ts";

function stopper() {
  const clock = new FakeClock();
  const exits: number[] = [];
  const stop = new Stop({ log: silentLogger, timers: clock, limitMs: 4500, exit: (code) => exits.push(code) });
  return { clock, exits, stop };
}

test("parts close in the reverse of their order, one after the other, and then the program exits", async () => {
  const { stop, exits } = stopper();
  const closed: string[] = [];
  for (const name of ["bus", "agent", "consumer"]) {
    stop.onStop(name, async () => {
      await Promise.resolve();
      closed.push(name);
    });
  }

  await stop.stop("test");

  assert.deepEqual(closed, ["consumer", "agent", "bus"]);
  assert.deepEqual(exits, [0]);
});

test("a part that fails does not keep the others from closing", async () => {
  const { stop, exits } = stopper();
  let isClosed = false;
  stop.onStop("bus", () => {
    isClosed = true;
  });
  stop.onStop("agent", () => {
    throw new Error("no");
  });

  await stop.stop("test");

  assert.ok(isClosed);
  assert.deepEqual(exits, [0]);
});

test("a part that never closes does not hold the program beyond the limit", async () => {
  const { clock, stop, exits } = stopper();
  stop.onStop("agent", () => new Promise(() => {}));

  void stop.stop("test");
  await clock.advance(4499);
  assert.deepEqual(exits, []);
  await clock.advance(1);

  assert.deepEqual(exits, [0]);
});

for (const event of ["SIGTERM", "SIGINT", "disconnect"]) {
  test(`${event} stops, once`, async () => {
    const { stop, exits } = stopper();
    const signals = new EventEmitter();
    stop.listen(signals);

    signals.emit(event);
    signals.emit("SIGTERM");
    await settle();

    assert.deepEqual(exits, [0]);
  });
}
