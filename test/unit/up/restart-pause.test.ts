import assert from "node:assert/strict";
import { test } from "node:test";
import { RestartPause } from "../../../src/up/restart-pause.ts";

test("a program that keeps dying is tried again at longer and longer intervals, of 8 s at most", () => {
  const pause = new RestartPause();

  const pauses = Array.from({ length: 10 }, () => pause.afterEnd(700));

  assert.deepEqual(pauses, [500, 1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000, 8000]);
});

test("after a minute of health, and where its end was asked for, a program is started again soon", () => {
  const pause = new RestartPause();
  for (let end = 0; end < 6; end += 1) pause.afterEnd(700);

  assert.equal(pause.afterEnd(60_001), 500);
  pause.skipNext();
  assert.equal(pause.afterEnd(700), 0);
  assert.equal(pause.afterEnd(700), 500);
});
