import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RateLimiter } from "../../../src/base/rate-limit.ts";

describe("RateLimiter", () => {
  test("lets a burst pass, then the steady rate", () => {
    const limiter = new RateLimiter({ perSecond: 2, burst: 3 });
    const take = (nowMs: number): boolean => limiter.take("10.0.0.1", nowMs);

    assert.deepEqual([take(0), take(0), take(0), take(0)], [true, true, true, false]);
    assert.deepEqual([take(499), take(500), take(501), take(1000)], [false, true, false, true]);
    assert.deepEqual([take(60_000), take(60_000), take(60_000), take(60_000)], [true, true, true, false]);
  });

  test("measures each source by itself", () => {
    const limiter = new RateLimiter({ perSecond: 1, burst: 1 });

    assert.deepEqual([limiter.take("a", 0), limiter.take("a", 0), limiter.take("b", 0)], [true, false, true]);
  });

  test("0 is no limit and keeps nothing", () => {
    const limiter = new RateLimiter({ perSecond: 0, burst: 1 });

    assert.ok(Array.from({ length: 100 }, () => limiter.take("a", 0)).every(Boolean));
    assert.equal(limiter.size, 0);
  });

  test("never remembers more than some thousand sources, and keeps the active ones", () => {
    const limiter = new RateLimiter({ perSecond: 0.001, burst: 1 });
    limiter.take("busy", 0);

    for (let n = 0; n < 10_000; n += 1) {
      limiter.take(`source-${n}`, n);
      limiter.take("busy", n);
    }

    assert.equal(limiter.size, 4096);
    assert.equal(limiter.take("busy", 10_001), false);
  });
});
