// Every committed change is noted for users outside, in its transaction, whoever makes it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { withTrace } from "../../../src/base/trace-context.ts";
import { readNotifications, removeNotifications } from "../../../src/server/store/notifications.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { RealApi } from "../../helpers/real-api.ts";

forEachDatabase((_engine, openFresh) => {
  test("creates, changes and deletes are noted with project, revision and request; a change of nothing is not", async () => {
    const store = await openFresh();
    const api = new RealApi(store);
    const network = await api.create("network", {}, { "x-project-id": "blue" });
    const path = `/v2.0/networks/${network.id}`;
    await api.ask(path, { method: "PUT", body: { network: { name: "new" } } });
    await api.ask(path, { method: "PUT", body: { network: { name: "new" } } });
    const { headers } = await api.ask(path, { method: "DELETE" });

    const notes = (await readNotifications(store.db, 100)).filter((note) => note.objectId === network.id);

    assert.deepEqual(
      notes.map((note) => [note.resource, note.action, note.projectId, note.revision]),
      [
        ["network", "create", "blue", 1],
        ["network", "update", "blue", 2],
        ["network", "delete", "blue", 2],
      ],
    );
    assert.equal(notes.at(-1)?.requestId, headers["x-openstack-request-id"]);
    assert.ok(notes.every((note) => note.createdAt !== undefined && note.traceparent !== undefined));
  });

  test("the server's own bookkeeping is no news, and what is rolled back was never there", async () => {
    const store = await openFresh();
    const api = new RealApi(store);
    const network = await api.create("network", {});
    await api.create("subnet", { network_id: network.id, ip_version: 4, cidr: "10.0.0.0/24" });
    const port = await api.create("port", { network_id: network.id });
    await removeNotifications(
      store.db,
      (await readNotifications(store.db, 100)).map((note) => note.id),
    );
    await store.transaction((trx) => trx.updateTable("ports").set({ dhcp_ready_revision: 7 }).execute());
    const refused = store.transaction(async (trx) => {
      await trx.deleteFrom("fixed_ips").execute();
      await trx.deleteFrom("ports").execute();
      throw new Error("no");
    });
    await assert.rejects(refused, /no/);
    assert.deepEqual(await readNotifications(store.db, 100), []);
    await withTrace({ traceId: "1".repeat(32), spanId: "2".repeat(16) }, () =>
      store.transaction((trx) => trx.updateTable("ports").set({ status: "ACTIVE" }).execute()),
    );
    const [note, ...others] = await readNotifications(store.db, 100);
    assert.deepEqual([note?.objectId, note?.action, note?.requestId, others], [port.id, "update", undefined, []]);
    assert.equal(note?.traceparent, `00-${"1".repeat(32)}-${"2".repeat(16)}-01`);
  });
});
