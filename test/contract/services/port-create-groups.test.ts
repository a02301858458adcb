// Ports that several ask for at the same time on one network are made in one transaction; nobody may notice.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sql } from "kysely";
import { readNotifications } from "../../../src/server/store/notifications.ts";
import type { Store } from "../../../src/server/store/database.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

/** How many transactions this process has committed meanwhile. */
async function commitsDuring(store: Store, work: () => Promise<unknown>): Promise<number> {
  let commits = 0;
  const stop = store.onCommitted(() => {
    commits += 1;
  });
  await work();
  stop();
  return commits;
}

interface Wish {
  readonly project?: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

const portOf = (body: Readonly<Record<string, unknown>>): Body => body["port"] as Body;

const traceIdOf = (index: number): string => String(index + 1).repeat(32);

forEachDatabase((engine, openFresh) => {
  async function site() {
    const store = await openFresh();
    const api = new RealApi(store);
    const { id } = await api.create("network", { shared: true, project_id: "blue" });
    await api.create("subnet", { network_id: id, ip_version: 4, cidr: "10.0.0.0/24" });
    const ask = (wishes: readonly Wish[]) =>
      Promise.all(
        wishes.map(({ project = "blue", attributes = {} }, index) =>
          api.ask("/v2.0/ports", {
            method: "POST",
            body: { port: { network_id: id, ...attributes } },
            headers: { "x-project-id": project, traceparent: `00-${traceIdOf(index)}-${"a".repeat(16)}-01` },
          }),
        ),
      );
    return { store, id, ask };
  }

  test("eight at once are made in fewer transactions, and each is told and traced as its own request", async () => {
    const { store, ask } = await site();
    await ask([{}]);
    let answers: Awaited<ReturnType<typeof ask>> = [];
    const commits = await commitsDuring(store, async () => {
      answers = await ask(Array.from({ length: 8 }, () => ({})));
    });
    assert.ok(commits < 8, `${commits} commits`);
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([201]));
    const notes = await readNotifications(store.db, 1000);
    answers.forEach(({ body, headers }, index) => {
      const note = notes.find((one) => one.objectId === portOf(body).id);
      assert.equal(note?.requestId, headers["x-openstack-request-id"]);
      assert.equal(note?.traceparent?.split("-")[1], traceIdOf(index));
    });
    const ips = answers.map(
      ({ body }) => (portOf(body)["fixed_ips"] as readonly { readonly ip_address: string }[])[0]?.ip_address,
    );
    assert.equal(new Set(ips).size, 8);
  });

  test("one that cannot be made fails alone, with its own error", async () => {
    const { ask } = await site();
    const taken = { attributes: { fixed_ips: [{ ip_address: "10.0.0.77" }] } };
    await ask([taken]);
    const answers = await ask([{}, taken, { attributes: { qos_policy_id: crypto.randomUUID() } }, {}]);
    assert.deepEqual(
      answers.map((answer) => [answer.status, answer.status === 201 ? "" : faultOf(answer).type]),
      [
        [201, ""],
        [409, "IpAddressAlreadyAllocated"],
        [404, "QosPolicyNotFound"],
        [201, ""],
      ],
    );
  });

  test("ports of different projects are not mixed up", async () => {
    const { ask } = await site();
    const answers = await ask(["blue", "red", "blue", "green"].map((project) => ({ project })));
    assert.deepEqual(
      answers.map(({ body }) => portOf(body)["project_id"]),
      ["blue", "red", "blue", "green"],
    );
  });

  test("a connection that dies in the commit is a 503 for all of the group, and nothing is made twice", async (t) => {
    if (engine !== "postgres") return t.skip("an embedded database has no connections");
    const { store, ask } = await site();
    await ask([{}]);
    await sql`create function die() returns trigger language plpgsql as
      $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$`.execute(store.db);
    await sql`create constraint trigger dies after insert on ports deferrable initially deferred
      for each row when (new.name = 'last') execute function die()`.execute(store.db);
    let begun = 0;
    const counted = store.transaction.bind(store);
    store.transaction = (work) => {
      begun += 1;
      return counted(work);
    };
    const answers = await ask([{}, { attributes: { name: "last" } }, {}]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [503, 503, 503],
    );
    assert.equal(begun, 1);
    const ports = await store.db.selectFrom("ports").select("id").where("device_owner", "=", "").execute();
    assert.equal(ports.length, 1);
  });
});
