import assert from "node:assert/strict";
import { test } from "node:test";
import { currentTrace, formatTraceparent } from "../../../src/base/trace-context.ts";
import { ChangeTraces } from "../../../src/runtime/change-traces.ts";
import { HeldMarks } from "../../../src/runtime/held-marks.ts";

const traceOf = (digit: string) => ({ traceId: digit.repeat(32), spanId: digit.repeat(16) });
const first = traceOf("1");
const second = traceOf("2");

test("work runs under the trace of the last change, once", async () => {
  const traces = new ChangeTraces<string>();
  traces.note("blue", formatTraceparent(first));
  traces.note("blue", formatTraceparent(second));
  traces.note("blue", undefined);

  const { done, traceId } = await traces.follow("blue", async () => currentTrace()?.traceId);
  const next = await traces.follow("blue", async () => currentTrace()?.traceId);

  assert.deepEqual([done, traceId], [second.traceId, second.traceId]);
  assert.equal(next.traceId, undefined);
  assert.match(next.done ?? "", /^[0-9a-f]{32}$/);
});

test("what failed is tried again under the same trace, unless there is a newer change", async () => {
  const traces = new ChangeTraces<string>();
  const fail = async (): Promise<never> => Promise.reject(new Error("not now"));
  traces.note("blue", formatTraceparent(first));

  await assert.rejects(traces.follow("blue", fail));
  assert.equal(traces.traceIdOf("blue"), first.traceId);
  await assert.rejects(
    traces.follow("blue", async () => {
      traces.note("blue", formatTraceparent(second));
      return fail();
    }),
  );

  assert.equal(traces.traceIdOf("blue"), second.traceId);
});

test("marks wait for the end of a snapshot, also of one that follows a broken one", () => {
  const marked: string[] = [];
  const marks = new HeldMarks<string>((id, lane) => marked.push(`${id} ${lane}`));

  marks.mark("before", "resync");
  marks.hold();
  marks.mark("first", "resync");
  marks.hold();
  marks.mark("second", "resync");
  marks.mark("first", "event");
  assert.deepEqual(marked, ["before resync"]);
  marks.release();
  marks.mark("after", "resync");

  assert.deepEqual(marked, ["before resync", "first event", "second event", "after resync"]);
});
