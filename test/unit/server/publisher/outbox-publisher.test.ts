import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { systemClock } from "../../../../src/base/clock.ts";
import { NetloomError } from "../../../../src/base/errors.ts";
import { silentLogger } from "../../../../src/base/logger.ts";
import type { Bus } from "../../../../src/messaging/bus.ts";
import { OutboxPublisher } from "../../../../src/server/publisher/outbox-publisher.ts";
import { openStore, type Store } from "../../../../src/server/store/database.ts";
import { recordItemsForHost } from "../../../../src/server/store/outbox.ts";
import { deleteItem } from "../../../../src/server/store/stream-items.ts";
import type { StreamMessage } from "../../../../src/types/agent-messages.ts";
import { waitFor } from "../../../helpers/wait-for.ts";

/** Like a TCP connection: what was published is only there when a flush came back; a break loses the rest without a word. */
class LossyBus implements Bus {
  isConnected = true;
  readonly delivered: StreamMessage[] = [];
  #onTheWay: StreamMessage[] = [];
  readonly #listeners = { lost: [] as (() => void)[], back: [] as (() => void)[] };
  holdFlush = false;

  publish(_subject: string, data: unknown): void {
    if (!this.isConnected) throw new NetloomError("UNAVAILABLE", "not connected");
    // The cast: only the publisher uses this bus.
    this.#onTheWay.push(data as StreamMessage);
  }

  async flush(): Promise<void> {
    if (!this.isConnected || this.holdFlush) throw new NetloomError("UNAVAILABLE", "not connected");
    this.delivered.push(...this.#onTheWay.splice(0));
  }

  breakDown(): void {
    this.isConnected = false;
    this.#onTheWay = [];
    for (const listener of this.#listeners.lost) listener();
  }

  comeBack(): void {
    this.isConnected = true;
    this.holdFlush = false;
    for (const listener of this.#listeners.back) listener();
  }

  onReconnect(listener: () => void): void {
    this.#listeners.back.push(listener);
  }

  onDisconnect(listener: () => void): void {
    this.#listeners.lost.push(listener);
  }

  request = (): Promise<never> => Promise.reject(new Error("not used"));
  subscribe = (): never => assert.fail("not used");
  serve = (): never => assert.fail("not used");
  close = async (): Promise<void> => {};
}

const network = "00000000-0000-4000-8000-000000000001";
const limit = { limitMs: 10_000 };

describe("outbox publisher", () => {
  let store: Store;
  let bus: LossyBus;
  let publisher: OutboxPublisher;

  const commit = (count: number): Promise<void> =>
    store.transaction((trx) =>
      recordItemsForHost(
        trx,
        { role: "dhcp", host: "node-1" },
        Array.from({ length: count }, () => deleteItem("port", network, network, 1)),
      ),
    );

  const startPublisher = async (): Promise<void> => {
    publisher = new OutboxPublisher({ store, bus, epoch: "e", clock: systemClock, log: silentLogger, pollMs: 20 });
    await publisher.start();
  };

  const highest = (): number => bus.delivered.at(-1)?.seq ?? 0;

  /** Every row from 1 on was delivered, in order, perhaps some again. */
  function assertNothingSkipped(): void {
    let seen = 0;
    for (const { prev, seq, items } of bus.delivered) {
      assert.ok(prev <= seen, `${prev} follows ${seen}`);
      assert.equal(items.length, seq - prev);
      seen = Math.max(seen, seq);
    }
  }

  before(async () => {
    store = await openStore("sqlite::memory:", silentLogger);
  });
  after(() => store.close());
  beforeEach(async () => {
    await store.db.deleteFrom("outbox").execute();
    await store.db.deleteFrom("streams").execute();
    bus = new LossyBus();
  });

  test("one commit is one message, at once", async () => {
    await startPublisher();

    await commit(3);
    await commit(1);

    await waitFor(() => highest() === 4, { ...limit, what: "four rows" });
    assertNothingSkipped();
    assert.equal(publisher.headOf({ role: "dhcp", host: "node-1" }), 4);
    await publisher.close();
  });

  test("what was sent into a connection that broke is sent again", async () => {
    await startPublisher();
    await commit(2);
    await waitFor(() => highest() === 2, { ...limit, what: "two rows" });

    bus.holdFlush = true;
    await commit(3);
    await waitFor(() => publisher.publishedRows === 5, { ...limit, what: "rows on the wire" });
    bus.breakDown();
    await commit(2);
    bus.comeBack();

    await waitFor(() => highest() === 7, { ...limit, what: "all rows" });
    assertNothingSkipped();
    await publisher.close();
  });

  test("breaks at any moment skip nothing", async () => {
    await startPublisher();
    for (let round = 0; round < 60; round += 1) {
      await commit(1 + (round % 3));
      if (round % 4 === 1) bus.breakDown();
      if (round % 5 === 2) await new Promise((resolve) => setImmediate(resolve));
      if (round % 4 === 3) bus.comeBack();
    }
    bus.comeBack();

    await waitFor(() => highest() === 120, { ...limit, what: "all rows" });
    assertNothingSkipped();
    await publisher.close();
  });

  test("rows that a server committed just before it died are published by the next one", async () => {
    await commit(5);

    await startPublisher();

    await waitFor(() => highest() === 5, { ...limit, what: "five rows" });
    assertNothingSkipped();
    await publisher.close();
  });

  test("rows that were pruned show as a gap and do not stop what follows", async () => {
    await startPublisher();
    bus.breakDown();
    await commit(4);
    await store.db.deleteFrom("outbox").where("seq", "<=", 2).execute();
    bus.comeBack();

    await waitFor(() => highest() === 4, { ...limit, what: "the rest" });
    assert.equal(bus.delivered[0]?.prev, 2);
    await store.db.deleteFrom("outbox").execute();
    await commit(1);
    await waitFor(() => highest() === 5, { ...limit, what: "the next row" });
    await publisher.close();
  });

  test("closing publishes what is committed", async () => {
    await startPublisher();
    const done = commit(2);
    await done;

    await publisher.close();

    await bus.flush();
    assert.equal(highest(), 2);
  });
});
