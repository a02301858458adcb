import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ReconcileQueue } from "../../../src/runtime/reconcile-queue.ts";
import { FakeClock, settle } from "../../helpers/fake-clock.ts";

interface Run {
  readonly key: string;
  readonly end: () => void;
  readonly fail: () => void;
}

/** A queue whose runs end when the test says so. */
function manualQueue(concurrency: number) {
  const clock = new FakeClock();
  const runs: Run[] = [];
  const failures: { readonly key: string; readonly attempt: number; readonly delayMs: number }[] = [];
  const queue = new ReconcileQueue<string>({
    clock,
    timers: clock,
    concurrency,
    random: () => 0.5,
    run: (key) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      runs.push({ key, end: resolve, fail: () => reject(new Error(`${key} failed`)) });
      return promise;
    },
    onFailure: (key, _thrown, retry) => failures.push({ key, ...retry }),
  });
  const run = (index: number): Run => {
    const found = runs[index];
    if (found === undefined) throw new Error(`there were only ${runs.length} runs`);
    return found;
  };
  return { clock, queue, failures, run, started: () => runs.map(({ key }) => key) };
}

test("a key that is marked many times before its turn runs once", async () => {
  const { queue, started } = manualQueue(2);

  for (let n = 0; n < 1000; n += 1) queue.mark("blue");
  await settle();

  assert.deepEqual(started(), ["blue"]);
});

test("a key that is marked while it runs does not run twice at once, but once more", async () => {
  const { queue, started, run } = manualQueue(4);
  queue.mark("blue");
  await settle();

  queue.mark("blue");
  queue.mark("blue");
  await settle();
  assert.deepEqual(started(), ["blue"]);
  run(0).end();
  await settle();

  assert.deepEqual(started(), ["blue", "blue"]);
  run(1).end();
  await queue.idle();
  assert.equal(queue.stats.dirty, 0);
});

test("different keys run at once, up to the limit", async () => {
  const { queue, started, run } = manualQueue(2);

  for (const key of ["a", "b", "c"]) queue.mark(key);
  await settle();

  assert.deepEqual(started(), ["a", "b"]);
  run(1).end();
  await settle();
  assert.deepEqual(started(), ["a", "b", "c"]);
});

test("DA-064: events go ahead of a resync, also for a key that waits in the resync already", async () => {
  const { queue, started, run } = manualQueue(1);
  queue.mark("running");
  await settle();
  for (const key of ["a", "b", "c"]) queue.mark(key, "resync");

  queue.mark("c", "event");
  queue.mark("d", "event");
  for (let n = 0; n < 5; n += 1) {
    run(n).end();
    await settle();
  }

  assert.deepEqual(started(), ["running", "c", "d", "a", "b"]);
});

test("a failing key is repeated with a delay that doubles up to a minute", async () => {
  const { clock, queue, failures, run, started } = manualQueue(1);
  queue.mark("blue");

  for (let attempt = 0; attempt < 10; attempt += 1) {
    await settle();
    run(attempt).fail();
    await settle();
    await clock.advance(failures.at(-1)?.delayMs ?? 0);
  }

  assert.deepEqual(
    failures.map(({ delayMs }) => delayMs),
    [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000],
  );
  assert.equal(started().length, 11);
});

test("a success forgets the failures before it", async () => {
  const { clock, queue, failures, run } = manualQueue(1);
  queue.mark("blue");
  await settle();
  run(0).fail();
  await clock.advance(500);
  run(1).end();
  await settle();

  queue.mark("blue");
  await settle();
  run(2).fail();
  await settle();

  assert.deepEqual(
    failures.map(({ attempt }) => attempt),
    [1, 1],
  );
});

test("a key that failed does not delay others", async () => {
  const { queue, run, started } = manualQueue(1);
  queue.mark("broken");
  await settle();
  run(0).fail();
  await settle();

  queue.mark("blue");
  await settle();

  assert.deepEqual(started(), ["broken", "blue"]);
});

test("an event for a key in back-off brings its retry forward to half a second after the failure", async () => {
  const { clock, queue, failures, run, started } = manualQueue(1);
  queue.mark("blue");
  for (let attempt = 0; attempt < 6; attempt += 1) {
    await settle();
    run(attempt).fail();
    await settle();
    if (attempt < 5) await clock.advance(failures.at(-1)?.delayMs ?? 0);
  }
  assert.equal(failures.at(-1)?.delayMs, 16_000);

  queue.mark("blue", "event");
  await clock.advance(499);
  assert.equal(started().length, 6);
  await clock.advance(1);

  assert.equal(started().length, 7);
});

test("a resync does not bring the retry of a failing key forward", async () => {
  const { clock, queue, run, started } = manualQueue(1);
  queue.mark("blue");
  await settle();
  run(0).fail();
  await settle();

  queue.mark("blue", "resync");
  await clock.advance(499);

  assert.equal(started().length, 1);
});

test("the age of the oldest dirty key counts from its first mark", async () => {
  const { clock, queue, run } = manualQueue(1);
  queue.mark("blue");
  await clock.advance(300);
  queue.mark("blue");
  queue.mark("red");
  await clock.advance(100);

  assert.deepEqual(queue.stats, { dirty: 2, oldestDirtyMs: 400, failing: 0 });
  run(0).end();
  await settle();
  run(1).end();
  await settle();
  assert.deepEqual(queue.stats, { dirty: 1, oldestDirtyMs: 100, failing: 0 }, "blue was marked again while it ran");
});

test("close waits for what runs and starts nothing more", async () => {
  const { clock, queue, run, started } = manualQueue(1);
  queue.mark("a");
  queue.mark("b");
  await settle();

  const closed = queue.close();
  run(0).fail();
  await closed;
  await clock.advance(120_000);

  assert.deepEqual(started(), ["a"]);
});

test("whatever is marked when, the last run of a key begins after its last mark", async () => {
  const step = fc.record({
    key: fc.constantFrom("a", "b", "c"),
    lane: fc.constantFrom("event" as const, "resync" as const),
    turns: fc.nat(3),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 3 }), async (steps, concurrency) => {
      const clock = new FakeClock();
      const state = new Map<string, number>();
      const seen = new Map<string, number>();
      const running = new Set<string>();
      const queue = new ReconcileQueue<string>({
        clock,
        timers: clock,
        concurrency,
        onFailure: () => assert.fail("nothing fails here"),
        run: async (key) => {
          assert.ok(!running.has(key), "two runs of one key overlap");
          assert.ok(running.size < concurrency, "too many at once");
          running.add(key);
          seen.set(key, state.get(key) ?? 0);
          await Promise.resolve();
          running.delete(key);
        },
      });

      for (const { key, lane, turns } of steps) {
        state.set(key, (state.get(key) ?? 0) + 1);
        queue.mark(key, lane);
        for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      }
      await queue.idle();

      assert.deepEqual(seen, state);
    }),
    { numRuns: 60 },
  );
});

/** A queue whose keys must rest as long as `restMs` says; the first run of a key comes at once. */
function pacedQueue(restMs: number) {
  const clock = new FakeClock();
  const ranAtMs: number[] = [];
  const queue = new ReconcileQueue<string>({
    clock,
    timers: clock,
    concurrency: 2,
    run: async () => void ranAtMs.push(clock.monotonicMs()),
    onFailure: () => {},
    delayMs: () => {
      const lastMs = ranAtMs.at(-1);
      return lastMs === undefined ? 0 : Math.max(0, lastMs + restMs - clock.monotonicMs());
    },
  });
  return { clock, queue, ranAtMs };
}

test("DA-067: a thousand marks while the key must rest are one run at once and one per rest", async () => {
  const { clock, queue, ranAtMs } = pacedQueue(100);

  for (let n = 0; n < 1000; n += 1) {
    queue.mark("blue");
    await clock.advance(1);
    await settle();
  }
  await clock.advance(200);
  await settle();

  assert.ok(ranAtMs.length <= 1 + Math.ceil(1000 / 100) && ranAtMs.length >= 10, `${ranAtMs.length} runs`);
  const gaps = ranAtMs.slice(1).map((atMs, index) => atMs - (ranAtMs[index] ?? 0));
  assert.ok(gaps.every((gap) => gap >= 100));
  assert.equal(queue.stats.dirty, 0);
});

test("a key that rests takes no slot, and idle waits for it", async () => {
  const clock = new FakeClock();
  const ran: string[] = [];
  let restMs = 50;
  const queue = new ReconcileQueue<string>({
    ...{ clock, timers: clock, concurrency: 1, onFailure: () => {} },
    run: async (key) => void ran.push(key),
    delayMs: (key) => (key === "tired" ? restMs : 0),
  });
  queue.mark("tired", "resync");
  queue.mark("fresh");
  let isIdle = false;
  void queue.idle().then(() => {
    isIdle = true;
  });
  await settle();

  assert.deepEqual(ran, ["fresh"]);
  assert.equal(isIdle, false);
  restMs = 0;
  await clock.advance(50);
  await settle();

  assert.deepEqual(ran, ["fresh", "tired"]);
  assert.equal(isIdle, true);
});
