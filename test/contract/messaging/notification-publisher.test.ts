// What becomes of notes of changes on their way to NATS.
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { NotificationPublisher } from "../../../src/server/publisher/notification-publisher.ts";
import { openStore } from "../../../src/server/store/database.ts";
import { readNotifications } from "../../../src/server/store/notifications.ts";
import { FakeHub } from "../../helpers/fake-bus.ts";
import { RealApi } from "../../helpers/real-api.ts";
import { waitFor } from "../../helpers/wait-for.ts";

test("an object that is too large for a message is left out of its own, and holds up no other", async () => {
  const store = await openStore("sqlite::memory:", silentLogger);
  const api = new RealApi(store);
  const hub = new FakeHub({ maxPayloadBytes: 2048 });
  const got: Readonly<Record<string, unknown>>[] = [];
  hub.connect().subscribe("nl.notify.network.>", ({ data }) => void got.push(data as (typeof got)[number]));
  const large = await api.create("network", { name: "large" });
  const small = await api.create("network", { name: "small" });
  const publisher = new NotificationPublisher({
    ...{ store, bus: hub.connect(), epoch: "e", clock: systemClock, log: silentLogger },
    present: async (_resource, ids) => new Map(ids.map((id) => [id, id === large.id ? "x".repeat(4000) : { id }])),
  });
  publisher.start();

  await waitFor(() => got.length === 2, { limitMs: 10_000, what: "both messages" });

  assert.deepEqual(
    got.map((message) => [message["id"], message["network"]]),
    [
      [large.id, null],
      [small.id, { id: small.id }],
    ],
  );
  await waitFor(async () => (await readNotifications(store.db, 10)).length === 0, { limitMs: 10_000, what: "no notes left" });
  await publisher.close();
  await api.close();
});
