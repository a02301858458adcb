import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { assertFault } from "../../helpers/faults.ts";
import { admin, createOne, everything, idOf, member, networkWithSubnet, servicesOn } from "../../helpers/network-services.ts";

const someId = "11111111-2222-4333-8444-555555555555";
const names = (objects: readonly Readonly<Record<string, unknown>>[]): unknown[] => objects.map((object) => object["name"]);

forEachDatabase((_name, openFresh) => {
  test("a network has the defaults of the API", async () => {
    const { networks } = servicesOn(await openFresh());

    const network = await createOne(networks, { name: "blue" }, member("p1"));

    const { id, ...rest } = network;
    assert.match(String(id), /^[0-9a-f-]{36}$/);
    assert.deepEqual(rest, {
      name: "blue",
      description: "",
      project_id: "p1",
      tenant_id: "p1",
      revision_number: 1,
      created_at: "2026-01-02T03:04:05Z",
      updated_at: "2026-01-02T03:04:05Z",
      tags: [],
      subnets: [],
      admin_state_up: true,
      status: "ACTIVE",
      shared: false,
      "router:external": false,
      "provider:network_type": "local",
      "provider:physical_network": null,
      "provider:segmentation_id": null,
      mtu: 1500,
      port_security_enabled: true,
      dns_domain: "",
      l2_adjacency: true,
      is_default: false,
      availability_zone_hints: [],
      availability_zones: [],
      ipv4_address_scope: null,
      ipv6_address_scope: null,
      qos_policy_id: null,
    });
    assert.deepEqual(await networks.show(member("p1"), String(id)), network);
  });

  test("the MTU leaves room for the encapsulation unless it is given, and a larger one is refused", async () => {
    const { networks } = servicesOn(await openFresh());
    const vxlan = (segment: number, mtu: number) => ({
      ...{ "provider:network_type": "vxlan", "provider:segmentation_id": segment },
      mtu,
    });

    const [computed, given, local] = await networks.create(admin, [vxlan(42, 0), vxlan(43, 1300), { mtu: 9000 }]);

    assert.deepEqual([computed?.["mtu"], given?.["mtu"], local?.["mtu"]], [1450, 1300, 9000]);
    await assertFault(networks.create(admin, [vxlan(44, 1451)]), "InvalidInput", /maximum is 1450/);
    await assertFault(networks.update(admin, idOf(given ?? {}), { mtu: 1500 }), "InvalidInput", /maximum is 1450/);
  });

  test("provider attributes that do not fit together are refused, and nothing of the request stays", async () => {
    const { networks } = servicesOn(await openFresh());

    const creating = networks.create(admin, [
      { name: "good" },
      { "provider:network_type": "local", "provider:segmentation_id": 5 },
    ]);

    await assertFault(creating, "InvalidInput", /segmentation_id/);
    assert.deepEqual(await networks.list(admin, everything), []);
  });

  test("an update counts the revision up, an update to the same values does not", async () => {
    const { networks, clock } = servicesOn(await openFresh());
    const id = idOf(await createOne(networks, { name: "blue" }));
    const later = clock.step(60);

    const changed = await networks.update(admin, id, { name: "red", mtu: 1400 });
    const same = await networks.update(admin, id, { name: "red" });

    assert.equal(changed["revision_number"], 2);
    assert.equal(changed["updated_at"], later);
    assert.equal(changed["mtu"], 1400);
    assert.deepEqual(same, changed);
  });

  test("If-Match with another revision changes nothing", async () => {
    const { networks } = servicesOn(await openFresh());
    const id = idOf(await createOne(networks, { name: "blue" }));

    await assertFault(networks.update(admin, id, { name: "red" }, 7), "RevisionNumberConstraintFailed", /Constrained to 7/);
    await assertFault(networks.remove(admin, id, 7), "RevisionNumberConstraintFailed");

    assert.equal((await networks.show(admin, id))["name"], "blue");
    assert.equal((await networks.update(admin, id, { name: "red" }, 1))["revision_number"], 2);
  });

  test("a network is seen by its project, by all when it is shared or external, and changed by its project only", async () => {
    const { networks } = servicesOn(await openFresh());
    const own = idOf(await createOne(networks, { name: "own" }, member("p1")));
    const shared = idOf(await createOne(networks, { name: "shared", shared: true, project_id: "p1" }));
    await createOne(networks, { name: "external", "router:external": true, project_id: "p1" });
    const stranger = member("p2");

    assert.deepEqual(names(await networks.list(stranger, { ...everything, sorts: [{ key: "name", direction: "asc" }] })), [
      "external",
      "shared",
    ]);
    await assertFault(networks.show(stranger, own), "NetworkNotFound", new RegExp(own));
    await assertFault(networks.update(stranger, own, { name: "mine" }), "NetworkNotFound");
    await assertFault(networks.update(stranger, shared, { name: "mine" }), "PolicyNotAuthorized");
    await assertFault(networks.remove(stranger, shared), "PolicyNotAuthorized");
    await assertFault(networks.show(admin, someId), "NetworkNotFound", new RegExp(someId));
  });

  test("a network goes with its subnets and DHCP ports, but not while others use it", async () => {
    const services = servicesOn(await openFresh());
    const { networks, subnets, ports, log } = services;
    const { networkId } = await networkWithSubnet(services);
    await createOne(ports, { network_id: networkId, device_owner: "network:dhcp" });
    const port = idOf(await createOne(ports, { network_id: networkId }));
    await assertFault(networks.remove(admin, networkId), "NetworkInUse", new RegExp(port));
    await ports.remove(admin, port);
    log.clear();

    await networks.remove(admin, networkId);

    assert.deepEqual(await subnets.list(admin, everything), []);
    assert.deepEqual(await ports.list(admin, everything), []);
    await assertFault(networks.show(admin, networkId), "NetworkNotFound");
    assert.deepEqual(log.items, [{ op: "delete", kind: "network", id: networkId, networkId, revision: 3 }]);
  });

  test("agents hear of what they use, and of nothing else", async () => {
    const services = servicesOn(await openFresh());
    const { networks, log } = services;
    const { networkId } = await networkWithSubnet(services);
    log.clear();

    await networks.update(admin, networkId, { description: "only people read this" });
    await networks.update(admin, networkId, { mtu: 1400 });

    assert.equal(log.items.length, 1);
    const [item] = log.items;
    assert.ok(item?.op === "upsert" && item.kind === "network");
    assert.deepEqual([item.id, item.revision, item.body.mtuBytes, item.body.revision], [networkId, 4, 1400, 4]);
  });

  test("an MTU too small for the subnets is refused from both sides", async () => {
    const services = servicesOn(await openFresh());
    const { networks, subnets } = services;
    const { networkId } = await networkWithSubnet(services);
    const small = idOf(await createOne(networks, { mtu: 1000 }));
    const ipv6 = { network_id: small, ip_version: 6, cidr: "2001:db8::/64" };

    await assertFault(networks.update(admin, networkId, { mtu: 67 }), "NetworkMTUSubnetConflict");
    await assertFault(subnets.create(admin, [ipv6]), "NetworkMTUSubnetConflict", /1280/);
  });

  test("a share stays while other projects have ports on it", async () => {
    const services = servicesOn(await openFresh());
    const { networks, ports } = services;
    const { networkId } = await networkWithSubnet(services, { network: { shared: true } });
    const port = idOf(await createOne(ports, { network_id: networkId }, member("p2")));

    await assertFault(networks.update(admin, networkId, { shared: false }), "InvalidSharedSetting");
    await ports.remove(member("p2"), port);

    assert.equal((await networks.update(admin, networkId, { shared: false }))["shared"], false);
  });
});
