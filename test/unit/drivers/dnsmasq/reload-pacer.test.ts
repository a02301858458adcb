import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ReloadPacer, restAfter } from "../../../../src/drivers/dnsmasq/reload-pacer.ts";
import { networkId } from "../../../../src/model/ids.ts";

const blue = networkId("0b1ce000-0000-4000-8000-000000000001");
const server = { pid: 7, startTime: 1 };

/** A server that works through what it was told at the speed of the clock. */
class SimulatedServer {
  nowMs = 1000;
  busyMs = 0;
  #busyUntilMs = 0;
  isGone = false;

  readonly clock = { nowMs: () => this.nowMs, monotonicMs: () => this.nowMs };

  tell(costMs: number): void {
    this.#busyUntilMs = Math.max(this.#busyUntilMs, this.nowMs) + costMs;
    this.busyMs += costMs;
  }

  readonly readLoad = (): { cpuMs: number; isSleeping: boolean } | undefined => {
    if (this.isGone) return undefined;
    const leftMs = Math.max(0, this.#busyUntilMs - this.nowMs);
    return { cpuMs: this.busyMs - leftMs, isSleeping: leftMs === 0 };
  };
}

describe("the rest after a change", () => {
  test("is eight times its cost, within limits", () => {
    assert.deepEqual([0, 0.3, 10, 250, 3000].map(restAfter), [5, 5, 80, 2000, 2000]);
  });

  test("is nothing before the first change, and over when the time is", () => {
    const simulated = new SimulatedServer();
    const pacer = new ReloadPacer(simulated);
    assert.equal(pacer.delayMs(blue), 0);

    pacer.note(blue, server);
    simulated.tell(10);
    simulated.nowMs += 10;

    assert.equal(pacer.delayMs(blue), 80);
    simulated.nowMs += 79;
    assert.equal(pacer.delayMs(blue), 1);
    simulated.nowMs += 1;
    assert.equal(pacer.delayMs(blue), 0);
  });

  test("counts from the end of the work: while it lasts the answer is only a lower bound", () => {
    const simulated = new SimulatedServer();
    const pacer = new ReloadPacer(simulated);
    pacer.note(blue, server);
    simulated.tell(100);
    simulated.nowMs += 5;

    assert.equal(pacer.delayMs(blue), 40);
    simulated.nowMs += 40;
    assert.equal(pacer.delayMs(blue), 8 * 45);
    simulated.nowMs += 360;
    assert.equal(pacer.delayMs(blue), 100 + 800 - 405);
  });

  test("does not grow by what clients cost once it is known", () => {
    const simulated = new SimulatedServer();
    const pacer = new ReloadPacer(simulated);
    pacer.note(blue, server);
    simulated.tell(10);
    simulated.nowMs += 10;
    pacer.delayMs(blue);

    simulated.tell(30);
    simulated.nowMs += 30;

    assert.equal(pacer.delayMs(blue), 50);
  });

  test("is forgotten with the network, and with the server", () => {
    const simulated = new SimulatedServer();
    const pacer = new ReloadPacer(simulated);
    pacer.note(blue, server);
    assert.equal(pacer.delayMs(blue), 5);
    pacer.forget(blue);
    assert.equal(pacer.delayMs(blue), 0);

    pacer.note(blue, server);
    simulated.isGone = true;
    assert.equal(pacer.delayMs(blue), 0);
  });
});

describe("DA-173: with fifty events a second", () => {
  /** One minute of the agent's queue: events mark the network, and it is reconciled as soon as it may be. */
  function dutyAt(costMs: number): { readonly duty: number; readonly longestWaitMs: number } {
    const simulated = new SimulatedServer();
    const pacer = new ReloadPacer(simulated);
    const startMs = simulated.nowMs;
    let oldestMs: number | undefined;
    let longestWaitMs = 0;
    for (; simulated.nowMs < startMs + 60_000; simulated.nowMs += 1) {
      if (simulated.nowMs % 20 === 0) oldestMs ??= simulated.nowMs;
      if (oldestMs === undefined || pacer.delayMs(blue) > 0) continue;
      longestWaitMs = Math.max(longestWaitMs, simulated.nowMs - oldestMs);
      oldestMs = undefined;
      pacer.note(blue, server);
      simulated.tell(costMs);
    }
    return { duty: simulated.busyMs / 60_000, longestWaitMs };
  }

  for (const costMs of [0.4, 2, 10, 42, 88, 250]) {
    test(`changes of ${costMs} ms take at most 12 % of the server's time`, () => {
      const { duty, longestWaitMs } = dutyAt(costMs);

      assert.ok(duty <= 0.12, `${duty}`);
      assert.ok(longestWaitMs <= 9 * costMs + 20, `${longestWaitMs} ms`);
    });
  }

  test("a network too large for that is changed at least every two seconds beside the work", () => {
    const { duty, longestWaitMs } = dutyAt(540);

    assert.ok(duty < 0.22, `${duty}`);
    assert.ok(longestWaitMs <= 2000 + 540 + 20, `${longestWaitMs} ms`);
  });
});
