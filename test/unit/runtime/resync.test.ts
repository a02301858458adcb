import assert from "node:assert/strict";
import { test } from "node:test";
import { NetloomError } from "../../../src/base/errors.ts";
import { Resync } from "../../../src/runtime/resync.ts";
import { FakeClock, settle } from "../../helpers/fake-clock.ts";

function scripted(outcomes: readonly (Error | "ok")[] = []) {
  const clock = new FakeClock();
  const runs: (readonly string[])[] = [];
  const delays: number[] = [];
  let during: () => void = () => {};
  const resync = new Resync({
    clock,
    timers: clock,
    random: () => 0.5,
    throttleMs: 250,
    run: async (reasons) => {
      runs.push(reasons);
      during();
      await Promise.resolve();
      const outcome = outcomes[runs.length - 1] ?? "ok";
      if (outcome !== "ok") throw outcome;
    },
    onFailure: (_thrown, { delayMs }) => delays.push(delayMs),
  });
  return { clock, resync, runs, delays, setDuring: (work: () => void) => (during = work) };
}

test("DA-014: the first request runs at once, the next ones together when the throttle allows", async () => {
  const { clock, resync, runs } = scripted();

  resync.request("gap");
  await settle();
  assert.deepEqual(runs, [["gap"]]);
  resync.request("gap");
  resync.request("control");
  await clock.advance(249);
  assert.equal(runs.length, 1);
  await clock.advance(1);

  assert.deepEqual(runs[1], ["gap", "control"]);
});

test("a request during a run is followed by another run", async () => {
  const { clock, resync, runs, setDuring } = scripted();
  setDuring(() => {
    if (runs.length === 1) resync.request("again");
  });

  resync.request("first");
  await clock.advance(250);

  assert.deepEqual(runs, [["first"], ["again"]]);
});

test("a failure keeps its reasons and backs off", async () => {
  const { clock, resync, runs, delays } = scripted([new Error("no"), new Error("no"), "ok"]);

  resync.request("gap");
  await settle();
  resync.request("other");
  await clock.advance(50);
  await clock.advance(100);

  assert.deepEqual(delays, [50, 100]);
  assert.deepEqual(runs, [["gap"], ["gap", "other"], ["gap", "other"]]);
});

test("DA-013: reasons that come during a run are of the next one, and a run that fails loses neither its own nor theirs", async () => {
  const { clock, resync, runs, setDuring } = scripted([new Error("no"), "ok"]);
  setDuring(() => {
    if (runs.length === 1) resync.request("meanwhile");
  });

  resync.request("first");
  await settle();
  assert.deepEqual(runs, [["first"]]);
  await clock.advance(1000);

  assert.deepEqual(runs.slice(1).flat().toSorted(), ["first", "meanwhile"]);
});

test("a server that asks for time gets it", async () => {
  const { clock, resync, runs, delays } = scripted([new NetloomError("UNAVAILABLE", "busy", { retryAfterMs: 4000 })]);

  resync.request("gap");
  await settle();

  assert.ok((delays[0] ?? 0) >= 4000);
  await clock.advance(3999);
  assert.equal(runs.length, 1);
});

test("requestNow does not wait out a back-off", async () => {
  const { clock, resync, runs } = scripted([new NetloomError("UNAVAILABLE", "busy", { retryAfterMs: 4000 })]);
  resync.request("gap");
  await clock.advance(300);

  resync.requestNow("reconnected");
  await settle();

  assert.deepEqual(runs[1], ["gap", "reconnected"]);
});

test("a closed one runs nothing more", async () => {
  const { clock, resync, runs } = scripted([new Error("no")]);
  resync.request("gap");
  await settle();

  resync.close();
  resync.request("late");
  await clock.advance(60_000);

  assert.equal(runs.length, 1);
});
