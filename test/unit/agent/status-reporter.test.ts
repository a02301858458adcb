import assert from "node:assert/strict";
import { test } from "node:test";
import { NetloomError } from "../../../src/base/errors.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { StatusReporter } from "../../../src/agent/status-reporter.ts";
import type { LeaseReport, StatusReport } from "../../../src/types/agent-messages.ts";
import { testNetworkId, testPortId } from "../../helpers/agent-items.ts";
import { FakeClock, settle } from "../../helpers/fake-clock.ts";

function reporterWith(options: { readonly maxPorts?: number; readonly maxLeases?: number } = {}) {
  const clock = new FakeClock();
  const sent: StatusReport[] = [];
  const failures: Error[] = [];
  let gate: Promise<void> = Promise.resolve();
  const reporter = new StatusReporter({
    send: async (report) => {
      await gate;
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      sent.push(report);
    },
    timers: clock,
    log: silentLogger,
    random: () => 0.5,
    ...options,
  });
  return { clock, reporter, sent, failures, setGate: (next: Promise<void>): void => void (gate = next) };
}

const ports = (from: number, count: number, revision = 1) =>
  Array.from({ length: count }, (_, n) => ({ id: testPortId(from + n), revision }));

const lease = (n: number, changes: Partial<LeaseReport> = {}): LeaseReport => ({
  event: "add",
  networkId: testNetworkId(1),
  ipAddress: `10.1.${n >> 8}.${n & 255}`,
  macAddress: "fa:16:3e:00:00:01",
  hostname: null,
  expiresAtMs: 5,
  observedAtMs: 1,
  ...changes,
});

test("what comes within a moment is one message", async () => {
  const { clock, reporter, sent } = reporterWith();

  reporter.addReadyPorts(ports(1, 2), "new");
  reporter.addReadyPorts(ports(3, 1), "new");
  reporter.addLease(lease(1));
  await clock.advance(5);

  assert.equal(sent.length, 1);
  assert.equal(sent[0]?.readyPorts.length, 3);
  assert.equal(sent[0]?.leases.length, 1);
  assert.equal(reporter.pending, 0);
});

test("DA-071: batches have at most 256 ports and 256 leases", async () => {
  const { clock, reporter, sent } = reporterWith();

  reporter.addReadyPorts(ports(0, 257), "known");
  for (let n = 0; n < 600; n += 1) reporter.addLease(lease(n));
  await clock.advance(5);

  assert.deepEqual(
    sent.map(({ readyPorts, leases }) => [readyPorts.length, leases.length]),
    [
      [256, 256],
      [1, 256],
      [0, 88],
    ],
  );
});

test("DA-072: new ports go first, the rest of the batch is filled with known ones", async () => {
  const { clock, reporter, sent } = reporterWith();
  reporter.addReadyPorts(ports(0, 300), "known");

  reporter.addReadyPorts(ports(1000, 2), "new");
  await clock.advance(5);

  assert.deepEqual(
    sent[0]?.readyPorts.slice(0, 3).map(({ id }) => id),
    [testPortId(1000), testPortId(1001), testPortId(0)],
  );
  assert.equal(sent[0]?.readyPorts.length, 256);
});

test("a port is told of once, at its newest revision", async () => {
  const { clock, reporter, sent } = reporterWith();

  reporter.addReadyPorts(ports(1, 1, 1), "known");
  reporter.addReadyPorts(ports(1, 1, 2), "new");
  reporter.addReadyPorts(ports(1, 1, 3), "known");
  await clock.advance(5);

  assert.deepEqual(
    sent.map(({ readyPorts }) => readyPorts),
    [[{ id: testPortId(1), revision: 3 }]],
  );
});

test("a newer lease of an address replaces the older one", async () => {
  const { clock, reporter, sent } = reporterWith();

  reporter.addLease(lease(1));
  reporter.addLease(lease(1, { event: "del" }));
  await clock.advance(5);

  assert.deepEqual(
    sent[0]?.leases.map(({ event }) => event),
    ["del"],
  );
});

test("DA-070, DA-206: what could not be sent is sent again, later and later, and at once after a reconnect", async () => {
  const { clock, reporter, sent, failures } = reporterWith();
  const unavailable = new NetloomError("UNAVAILABLE", "nobody there");
  failures.push(unavailable, unavailable, unavailable, unavailable);
  reporter.addReadyPorts(ports(1, 1), "new");
  await clock.advance(2);
  await clock.advance(200);
  await clock.advance(399);
  assert.equal(failures.length, 2);
  await clock.advance(1);
  assert.equal(failures.length, 1);

  failures.splice(0);
  reporter.retryNow();
  await clock.advance(2);

  assert.deepEqual(sent[0]?.readyPorts, ports(1, 1));
});

test("what changed while it was on its way is sent again", async () => {
  const { clock, reporter, sent, setGate } = reporterWith();
  const { promise, resolve } = Promise.withResolvers<void>();
  setGate(promise);
  reporter.addReadyPorts(ports(1, 1, 1), "new");
  await clock.advance(5);

  reporter.addReadyPorts(ports(1, 1, 2), "known");
  resolve();
  await settle();
  await clock.advance(5);

  assert.deepEqual(
    sent.flatMap(({ readyPorts }) => readyPorts.map(({ revision }) => revision)),
    [1, 2],
  );
});

test("a report that the server refuses does not hold up the next ones", async () => {
  const { clock, reporter, sent, failures } = reporterWith();
  failures.push(new NetloomError("INVALID", "what is this?"));
  reporter.addReadyPorts(ports(0, 300), "known");

  await clock.advance(5);

  assert.deepEqual(
    sent.map(({ readyPorts }) => readyPorts.length),
    [44],
  );
  assert.equal(reporter.pending, 0);
});

test("what waits is bounded: the oldest goes, and is counted", async () => {
  const { reporter } = reporterWith({ maxPorts: 100, maxLeases: 10 });

  reporter.addReadyPorts(ports(0, 150), "known");
  for (let n = 0; n < 15; n += 1) reporter.addLease(lease(n));

  assert.equal(reporter.pending, 110);
  assert.equal(reporter.dropped, 55);
});

test("closing sends what waits, once", async () => {
  const { reporter, sent, failures } = reporterWith();
  reporter.addReadyPorts(ports(1, 1), "new");

  await reporter.close();

  assert.equal(sent.length, 1);
  failures.push(new NetloomError("UNAVAILABLE", "gone"));
  reporter.addLease(lease(1));
  await reporter.close();
  assert.equal(sent.length, 1);
});
