import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { type Kysely, sql } from "kysely";
import type { Attributes } from "../../../src/server/services/resource-service.ts";
import type { Store } from "../../../src/server/store/database.ts";
import { up as addUnique } from "../../../src/server/store/migrations/0003-segments.ts";
import { up as addSegments } from "../../../src/server/store/migrations/0015-network-segments.ts";
import { readSegments } from "../../../src/server/store/network-segments.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { assertFault } from "../../helpers/faults.ts";
import { admin, createOne, everything, idOf, servicesOn, type TestServices } from "../../helpers/network-services.ts";
import type { FaultType } from "../../../src/types/api-faults.ts";

const carrier = (type?: string, physical?: string, segment?: number): Attributes => ({
  ...(type === undefined ? {} : { "provider:network_type": type }),
  ...(physical === undefined ? {} : { "provider:physical_network": physical }),
  ...(segment === undefined ? {} : { "provider:segmentation_id": segment }),
});

const carrierOf = (network: Attributes): unknown[] => [
  network["provider:network_type"],
  network["provider:physical_network"],
  network["provider:segmentation_id"],
  network["mtu"],
];

const create = (services: TestServices, body: Attributes) => createOne(services.networks, body);

const accepted: readonly [Attributes, readonly unknown[]][] = [
  [carrier(), ["local", null, null, 1500]],
  [carrier("local"), ["local", null, null, 1500]],
  [carrier("flat", "blue"), ["flat", "blue", null, 1500]],
  [carrier("vlan", "blue", 1), ["vlan", "blue", 1, 1500]],
  [carrier("vlan", "blue", 4094), ["vlan", "blue", 4094, 1500]],
  [carrier("vxlan", undefined, 16_777_215), ["vxlan", null, 16_777_215, 1450]],
];

const refused: readonly [Attributes, RegExp][] = [
  [carrier("gre", undefined, 5), /'gre' is not supported: it is one of local, flat, vlan, vxlan/],
  [carrier("geneve", undefined, 5), /'geneve' is not supported/],
  [carrier("constructor"), /'constructor' is not supported/],
  [carrier(undefined, "blue"), /network_type is required/],
  [carrier(undefined, undefined, 5), /network_type is required/],
  [carrier("local", "blue"), /physical_network is not allowed for network type local/],
  [carrier("local", undefined, 5), /segmentation_id is not allowed for network type local/],
  [carrier("flat"), /physical_network is required for network type flat/],
  [carrier("flat", "blue", 5), /segmentation_id is not allowed for network type flat/],
  [carrier("vlan", undefined, 5), /physical_network is required for network type vlan/],
  [carrier("vlan", "blue", 0), /0 is not within 1 and 4094/],
  [carrier("vlan", "blue", 4095), /4095 is not within 1 and 4094/],
  [carrier("vxlan", "blue", 5), /physical_network is not allowed for network type vxlan/],
];

const taken: readonly [Attributes, FaultType, readonly Attributes[]][] = [
  [carrier("flat", "blue"), "FlatNetworkInUse", [carrier("flat", "red"), carrier("vlan", "blue", 7)]],
  [carrier("vlan", "blue", 7), "VlanIdInUse", [carrier("vlan", "red", 7), carrier("vlan", "blue", 8), carrier("flat", "blue")]],
  [carrier("vxlan", undefined, 7), "TunnelIdInUse", [carrier("vxlan", undefined, 8), carrier("vlan", "blue", 7)]],
];

forEachDatabase((_name, openFresh) => {
  test("a carrier is kept as it was described", async () => {
    const services = servicesOn(await openFresh());

    for (const [body, expected] of accepted) assert.deepEqual(carrierOf(await create(services, body)), expected);
  });

  test("a carrier that makes no sense, or that no range has, is refused", async () => {
    const services = servicesOn(await openFresh());

    for (const [body, why] of refused) await assertFault(create(services, body), "InvalidInput", why);
    for (const body of [carrier("vlan"), carrier("vlan", "blue"), carrier("vxlan")]) {
      await assertFault(create(services, body), "NoNetworkAvailable", /No range has a free segment left/);
    }

    assert.deepEqual(await services.networks.list(admin, everything), []);
  });

  test("a carrier has one network: alone, in one request, by a change, and when two ask at the same moment", async () => {
    const services = servicesOn(await openFresh());
    const { networks } = services;
    for (const [body, fault, others] of taken) {
      await assertFault(networks.create(admin, [body, body]), fault);
      const both = await Promise.allSettled([create(services, body), create(services, body)]);
      const [won, ...more] = both.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
      const lost = both.find((one) => one.status === "rejected");
      assert.ok(won !== undefined && more.length === 0, "one and only one of two has it");
      assert.equal((lost?.reason as { type?: unknown } | undefined)?.type, fault);
      await assertFault(create(services, body), fault);
      const another = idOf(await create(services, {}));
      await assertFault(networks.update(admin, another, body), fault);
      for (const other of others) await networks.remove(admin, idOf(await create(services, other)));
      assert.deepEqual(carrierOf(await networks.update(admin, idOf(won), { ...body, name: "x" })), carrierOf(won));
      await networks.remove(admin, idOf(won));
      await networks.update(admin, another, body);
      await networks.remove(admin, another);
    }
  });

  test("the database itself refuses a second network on a carrier", async () => {
    const { networks, store } = servicesOn(await openFresh());
    for (const [body] of taken) {
      const [first, second] = (await networks.create(admin, [body, {}])).map(idOf);
      const rows = await readSegments(store.db, [String(first)]);
      const [row] = rows.get(String(first)) ?? [];
      const { network_type = "", physical_network = null, segmentation_id = null } = row ?? {};

      const copying = store.db
        .updateTable("network_segments")
        .set({ network_type, physical_network, segmentation_id })
        .where("network_id", "=", String(second))
        .execute();

      await assert.rejects(copying, /unique/i);
    }
  });

  test("another type is described anew, and an MTU that nobody chose follows it", async () => {
    const services = servicesOn(await openFresh());
    const { networks } = services;
    const id = idOf(await create(services, carrier("vlan", "blue", 7)));
    const change = async (body: Attributes) => carrierOf(await networks.update(admin, id, body));

    await assertFault(change(carrier("vxlan")), "NoNetworkAvailable");
    assert.deepEqual(await change(carrier("vxlan", undefined, 9)), ["vxlan", null, 9, 1450]);
    assert.deepEqual(await change(carrier(undefined, undefined, 10)), ["vxlan", null, 10, 1450]);
    assert.deepEqual(await change(carrier("local")), ["local", null, null, 1500]);
    assert.deepEqual(await change({ mtu: 1400 }), ["local", null, null, 1400]);
    assert.deepEqual(await change(carrier("vxlan", undefined, 9)), ["vxlan", null, 9, 1400]);
    await assertFault(change(carrier("local", undefined, 9)), "InvalidInput", /not allowed/);
  });

  test("a database from before the rules keeps the first of those that share a carrier, and each as its segment", async () => {
    const store = await openFresh({});
    const services = servicesOn(store);
    await undoSegments(store);
    for (const [body] of taken) {
      const type = body["provider:network_type"] as string;
      const physical = (body["provider:physical_network"] ?? null) as string | null;
      const segment = (body["provider:segmentation_id"] ?? null) as number | null;
      for (const [index, name] of ["first", "second", "third"].entries()) {
        await sql`insert into networks (id, project_id, name, description, revision_number, created_at, updated_at, admin_state_up,
            status, shared, is_external, mtu, port_security_enabled, dns_domain, network_type, physical_network, segmentation_id,
            availability_zone_hints)
          values (${randomUUID()}, 'p1', ${name}, '', 1, ${`2026-01-0${index + 1}T00:00:00Z`}, '', 1, 'ACTIVE', 0, 0, 1500, 1, '',
            ${type}, ${physical}, ${segment}, '[]')`.execute(store.db);
      }
    }

    // The casts: a migration knows nothing of the tables.
    await addUnique(store.db as unknown as Kysely<unknown>);
    await addSegments(store.db as unknown as Kysely<unknown>);

    const sorts = [{ key: "created_at", direction: "asc" }] as const;
    const rows = await services.networks.list(admin, { ...everything, sorts });
    const typesOf = (type: unknown) => [`first ${String(type)}`, "second local", "third local"];
    assert.deepEqual(
      rows.map((row) => `${String(row["name"])} ${String(row["provider:network_type"])}`).sort(),
      taken.flatMap(([body]) => typesOf(body["provider:network_type"])).sort(),
    );
    await createOne(services.ports, { network_id: idOf(await create(services, {})) });
  });
});

/** The tables as they were before segments had rows of their own and before anything was unique. */
async function undoSegments({ db }: Store): Promise<void> {
  for (const table of ["network_segments", "network_segment_ranges"]) await db.schema.dropTable(table).execute();
  await db.schema.dropIndex("subnets_segment").execute();
  await db.schema.alterTable("subnets").dropColumn("segment_id").execute();
  await db.schema.dropIndex("networks_default").execute();
  await db.schema.alterTable("networks").dropColumn("is_default").execute();
  await db.schema.alterTable("networks").addColumn("network_type", "text").execute();
  await db.schema.alterTable("networks").addColumn("physical_network", "text").execute();
  await db.schema.alterTable("networks").addColumn("segmentation_id", "integer").execute();
  await db.schema.alterTable("ports").dropColumn("ready_from_revision").execute();
}
