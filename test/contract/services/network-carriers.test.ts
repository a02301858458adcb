import assert from "node:assert/strict";
import { test } from "node:test";
import { type Kysely, sql } from "kysely";
import type { Attributes } from "../../../src/server/services/resource-service.ts";
import { up as addSegments } from "../../../src/server/store/migrations/0003-segments.ts";
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
  [carrier("vlan", "blue"), /segmentation_id is required for network type vlan: this server has no ranges/],
  [carrier("vlan", "blue", 0), /0 is not within 1 and 4094/],
  [carrier("vlan", "blue", 4095), /4095 is not within 1 and 4094/],
  [carrier("vxlan"), /segmentation_id is required for network type vxlan/],
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

  test("a carrier that makes no sense, or that the server would have to choose, is refused", async () => {
    const services = servicesOn(await openFresh());

    for (const [body, why] of refused) await assertFault(create(services, body), "InvalidInput", why);

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
      const row = await store.db.selectFrom("networks").selectAll().where("id", "=", String(first)).executeTakeFirstOrThrow();
      const { network_type, physical_network, segmentation_id } = row;

      const copying = store.db
        .updateTable("networks")
        .set({ network_type, physical_network, segmentation_id })
        .where("id", "=", String(second))
        .execute();

      await assert.rejects(copying, /unique/i);
    }
  });

  test("another type is described anew, and an MTU that nobody chose follows it", async () => {
    const services = servicesOn(await openFresh());
    const { networks } = services;
    const id = idOf(await create(services, carrier("vlan", "blue", 7)));
    const change = async (body: Attributes) => carrierOf(await networks.update(admin, id, body));

    await assertFault(change(carrier("vxlan")), "InvalidInput", /segmentation_id is required/);
    assert.deepEqual(await change(carrier("vxlan", undefined, 9)), ["vxlan", null, 9, 1450]);
    assert.deepEqual(await change(carrier(undefined, undefined, 10)), ["vxlan", null, 10, 1450]);
    assert.deepEqual(await change(carrier("local")), ["local", null, null, 1500]);
    assert.deepEqual(await change({ mtu: 1400 }), ["local", null, null, 1400]);
    assert.deepEqual(await change(carrier("vxlan", undefined, 9)), ["vxlan", null, 9, 1400]);
    await assertFault(change(carrier("local", undefined, 9)), "InvalidInput", /not allowed/);
  });

  test("a database from before the rule keeps the first of those that share a carrier", async () => {
    const store = await openFresh({});
    const services = servicesOn(store);
    for (const type of ["flat", "vlan", "vxlan"]) await sql`drop index ${sql.ref(`networks_${type}`)}`.execute(store.db);
    await store.db.schema.alterTable("ports").dropColumn("ready_from_revision").execute();
    for (const [body] of taken) {
      const columns = {
        network_type: body["provider:network_type"] as string,
        physical_network: (body["provider:physical_network"] ?? null) as string | null,
        segmentation_id: (body["provider:segmentation_id"] ?? null) as number | null,
      };
      for (const name of ["first", "second", "third"]) {
        const id = idOf(await create(services, { name }));
        await store.db.updateTable("networks").set(columns).where("id", "=", id).execute();
        services.clock.step(1);
      }
    }

    // The cast: a migration knows nothing of the tables.
    await addSegments(store.db as unknown as Kysely<unknown>);

    const rows = await store.db.selectFrom("networks").select(["name", "network_type"]).orderBy("created_at").execute();
    assert.deepEqual(
      rows.map((row) => `${row.name} ${row.network_type}`),
      taken.flatMap(([body]) => [`first ${String(body["provider:network_type"])}`, "second local", "third local"]),
    );
    await createOne(services.ports, { network_id: idOf(await create(services, {})) });
  });
});
