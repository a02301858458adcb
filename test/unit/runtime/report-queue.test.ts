import assert from "node:assert/strict";
import { test } from "node:test";
import { NetloomError } from "../../../src/base/errors.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { ReportQueue } from "../../../src/runtime/report-queue.ts";
import { FakeClock, settle } from "../../helpers/fake-clock.ts";

function queueWith({ batch = 256 }: { readonly batch?: number } = {}) {
  const clock = new FakeClock();
  const sent: (readonly string[])[] = [];
  const failures: Error[] = [];
  let gate: Promise<void> = Promise.resolve();
  const queue = new ReportQueue<string>({
    send: async (reports) => {
      await gate;
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      sent.push(reports);
    },
    ...{ batch, timers: clock, log: silentLogger, random: () => 0.5 },
  });
  return { clock, queue, sent, failures, setGate: (next: Promise<void>): void => void (gate = next) };
}

test("reports of one moment are one message, and of two about the same only the later one is in it", async () => {
  const { clock, queue, sent } = queueWith();

  queue.add("a", "a1");
  queue.add("b", "b1");
  queue.add("a", "a2");
  await clock.advance(5);

  assert.deepEqual(sent, [["a2", "b1"]]);
  assert.equal(queue.pending, 0);
});

test("no message has more reports than a batch", async () => {
  const { clock, queue, sent } = queueWith({ batch: 2 });

  for (const about of ["a", "b", "c", "d", "e"]) queue.add(about, about);
  await clock.advance(5);

  assert.deepEqual(sent, [["a", "b"], ["c", "d"], ["e"]]);
});

test("what was not stored is sent again, later each time, and at once when the connection is back", async () => {
  const { clock, queue, sent, failures } = queueWith();
  failures.push(new NetloomError("UNAVAILABLE", "no server"), new NetloomError("TIMEOUT", "slow"));

  queue.add("a", "a1");
  await clock.advance(5);
  assert.deepEqual([sent.length, queue.pending], [0, 1]);
  await clock.advance(400);
  assert.deepEqual([sent.length, failures.length], [0, 0]);
  queue.retryNow();
  await clock.advance(5);

  assert.deepEqual(sent, [["a1"]]);
});

test("what changes while it is under way is sent once more", async () => {
  const { clock, queue, sent, setGate } = queueWith();
  const { promise, resolve } = Promise.withResolvers<void>();
  setGate(promise);

  queue.add("a", "old");
  await clock.advance(5);
  queue.add("a", "new");
  resolve();
  await settle();
  await clock.advance(5);

  assert.deepEqual(sent, [["old"], ["new"]]);
});

test("what the server refuses holds up nothing else", async () => {
  const { clock, queue, sent, failures } = queueWith({ batch: 1 });
  failures.push(new NetloomError("INVALID", "no such thing"));

  queue.add("bad", "bad");
  queue.add("good", "good");
  await clock.advance(5);

  assert.deepEqual(sent, [["good"]]);
  assert.equal(queue.pending, 0);
});

test("closing sends what waits, and nothing after it", async () => {
  const { clock, queue, sent } = queueWith();

  queue.add("a", "a1");
  await queue.close();
  queue.add("b", "b1");
  await clock.advance(60_000);

  assert.deepEqual(sent, [["a1"]]);
});
