import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { NetloomError } from "../../../src/base/errors.ts";
import { createTrace, currentTrace, withTrace } from "../../../src/base/trace-context.ts";
import type { Bus, BusMessage } from "../../../src/messaging/bus.ts";
import { FakeHub } from "../../helpers/fake-bus.ts";
import { startTestNats, type TestNats } from "../../helpers/nats-server.ts";
import { waitFor } from "../../helpers/wait-for.ts";

/** A broker that the suite can connect clients to and take away under them. */
interface Broker {
  connect(): Promise<Bus>;
  breakDown(): Promise<void>;
  comeBack(): Promise<void>;
  close(): Promise<void>;
}

function fakeBroker(): Broker {
  const hub = new FakeHub();
  const clients: ReturnType<FakeHub["connect"]>[] = [];
  return {
    connect: async () => {
      const client = hub.connect();
      clients.push(client);
      return client;
    },
    breakDown: async () => clients.forEach((client) => client.disconnect()),
    comeBack: async () => clients.forEach((client) => client.reconnect()),
    close: async () => {},
  };
}

async function realBroker(): Promise<Broker> {
  const nats: TestNats = await startTestNats();
  return {
    connect: () => nats.connectServer(),
    breakDown: () => nats.kill(),
    comeBack: () => nats.restart(),
    close: () => nats.close(),
  };
}

const implementations = [
  { name: "fake bus", start: async () => fakeBroker() },
  { name: "NATS bus", start: realBroker },
];

const hasCode = (code: string) => (thrown: unknown) => {
  assert.ok(thrown instanceof NetloomError, String(thrown));
  assert.equal(thrown.code, code, thrown.message);
  return true;
};

for (const { name, start } of implementations) {
  describe(name, () => {
    let broker: Broker;
    let left: Bus;
    let right: Bus;

    before(async () => {
      broker = await start();
      [left, right] = await Promise.all([broker.connect(), broker.connect()]);
    });
    after(async () => {
      await Promise.all([left.close(), right.close()]);
      await broker.close();
    });

    test("a published message reaches every subscriber as a value of its own", async () => {
      const seen: unknown[] = [];
      right.subscribe("t.one.>", (message) => void seen.push(message));
      left.subscribe("t.*.b", (message) => void seen.push(message));
      await Promise.all([left.flush(), right.flush()]);
      const data = { n: 1, list: ["é", null] };

      left.publish("t.one.b", data);
      data.n = 2;

      await waitFor(() => seen.length === 2, { limitMs: 10_000, what: "two messages" });
      const expected: BusMessage = { subject: "t.one.b", data: { n: 1, list: ["é", null] }, traceparent: undefined };
      assert.deepEqual(seen, [expected, expected]);
    });

    test("messages are handed over in order, one at a time, and a throwing handler ends nothing", async () => {
      const seen: unknown[] = [];
      right.subscribe("t.order", async ({ data }) => {
        await new Promise((resolve) => setImmediate(resolve));
        seen.push(data);
        if (data === 3) throw new Error("refused");
      });
      await right.flush();

      for (let n = 0; n < 20; n += 1) left.publish("t.order", n);

      await waitFor(() => seen.length === 20, { limitMs: 10_000, what: "20 messages" });
      assert.deepEqual(seen, [...Array(20).keys()]);
    });

    test("a request is answered by one member of the queue group", async () => {
      const served: string[] = [];
      for (const [id, bus] of [
        ["left", left],
        ["right", right],
      ] as const) {
        bus.serve("t.add.*", "srv", async ({ data, subject }) => {
          served.push(id);
          return { sum: Object.values(data as Record<string, number>).reduce((a, b) => a + b), subject };
        });
      }
      await Promise.all([left.flush(), right.flush()]);

      const result = await left.request("t.add.x", { a: 1, b: 2 }, { timeoutMs: 10_000 });

      assert.deepEqual(result, { sum: 3, subject: "t.add.x" });
      assert.equal(served.length, 1);
    });

    test("what a handler throws reaches the caller with code, message and detail", async () => {
      right.serve("t.conflict", "srv", async () => {
        throw new NetloomError("CONFLICT", "port a is taken", { port: "a" });
      });
      await right.flush();

      const call = left.request("t.conflict", {}, { timeoutMs: 10_000 });

      await assert.rejects(call, (thrown) => {
        assert.ok(thrown instanceof NetloomError);
        assert.deepEqual([thrown.code, thrown.message, thrown.detail], ["CONFLICT", "port a is taken", { port: "a" }]);
        return true;
      });
    });

    test("a bug in a handler is answered with a reference and without its words", async () => {
      right.serve("t.bug", "srv", async () => {
        throw new TypeError("secret internals");
      });
      await right.flush();

      const call = left.request("t.bug", {}, { timeoutMs: 10_000 });

      await assert.rejects(call, (thrown) => {
        assert.ok(thrown instanceof NetloomError);
        assert.match(thrown.message, /^internal error, reference [0-9a-f-]{36}$/);
        return hasCode("UNAVAILABLE")(thrown);
      });
    });

    test("a request that nobody serves fails at once", async () => {
      // Not by its time: that would be TIMEOUT.
      await assert.rejects(left.request("t.nobody", {}, { timeoutMs: 60_000 }), hasCode("UNAVAILABLE"));
    });

    test("a request that is not answered in time fails with TIMEOUT, an aborted one with its reason", async () => {
      right.serve("t.slow", "srv", () => new Promise(() => {}));
      await right.flush();

      await assert.rejects(left.request("t.slow", {}, { timeoutMs: 50 }), hasCode("TIMEOUT"));

      const reason = new Error("stopping");
      const call = left.request("t.slow", {}, { timeoutMs: 5000, signal: AbortSignal.any([AbortSignal.abort(reason)]) });
      await assert.rejects(call, reason);
      const controller = new AbortController();
      const later = left.request("t.slow", {}, { timeoutMs: 5000, signal: controller.signal });
      setImmediate(() => controller.abort(reason));
      await assert.rejects(later, reason);
    });

    test("the sender's trace goes along, and the handler works in a span of its own in it", async () => {
      right.serve("t.trace", "srv", async ({ traceparent }) => ({ traceparent, own: currentTrace() }));
      await right.flush();
      const trace = createTrace();

      const result = await withTrace(trace, () => left.request("t.trace", {}, { timeoutMs: 10_000 }));

      const { traceparent, own } = result as { traceparent: string; own: { traceId: string; spanId: string } };
      assert.equal(traceparent, `00-${trace.traceId}-${trace.spanId}-01`);
      assert.equal(own.traceId, trace.traceId);
      assert.notEqual(own.spanId, trace.spanId);
    });

    test("a message above the limit is refused with its size", () => {
      const big = "x".repeat(1024 * 1024);

      assert.throws(
        () => left.publish("t.big", big),
        (thrown) => {
          assert.match(String(thrown), /1048578 bytes/);
          return hasCode("INVALID")(thrown);
        },
      );
    });

    test("a reply above the limit is an error for the caller", async () => {
      right.serve("t.big-reply", "srv", async () => "x".repeat(1024 * 1024));
      await right.flush();

      await assert.rejects(left.request("t.big-reply", {}, { timeoutMs: 10_000 }), hasCode("INVALID"));
    });

    test("a closed subscription gets nothing more", async () => {
      const seen: unknown[] = [];
      const marks: unknown[] = [];
      const subscription = right.subscribe("t.closed", ({ data }) => void seen.push(data));
      right.subscribe("t.mark", ({ data }) => void marks.push(data));
      await right.flush();

      subscription.close();
      await right.flush();
      left.publish("t.closed", 1);
      left.publish("t.mark", 1);

      await waitFor(() => marks.length === 1, { limitMs: 10_000, what: "the later message" });
      assert.deepEqual(seen, []);
    });

    test("losing the broker fails what is under way and what comes, until it is back", async () => {
      right.serve("t.hang", "srv", () => new Promise(() => {}));
      right.serve("t.echo", "srv", async ({ data }) => data);
      await right.flush();
      const events: string[] = [];
      left.onDisconnect(() => events.push("lost"));
      left.onReconnect(() => events.push("back"));
      const hanging = assert.rejects(left.request("t.hang", {}, { timeoutMs: 60_000 }), hasCode("UNAVAILABLE"));

      await broker.breakDown();

      await hanging;
      await waitFor(() => !left.isConnected && !right.isConnected, { limitMs: 10_000, what: "both to notice" });
      assert.throws(() => left.publish("t.echo", 1), hasCode("UNAVAILABLE"));
      await assert.rejects(left.request("t.echo", 1, { timeoutMs: 60_000 }), hasCode("UNAVAILABLE"));
      await broker.comeBack();
      await waitFor(() => left.isConnected && right.isConnected, { limitMs: 10_000, what: "both to be back" });
      assert.equal(await waitFor(() => left.request("t.echo", 7, { timeoutMs: 500 }), { limitMs: 10_000, what: "an echo" }), 7);
      assert.deepEqual(events, ["lost", "back"]);
    });
  });
}
