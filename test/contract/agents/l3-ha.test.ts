// Routers of high availability: their HA network, their hosts' ports on it, and who of the hosts forwards.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import type { Router } from "../../../src/model/router.ts";
import type { Attributes } from "../../../src/server/services/resource-service.ts";
import type { Store } from "../../../src/server/store/database.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { assertFault } from "../../helpers/faults.ts";
import { L3Site } from "../../helpers/l3-site.ts";
import { admin, everything, member } from "../../helpers/network-services.ts";
import { routerIn } from "../../helpers/raw-l3-agent.ts";
import { tenantProject } from "../../helpers/router-site.ts";
import type { RigOptions } from "../../helpers/server-rig.ts";

const haOwner = "network:router_ha_interface";

forEachDatabase((_name, openFresh) => {
  const sites: L3Site[] = [];
  const start = async (options: RigOptions = {}, store?: Store): Promise<L3Site> => {
    const site = await L3Site.start(store ?? (await openFresh()), options);
    sites.push(site);
    return site;
  };
  afterEach(async () => {
    await Promise.all(sites.splice(0).map((site) => site.close()));
  });

  /** An HA router with one interface, on every host that there is. */
  async function joined(server: L3Site, n = 0, body: Attributes = {}): Promise<string> {
    const { subnetId } = await server.site.internal(`10.${n}.0.0/24`);
    const id = await server.site.router({ ha: true, ...body });
    await server.site.add(id, { subnetId });
    return id;
  }

  const haNetworks = async ({ site }: L3Site): Promise<readonly Attributes[]> => {
    const networks = await site.services.networks.list(admin, everything);
    return networks.filter((network) => String(network["name"]).startsWith("HA network"));
  };

  const haPorts = async ({ site }: L3Site, routerId?: string): Promise<readonly Attributes[]> => {
    const filters = [
      { attribute: "device_owner", values: [haOwner] },
      ...(routerId === undefined ? [] : [{ attribute: "device_id", values: [routerId] }]),
    ];
    return site.services.ports.list(admin, { ...everything, filters });
  };

  const hosted = async (server: L3Site, host: string, routerId: string): Promise<Router> =>
    routerIn((await server.l3(host).snapshot()).find((item) => item.id === routerId));

  const states = async (server: L3Site, routerId: string): Promise<Record<string, unknown>> => {
    const agents = await server.rig.parts.services.l3Agents.listForRouter(admin, routerId);
    return Object.fromEntries(agents.map((agent) => [String(agent["host"]), agent["ha_state"]]));
  };

  test("an HA router goes to as many agents as it may have, each with a port of its own on the project's HA network", async () => {
    const server = await start({ maxL3AgentsPerRouter: 2 });
    for (const name of ["node-1", "node-2", "node-3"]) await server.host(name);
    const id = await joined(server);

    const hosts = await server.hostsOf(id);
    const ports = await haPorts(server, id);
    const [network] = await haNetworks(server);

    assert.equal(hosts.length, 2);
    assert.deepEqual(ports.map((port) => String(port["binding:host_id"])).toSorted(), hosts);
    assert.ok(ports.every((port) => port["network_id"] === network?.["id"]));
    const parts = await Promise.all(hosts.map(async (host) => (await hosted(server, host, id)).ha));
    assert.deepEqual(
      parts.map((ha) => [ha?.vrId, ha?.priority]),
      [
        [1, 50],
        [1, 50],
      ],
    );
    const addresses = parts.map((ha) => ha?.port.addresses[0]);
    assert.ok(addresses.every((address) => address?.cidr === "169.254.192.0/18" && address.ipAddress.startsWith("169.254.")));
    assert.notEqual(addresses[0]?.ipAddress, addresses[1]?.ipAddress);
  });

  test("0 agents per router are all, also those that come later", async () => {
    const server = await start({ maxL3AgentsPerRouter: 0 });
    for (const name of ["node-1", "node-2", "node-3", "node-4"]) await server.host(name);
    const id = await joined(server);
    assert.equal((await server.hostsOf(id)).length, 4);

    await server.host("node-5");

    assert.equal((await server.hostsOf(id)).length, 5);
    assert.equal((await haPorts(server, id)).length, 5);
  });

  test("a host without keepalived gets no HA router, neither by itself nor by hand, until it has one", async () => {
    const server = await start({ maxL3AgentsPerRouter: 0 });
    const lacking = server.l3("node-1");
    lacking.configurations = { agent_mode: "legacy", high_availability: false };
    await lacking.sync();
    await server.host("node-2");
    const id = await joined(server);
    const { subnetId } = await server.site.internal("10.9.0.0/24");
    const plain = await server.site.router({ ha: false });
    await server.site.add(plain, { subnetId });

    const { l3Agents } = server.rig.parts.services;
    assert.deepEqual(await server.hostsOf(id), ["node-2"]);
    await assertFault(l3Agents.addRouter(admin, await server.agentId("node-1"), id), "InvalidL3Agent");
    // Of that host's own kind it gets its share.
    assert.deepEqual(await server.hostsOf(plain), ["node-1"]);

    lacking.configurations = { agent_mode: "legacy", high_availability: true };
    await lacking.sync();
    assert.deepEqual(await server.hostsOf(id), ["node-1", "node-2"]);
  });

  test("L3-100: HA routers that are made at once share one HA network, and each has a number of its own", async () => {
    const server = await start();
    for (const name of ["node-1", "node-2"]) await server.host(name);

    const ids = await Promise.all([...Array(12).keys()].map((n) => joined(server, n)));

    assert.equal((await haNetworks(server)).length, 1);
    const items = await server.l3("node-1").snapshot();
    const numbers = items.flatMap((item) => (item.op === "upsert" && ids.includes(item.id) ? item.body.ha?.vrId : []));
    assert.deepEqual(
      numbers.toSorted((one, other) => Number(one) - Number(other)),
      [...Array(12).keys()].map((n) => n + 1),
    );
  });

  test("L3-100: the HA network goes with the project's last HA router, whoever is first of those that remove and make", async () => {
    const server = await start();
    await server.host("node-1");
    const ids = await Promise.all([0, 1, 2].map(() => server.site.router({ ha: true })));
    const [kept = "", ...others] = ids;
    await Promise.all(others.map((id) => server.site.services.routers.remove(admin, id)));
    assert.equal((await haNetworks(server)).length, 1);

    const [, made] = await Promise.all([server.site.services.routers.remove(admin, kept), server.site.router({ ha: true })]);
    assert.equal((await haNetworks(server)).length, 1);

    await server.site.services.routers.remove(admin, made);
    assert.deepEqual(await haNetworks(server), []);
    const subnets = await server.site.services.subnets.list(admin, everything);
    assert.deepEqual(subnets, []);
  });

  test("its project sees neither the HA network nor the ports there", async () => {
    const server = await start();
    await server.host("node-1");
    const id = await joined(server);
    const tenant = member(tenantProject);
    const { networks, subnets, ports, routers } = server.site.services;
    assert.equal((await haPorts(server, id)).length, 1);

    const seen = {
      networks: (await networks.list(tenant, everything)).map((network) => network["name"]),
      subnets: (await subnets.list(tenant, everything)).map((subnet) => subnet["cidr"]),
      ports: (await ports.list(tenant, everything)).map((port) => port["device_owner"]),
    };

    assert.deepEqual(seen, { networks: [""], subnets: ["10.0.0.0/24"], ports: ["network:router_interface"] });
    assert.equal((await routers.show(tenant, id))["id"], id);
  });

  test("an HA port goes with its host or its router, and by nobody's hand", async () => {
    const server = await start();
    for (const name of ["node-1", "node-2"]) await server.host(name);
    const id = await joined(server);
    const [port] = await haPorts(server, id);
    const { ports, networks } = server.site.services;
    await assertFault(ports.remove(admin, String(port?.["id"])), "ServicePortInUse");
    await assertFault(networks.remove(admin, String(port?.["network_id"])), "NetworkInUse");

    await server.rig.parts.services.l3Agents.removeRouter(admin, await server.agentId("node-2"), id);

    assert.deepEqual(
      (await haPorts(server, id)).map((one) => one["binding:host_id"]),
      ["node-1"],
    );
  });

  test("L3-13: only a router that is down becomes the other kind; then its hosts get it anew", async () => {
    const server = await start();
    for (const name of ["node-1", "node-2"]) await server.host(name);
    const id = await joined(server, 0, { ha: false });
    const { routers } = server.site.services;
    assert.equal((await server.hostsOf(id)).length, 1);
    await assertFault(routers.update(admin, id, { ha: true }), "BadRequest");

    await routers.update(admin, id, { admin_state_up: false });
    await assertFault(routers.update(admin, id, { ha: true, admin_state_up: true }), "BadRequest");
    await routers.update(admin, id, { admin_state_up: true });
    // As `openstack router set --disable --ha` asks for it.
    await routers.update(admin, id, { ha: true, admin_state_up: false });
    assert.deepEqual(await server.hostsOf(id), ["node-1", "node-2"]);
    assert.equal((await haPorts(server, id)).length, 2);

    await routers.update(admin, id, { ha: false });
    assert.equal((await server.hostsOf(id)).length, 1);
    assert.deepEqual(await haPorts(server), []);
    assert.deepEqual(await haNetworks(server), []);
  });

  test("L3-101: the 255th HA router of a project is refused, and another project has numbers of its own", async () => {
    const server = await start();
    const ids: string[] = [];
    for (let n = 0; n < 254; n += 1) ids.push(await server.site.router({ ha: true }));
    await assertFault(server.site.router({ ha: true }), "NoVRIDAvailable");

    await server.site.services.routers.create({ ...admin, projectId: "green" }, [{ ha: true }]);
    await server.site.services.routers.remove(admin, ids[17] ?? "");
    await server.site.router({ ha: true });

    await assertFault(server.site.router({ ha: true }), "NoVRIDAvailable");
    assert.equal((await haNetworks(server)).length, 2);
  });

  test("who forwards is what the agents say: shown as active and standby, and the router's ports hang there", async () => {
    const server = await start();
    const one = await server.host("node-1");
    const two = await server.host("node-2");
    const id = await joined(server);
    assert.deepEqual(await states(server, id), { "node-1": "unknown", "node-2": "unknown" });

    await one.l3.report({ haStates: [{ routerId: id, state: "backup" }] });
    await two.l3.report({ haStates: [{ routerId: id, state: "primary" }] });
    assert.deepEqual(await states(server, id), { "node-1": "standby", "node-2": "active" });
    const query = { ...everything, filters: [{ attribute: "device_id", values: [id] }] };
    const bindings = async (): Promise<readonly unknown[]> =>
      (await server.site.services.ports.list(admin, query))
        .filter((port) => port["device_owner"] !== haOwner)
        .map((port) => port["binding:host_id"]);
    assert.deepEqual(await bindings(), ["node-2"]);

    // The other takes over; who had it before cannot say anything any more.
    await one.l3.report({ haStates: [{ routerId: id, state: "primary" }] });
    assert.deepEqual(await states(server, id), { "node-1": "active", "node-2": "unknown" });
    assert.deepEqual(await bindings(), ["node-1"]);
    // What is added later hangs where the others do.
    const { subnetId } = await server.site.internal("10.9.0.0/24");
    await server.site.add(id, { subnetId });
    assert.deepEqual(await bindings(), ["node-1", "node-1"]);
    assert.ok((await haPorts(server, id)).every((port) => port["status"] === "ACTIVE"));
  });

  test("nobody says of a router that is not theirs, or of one that is not HA, what it is", async () => {
    const server = await start();
    const one = await server.host("node-1");
    const plain = await joined(server, 0, { ha: false });
    const ha = await joined(server, 1);
    const stranger = await server.host("node-9");
    await server.rig.parts.services.l3Agents.removeRouter(admin, await server.agentId("node-9"), ha).catch(() => {});

    await one.l3.report({ haStates: [{ routerId: plain, state: "primary" }] });
    await stranger.l3.report({ haStates: [{ routerId: ha, state: "primary" }] });

    assert.deepEqual(await states(server, plain), { "node-1": null });
    assert.deepEqual((await states(server, ha))["node-1"], "unknown");
  });
});
