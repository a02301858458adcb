// Records of leases: what reports make of them, who sees them, how they end, and who is told.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { type Kysely, sql } from "kysely";
import { silentLogger } from "../../../src/base/logger.ts";
import { pruneEnded } from "../../../src/server/services/lease-pruner.ts";
import type { LeaseChange } from "../../../src/server/services/lease-records.ts";
import type { Attributes, ListQuery } from "../../../src/server/services/resource-service.ts";
import { up as addLeaseIds } from "../../../src/server/store/migrations/0004-leases.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { FakeClock } from "../../helpers/fake-clock.ts";
import { assertFault } from "../../helpers/faults.ts";
import { addressesOf, admin, everything, idOf, member } from "../../helpers/network-services.ts";
import type { RawAgent } from "../../helpers/raw-agent.ts";
import { ServerRig } from "../../helpers/server-rig.ts";
import { waitFor } from "../../helpers/wait-for.ts";

interface Notice {
  readonly action: string;
  readonly leases: readonly Attributes[];
}

forEachDatabase((_name, openFresh) => {
  const rigs: ServerRig[] = [];
  const start = async (): Promise<{ rig: ServerRig; agent: RawAgent; networkId: string; notices: Notice[] }> => {
    const rig = await ServerRig.start(await openFresh());
    rigs.push(rig);
    const notices: Notice[] = [];
    rig.hub.connect().subscribe("nl.notify.lease.*", ({ subject, data }) => {
      notices.push({ action: subject.split(".").at(-1) ?? "", leases: (data as { leases: Attributes[] }).leases });
    });
    const agent = rig.agent("node-1");
    await agent.sync();
    const { networkId } = await rig.network({}, { project_id: "p1" });
    return { rig, agent, networkId, notices };
  };
  const reportOf = (networkId: string, last: number, values: object = {}): object => ({
    ...{ event: "add", networkId, ipAddress: `10.0.0.${last}`, macAddress: "fa:16:3e:00:00:01", hostname: `web-${last}` },
    ...{ expiresAtMs: 2_000_000_000_000 + last * 1000, observedAtMs: 1_000_000, ...values },
  });
  const list = async (rig: ServerRig, query: Partial<ListQuery> = {}, context = admin): Promise<readonly Attributes[]> =>
    rig.parts.services.leases.list(context, { ...everything, ...query });
  const names = (leases: readonly Attributes[]) => leases.map((lease) => lease["hostname"]);
  afterEach(async () => {
    await Promise.all(rigs.splice(0).map((rig) => rig.close()));
  });

  test("lists are filtered, sorted and paged by the database; a marker that is none is not found", async () => {
    const { rig, agent, networkId } = await start();
    await agent.report({ leases: [12, 3, 7, 5].map((last) => reportOf(networkId, last)) });
    const sorts = [{ key: "expires_at", direction: "desc" }] as const;

    assert.deepEqual(names(await list(rig, { sorts })), ["web-12", "web-7", "web-5", "web-3"]);
    const byAddress = await list(rig, { sorts: [{ key: "ip_address", direction: "asc" }] });
    assert.deepEqual(names(byAddress), ["web-3", "web-5", "web-7", "web-12"], "by number, not by letter");
    const first = await list(rig, { sorts, limit: 2 });
    assert.deepEqual(names(first), ["web-12", "web-7"]);
    const marker = String(first[1]?.["id"]);
    assert.deepEqual(names(await list(rig, { sorts, limit: 2, marker })), ["web-5", "web-3"]);
    assert.deepEqual(names(await list(rig, { sorts, marker, pageReverse: true })), ["web-12"]);
    assert.deepEqual(
      names(await list(rig, { filters: [{ attribute: "ip_address", values: ["10.0.0.3", "10.0.0.5"] }], sorts })),
      ["web-5", "web-3"],
    );
    assert.deepEqual(await list(rig, { changedSince: "1980-01-01T00:00:00" }), []);
    assert.equal((await list(rig, { changedSince: "1970-01-01T00:00:00" })).length, 4);
    await assertFault(list(rig, { marker: "nothing" }), "LeaseNotFound");
    await assertFault(rig.parts.services.leases.show(admin, `${networkId}_10.0.0.99`), "LeaseNotFound");
  });

  test("others see neither the leases of a network nor that there are any; the owner of a port sees its lease", async () => {
    const { rig, agent } = await start();
    const { networkId } = await rig.network({ cidr: "10.0.0.0/24" }, { project_id: "p1", shared: true });
    const guestPort = await rig.port(networkId, { project_id: "p2" });
    const [address = ""] = addressesOf(guestPort);
    await agent.report({ leases: [reportOf(networkId, 200), reportOf(networkId, 201, { ipAddress: address })] });

    assert.equal((await list(rig, {}, member("p1"))).length, 2);
    assert.deepEqual(names(await list(rig, {}, member("p2"))), ["web-201"]);
    assert.deepEqual(await list(rig, {}, member("p3")), []);
    await assertFault(rig.parts.services.leases.show(member("p2"), `${networkId}_10.0.0.200`), "LeaseNotFound");
  });

  test("a lease goes with its port and with its network", async () => {
    const { rig, agent, networkId } = await start();
    const port = await rig.port(networkId);
    const [ipAddress] = addressesOf(port);
    await agent.report({ leases: [reportOf(networkId, 5, { ipAddress }), reportOf(networkId, 99)] });
    assert.equal((await list(rig)).length, 2);

    await rig.parts.services.ports.remove(admin, idOf(port));
    assert.deepEqual(names(await list(rig)), ["web-99"]);
    await rig.parts.services.networks.remove(admin, networkId);

    assert.deepEqual(await list(rig), []);
  });

  test("a host takes back only what it said itself", async () => {
    const { rig, agent, networkId } = await start();
    await agent.report({ leases: [reportOf(networkId, 5)] });
    await rig.store.db.updateTable("leases").set({ host: "node-2" }).execute();

    await agent.report({ leases: [reportOf(networkId, 5, { event: "del", observedAtMs: 2_000_000 })] });

    assert.equal((await list(rig)).length, 1);
  });

  test("changes are told in batches, each once; what is only seen again is not", async () => {
    const { agent, networkId, notices } = await start();
    const told = async (...expected: readonly string[]): Promise<void> => {
      await waitFor(() => notices.length >= expected.length, { limitMs: 10_000, what: expected.join(", ") });
      assert.deepEqual(
        notices.map(({ action, leases }) => `${action} ${leases.length}`),
        expected,
      );
    };
    const first = Array.from({ length: 200 }, (_, index) => reportOf(networkId, index + 2));
    await agent.report({ leases: first });
    await told("create 200");

    await agent.report({ leases: first.map((report) => ({ ...report, event: "old", observedAtMs: 1_000_001 })) });
    await agent.report({ leases: [reportOf(networkId, 2, { event: "old", expiresAtMs: null, observedAtMs: 1_000_002 })] });
    await told("create 200", "update 1");
    await agent.report({ leases: [reportOf(networkId, 2, { event: "del", observedAtMs: 1_000_003 })] });
    await told("create 200", "update 1", "delete 1");

    assert.equal(notices[0]?.leases[0]?.["network_id"], networkId);
    assert.equal(notices[1]?.leases[0]?.["expires_at"], null);
    assert.equal(notices[2]?.leases[0]?.["id"], `${networkId}_10.0.0.2`);
  });

  test("a lease that ended without a word is forgotten after a while, one for ever is not", async () => {
    const { rig, agent, networkId } = await start();
    const clock = new FakeClock();
    const nowMs = clock.nowMs();
    const reports = [
      reportOf(networkId, 2, { expiresAtMs: nowMs - 120_000 }),
      reportOf(networkId, 3, { expiresAtMs: nowMs - 1000 }),
      reportOf(networkId, 4, { expiresAtMs: nowMs + 60_000 }),
      reportOf(networkId, 5, { expiresAtMs: null }),
    ];
    await agent.report({ leases: reports });
    const changes: LeaseChange[] = [];
    const parts = { store: rig.store, clock, log: silentLogger };

    await pruneEnded({ ...parts, onChanges: (gone) => changes.push(...gone) });

    const sorts = [{ key: "hostname", direction: "asc" }] as const;
    assert.deepEqual(names(await list(rig, { sorts })), ["web-3", "web-4", "web-5"]);
    assert.deepEqual(
      changes.map(({ action, lease }) => [action, lease["hostname"]]),
      [["delete", "web-2"]],
    );
  });

  test("records of an older database are kept, but for those of ports that are gone", async () => {
    const { rig, agent, networkId } = await start();
    const port = await rig.port(networkId);
    const [ipAddress] = addressesOf(port);
    await agent.report({ leases: [reportOf(networkId, 5, { ipAddress }), reportOf(networkId, 77), reportOf(networkId, 78)] });
    const { db } = rig.store;
    await sql`create table leases_old as select * from leases`.execute(db);
    await sql`drop table leases`.execute(db);
    await sql`create table leases (network_id text not null references networks (id) on delete cascade, ip_address text not null,
      ip_key text not null, port_id text, mac_address text, hostname text, expires_at text, last_seen_at text not null,
      host text not null, constraint leases_primary primary key (network_id, ip_address))`.execute(db);
    await sql`insert into leases select network_id, ip_address, '', case hostname when 'web-78' then 'gone' else port_id end,
      mac_address, hostname, expires_at, last_seen_at, host from leases_old`.execute(db);
    const before = await sql<{ readonly hostname: string }>`select hostname from leases`.execute(db);
    assert.equal(before.rows.length, 3);

    await addLeaseIds(db as unknown as Kysely<unknown>);

    const sorts = [{ key: "hostname", direction: "asc" }] as const;
    assert.deepEqual(names(await list(rig, { sorts })), ["web-5", "web-77"]);
    await rig.parts.services.ports.remove(admin, idOf(port));
    assert.deepEqual(names(await list(rig)), ["web-77"]);
  });
});
