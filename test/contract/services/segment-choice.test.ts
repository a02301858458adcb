// Segment ids that the server chooses: from the right ranges, each once, however many ask at the same moment.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { systemClock } from "../../../src/base/clock.ts";
import { ensureDefaultRanges } from "../../../src/server/services/default-segment-ranges.ts";
import { defaultNetworkSettings, type NetworkSettings } from "../../../src/server/services/network-settings.ts";
import type { Attributes } from "../../../src/server/services/resource-service.ts";
import type { Store } from "../../../src/server/store/database.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { assertFault } from "../../helpers/faults.ts";
import { admin, createOne, idOf, member, servicesOn, type TestServices } from "../../helpers/network-services.ts";

const carrierOf = (network: Attributes): string =>
  ["network_type", "physical_network", "segmentation_id"].map((name) => String(network[`provider:${name}`])).join(" ");

async function servicesWith(store: Store, changes: Partial<NetworkSettings>): Promise<TestServices> {
  const network = { ...defaultNetworkSettings, ...changes };
  await ensureDefaultRanges(store, systemClock, network);
  return servicesOn(store, { network });
}

const vlans = (physicalNetwork: string, minimum: number, maximum: number) => ({ physicalNetwork, minimum, maximum });

forEachDatabase((engine, openFresh) => {
  test("a network is carried by the first type of the settings that has a free segment", async () => {
    const settings = { tenantTypes: ["vlan", "vxlan"], vlanRanges: [vlans("blue", 7, 8)] } as const;
    const services = await servicesWith(await openFresh(), { ...settings, vxlanRanges: [{ minimum: 100, maximum: 100 }] });
    const made: Attributes[] = [];
    for (let n = 0; n < 3; n++) made.push(await createOne(services.networks, {}, member("p1")));

    assert.deepEqual(made.map(carrierOf), ["vlan blue 7", "vlan blue 8", "vxlan null 100"]);
    await assertFault(createOne(services.networks, {}, member("p1")), "NoNetworkAvailable", /vlan or vxlan/);
    await services.networks.remove(admin, idOf(made[0] ?? {}));
    assert.equal(carrierOf(await createOne(services.networks, {}, member("p1"))), "vlan blue 7");
    assert.equal(carrierOf(await createOne(services.networks, { "provider:network_type": "local" })), "local null null");
  });

  test("an administrator names the type, the physical network, or all of it", async () => {
    const ranges = [vlans("blue", 1, 3), vlans("red", 2, 3)];
    const services = await servicesWith(await openFresh(), { vlanRanges: ranges });
    const vlan = (more: Attributes = {}) =>
      createOne(services.networks, { "provider:network_type": "vlan", ...more }).then(carrierOf);
    const on = (name: string, id?: number) => ({
      "provider:physical_network": name,
      ...(id === undefined ? {} : { "provider:segmentation_id": id }),
    });

    assert.equal(await vlan(on("red", 2)), "vlan red 2");
    assert.equal(await vlan(on("red", 4000)), "vlan red 4000");
    assert.equal(await vlan(on("red")), "vlan red 3");
    await assertFault(vlan(on("red")), "NoNetworkAvailable", /vlan on red/);
    await assertFault(vlan(on("green")), "NoNetworkAvailable", /vlan on green/);
    assert.deepEqual(
      new Set([await vlan(), await vlan(), await vlan()]),
      new Set(["vlan blue 1", "vlan blue 2", "vlan blue 3"]),
    );
    await assertFault(vlan(), "NoNetworkAvailable");
  });

  test("several in one request get one each, or none get any", async () => {
    const services = await servicesWith(await openFresh(), {
      tenantTypes: ["vxlan"],
      vxlanRanges: [{ minimum: 5, maximum: 8 }],
    });
    const made = await services.networks.create(admin, [
      {},
      { segments: [{ "provider:network_type": "vxlan" }, { "provider:network_type": "vxlan" }] },
    ]);

    assert.equal(carrierOf(made[0] ?? {}), "vxlan null 5");
    assert.deepEqual(
      ((made[1] ?? {})["segments"] as readonly Attributes[]).map((segment) => segment["provider:segmentation_id"]),
      [6, 7],
    );
    await assertFault(services.networks.create(admin, [{}, {}]), "NoNetworkAvailable");
    assert.equal(carrierOf(await createOne(services.networks, {})), "vxlan null 8");
  });

  test("no segment is given twice to 16 clients that make and remove networks, and none is lost", async () => {
    const store = await openFresh();
    const services = await servicesWith(store, {
      tenantTypes: ["vlan"],
      vlanRanges: [vlans("blue", 1, 12), vlans("red", 1, 8)],
    });
    const life = async (steps: readonly boolean[]): Promise<void> => {
      const own: string[] = [];
      for (const isCreate of steps) {
        const id = isCreate ? undefined : own.pop();
        if (id !== undefined) await services.networks.remove(admin, id);
        else own.push(...(await services.networks.create(member("p1"), [{}]).catch(onlyFull)).map(idOf));
      }
    };

    const runs = fc.array(fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }), { minLength: 16, maxLength: 16 });
    for (const clients of fc.sample(runs, engine === "sqlite" ? 5 : 2)) {
      await Promise.all(clients.map(life));
      const rows = await store.db.selectFrom("network_segments").selectAll().execute();
      const keys = rows.map((row) => `${row.physical_network} ${row.segmentation_id}`);
      assert.equal(new Set(keys).size, keys.length);
      const networks = await store.db.selectFrom("networks").select("id").execute();
      assert.deepEqual(new Set(rows.map((row) => row.network_id)), new Set(networks.map((network) => network.id)));
      assert.ok(keys.length <= 20);
    }
    await Promise.all(Array.from({ length: 16 }, () => life([true, true])));
    assert.equal((await store.db.selectFrom("network_segments").select("id").execute()).length, 20, "all were given out");
  });

  test("the ranges of the settings follow them from start to start", async () => {
    const store = await openFresh();
    const read = async () => {
      const rows = await store.db.selectFrom("network_segment_ranges").selectAll().orderBy("minimum").execute();
      return rows.map((row) => [row.id, `${row.network_type} ${row.physical_network} ${row.minimum}-${row.maximum}`] as const);
    };
    await servicesWith(store, { vlanRanges: [vlans("blue", 1, 9)], vxlanRanges: [{ minimum: 20, maximum: 29 }] });
    const first = await read();

    await Promise.all([1, 2].map(() => servicesWith(store, { vlanRanges: [vlans("blue", 1, 9), vlans("red", 10, 11)] })));

    const second = await read();
    assert.deepEqual(
      second.map(([, text]) => text),
      ["vlan blue 1-9", "vlan red 10-11"],
    );
    assert.equal(second[0]?.[0], first[0]?.[0]);
  });
});

function onlyFull(thrown: unknown): readonly Attributes[] {
  const { type } = thrown as { readonly type?: string };
  if (type !== "NoNetworkAvailable") throw thrown;
  return [];
}
