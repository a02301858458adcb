// Which L3 agents get which routers, by themselves and by hand.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { silentLogger } from "../../../src/base/logger.ts";
import { openStore, type Store } from "../../../src/server/store/database.ts";
import { type LogLine, recordingLogger } from "../../helpers/agent-rig.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { assertFault } from "../../helpers/faults.ts";
import { L3Site } from "../../helpers/l3-site.ts";
import { admin } from "../../helpers/network-services.ts";
import type { RigOptions } from "../../helpers/server-rig.ts";

const nowhere = "99999999-2222-4333-8444-555555555555";

forEachDatabase((_name, openFresh, freshUrl) => {
  const sites: L3Site[] = [];
  const stores: Store[] = [];
  const start = async (options: RigOptions = {}, store?: Store): Promise<L3Site> => {
    const site = await L3Site.start(store ?? (await openFresh()), options);
    sites.push(site);
    return site;
  };
  afterEach(async () => {
    await Promise.all(sites.splice(0).map((site) => site.close()));
    await Promise.all(stores.splice(0).map((store) => store.close()));
  });

  /** A router with one interface. */
  async function simple(server: L3Site, n: number, body: object = {}): Promise<string> {
    const { subnetId } = await server.site.internal(`10.${n}.0.0/24`);
    const id = await server.site.router({ ...body });
    await server.site.add(id, { subnetId });
    return id;
  }

  test("L3-105: a router is given to an agent with its first interface or its way out, not when it is made", async () => {
    const server = await start();
    await server.host("node-1");
    const { site } = server;
    const bare = await site.router();
    assert.deepEqual(await server.hostsOf(bare), []);
    const { subnetId } = await site.internal();
    await site.add(bare, { subnetId });
    assert.deepEqual(await server.hostsOf(bare), ["node-1"]);

    const outward = await site.router();
    const { networkId } = await site.external();
    await site.setGateway(outward, { network_id: networkId });
    assert.deepEqual(await server.hostsOf(outward), ["node-1"]);
    const born = await site.router({ external_gateway_info: { network_id: networkId } });
    assert.deepEqual(await server.hostsOf(born), ["node-1"]);
  });

  test("ports of a router hang on its host, also those that it gets later, and on none when nobody hosts it", async () => {
    const server = await start();
    await server.host("node-1");
    const { site } = server;
    const routerId = await simple(server, 0);
    const { subnetId } = await site.internal("10.9.0.0/24");
    await site.add(routerId, { subnetId });
    const { networkId } = await site.external();
    await site.setGateway(routerId, { network_id: networkId });
    const bindings = async (): Promise<unknown> => {
      const query = { filters: [{ attribute: "device_id", values: [routerId] }], sorts: [], pageReverse: false };
      const ports = await site.services.ports.list(admin, query);
      return ports.map((port) => [port["binding:host_id"], port["binding:vif_type"], port["status"]].join(" "));
    };
    assert.deepEqual(await bindings(), Array(3).fill("node-1 bridge DOWN"));

    await server.rig.parts.services.l3Agents.removeRouter(admin, await server.agentId("node-1"), routerId);
    assert.deepEqual(await bindings(), Array(3).fill(" unbound DOWN"));
  });

  test("agents share routers evenly; one that comes gets what nobody hosts, and takes nothing from others", async () => {
    const lines: LogLine[] = [];
    const server = await start({ log: recordingLogger(lines) });
    const early = await simple(server, 0);
    assert.deepEqual(await server.hostsOf(early), []);
    assert.deepEqual(
      lines.filter(({ message }) => message === "no agent can serve a router").map(({ routerId }) => routerId),
      [early],
    );
    await server.host("node-1");
    assert.deepEqual(await server.hostsOf(early), ["node-1"]);
    await server.host("node-2");
    await server.host("node-3");
    assert.deepEqual(await server.hostsOf(early), ["node-1"]);

    for (let n = 1; n <= 8; n += 1) await simple(server, n);

    const { l3Agents } = server.rig.parts.services;
    for (const host of ["node-1", "node-2", "node-3"]) {
      assert.equal((await l3Agents.listRouters(admin, await server.agentId(host))).length, 3, host);
    }
  });

  test("L3-104: zones that a router asks for, or the server's own, are honoured and shown", async () => {
    const server = await start({ defaultAvailabilityZones: ["east"] });
    const { site } = server;
    for (const [host, zone] of [
      ["node-e", "east"],
      ["node-w", "west"],
    ] as const) {
      const l3 = server.l3(host);
      l3.availabilityZone = zone;
      await l3.sync();
    }
    const western = await simple(server, 0, { availability_zone_hints: ["west"] });
    const usual = [await simple(server, 1), await simple(server, 2)];
    const nobodys = await simple(server, 3, { availability_zone_hints: ["north"] });

    assert.deepEqual(await server.hostsOf(western), ["node-w"]);
    for (const id of usual) assert.deepEqual(await server.hostsOf(id), ["node-e"]);
    assert.deepEqual(await server.hostsOf(nobodys), []);
    const shown = await site.showRouter(western);
    assert.deepEqual([shown["availability_zones"], shown["availability_zone_hints"]], [["west"], ["west"]]);
    const north = server.l3("node-n");
    north.availabilityZone = "north";
    assert.deepEqual(
      (await north.snapshot()).map(({ id }) => id),
      [nobodys],
    );
  });

  test("L3-1: an agent gets what it says that it can serve: the way out's bridge, routers without a way out, routing at all", async () => {
    const server = await start();
    const { site } = server;
    const hosts = {
      mapped: { bridge_mappings: { outer: "br-ex" }, handle_internal_only_routers: false },
      other: { bridge_mappings: { inner: "br-in" } },
      bridgeless: { agent_mode: "dvr", bridge_mappings: { outer: "br-ex" } },
    };
    for (const [host, configurations] of Object.entries(hosts)) {
      const l3 = server.l3(host);
      l3.configurations = configurations;
      await l3.sync();
    }
    const physical = { "provider:network_type": "flat", "provider:physical_network": "outer" };
    const { networkId } = await site.external({}, physical);
    const outward = await site.router({ external_gateway_info: { network_id: networkId } });
    const inward = await simple(server, 0);
    const elsewhere = await site.external({}, { ...physical, "provider:physical_network": "third" });
    const stuck = await site.router({ external_gateway_info: { network_id: elsewhere.networkId } });

    assert.deepEqual(
      [await server.hostsOf(outward), await server.hostsOf(inward), await server.hostsOf(stuck)],
      [["mapped"], ["other"], []],
    );
    const { l3Agents } = server.rig.parts.services;
    const add = async (host: string, id: string): Promise<void> => l3Agents.addRouter(admin, await server.agentId(host), id);
    await assertFault(add("bridgeless", stuck), "RouterL3AgentMismatch", /Cannot host router/);
    await assertFault(add("mapped", stuck), "InvalidL3Agent");
  });

  test("L3-103: by hand a router is added to an agent once and taken from it; nobody gets it back before it is changed", async () => {
    const server = await start();
    const { site } = server;
    await server.host("node-1");
    const routerId = await simple(server, 0);
    const two = await server.host("node-2");
    const { l3Agents } = server.rig.parts.services;
    const [first, second] = [await server.agentId("node-1"), await server.agentId("node-2")];

    await l3Agents.addRouter(admin, first, routerId);
    await assertFault(l3Agents.addRouter(admin, second, routerId), "RouterHostedByL3Agent", /already hosted/);
    await assertFault(l3Agents.removeRouter(admin, second, routerId), "RouterNotHostedByL3Agent");
    await assertFault(l3Agents.addRouter(admin, second, nowhere), "RouterNotFound");
    await assertFault(l3Agents.addRouter(admin, nowhere, routerId), "InvalidL3Agent");
    await assertFault(
      l3Agents.addRouter(admin, await server.agentId("node-2", "Floating IP agent"), routerId),
      "InvalidL3Agent",
    );
    await assertFault(l3Agents.listRouters(admin, nowhere), "AgentNotFound");
    await assertFault(l3Agents.listForRouter(admin, nowhere), "RouterNotFound");

    await l3Agents.removeRouter(admin, first, routerId);
    assert.deepEqual(await server.hostsOf(routerId), []);
    // L3-103: neither by an agent that comes nor by the look from time to time.
    await server.host("node-3");
    await server.rig.parts.l3Failover.pass();
    assert.deepEqual(await server.hostsOf(routerId), []);
    await l3Agents.addRouter(admin, second, routerId);
    assert.deepEqual(await server.hostsOf(routerId), ["node-2"]);
    await two.l3.heard((item) => item.op === "upsert" && item.id === routerId, "the router");
    await l3Agents.removeRouter(admin, second, routerId);
    await two.l3.heard((item) => item.op === "delete" && item.id === routerId, "its removal");
    const { subnetId } = await site.internal("10.7.0.0/24");
    await site.add(routerId, { subnetId });
    assert.equal((await server.hostsOf(routerId)).length, 1);
  });

  test("an agent that is switched off loses what it serves until it is switched on again, with newer revisions each time", async () => {
    const server = await start();
    const { l3, fip } = await server.host("node-1");
    const { routerId, floatingIpId } = await server.served();
    const { agents } = server.rig.parts.services;
    const id = await server.agentId("node-1");
    const born = await fip.heard((item) => item.id === floatingIpId, "the floating IP");

    await agents.update(admin, id, { admin_state_up: false });
    const gone = await l3.heard((item) => item.op === "delete", "the router's delete");
    const fipGone = await fip.heard((item) => item.op === "delete", "the floating IP's delete");
    assert.deepEqual([gone.id, fipGone.id], [routerId, floatingIpId]);
    assert.ok(fipGone.revision > born.revision);
    assert.deepEqual([await l3.snapshot(), await fip.snapshot()], [[], []]);
    assert.deepEqual(await server.hostsOf(await simple(server, 9)), []);

    await agents.update(admin, id, { admin_state_up: true });
    await l3.heard((item) => item.op === "upsert" && item.revision > gone.revision, "the router again");
    await fip.heard((item) => item.op === "upsert" && item.revision > fipGone.revision, "the floating IP again");
    // With the one that nobody could take meanwhile.
    assert.equal((await l3.snapshot()).length, 2);

    const fipAgent = await server.agentId("node-1", "Floating IP agent");
    const from = fip.items.length;
    await agents.update(admin, fipAgent, { admin_state_up: false });
    await fip.heard((item) => item.op === "delete" && item.id === floatingIpId, "the delete of its own switch", from);
    assert.deepEqual(await fip.snapshot(), []);
    await agents.update(admin, fipAgent, { admin_state_up: true });
    assert.equal((await fip.snapshot()).length, 1);
  });

  test("an agent that is removed leaves its routers to others; one that nobody can take waits", async () => {
    const server = await start();
    await server.host("node-1");
    const { routerId, floatingIpId } = await server.served();
    const two = await server.host("node-2");
    const { agents } = server.rig.parts.services;

    await agents.remove(admin, await server.agentId("node-1"));
    assert.deepEqual(await server.hostsOf(routerId), ["node-2"]);
    await two.fip.heard((item) => item.op === "upsert" && item.id === floatingIpId, "the floating IP on its new host");

    await agents.remove(admin, await server.agentId("node-2"));
    assert.deepEqual(await server.hostsOf(routerId), []);
    assert.equal((await server.floatingIpOf(floatingIpId))["status"], "DOWN");
    await server.host("node-3");
    assert.deepEqual(await server.hostsOf(routerId), ["node-3"]);
  });

  test("two servers that schedule one router at the same moment give it to exactly one agent", async () => {
    const url = await freshUrl();
    const open = async (): Promise<Store> => {
      const store = await openStore(url, silentLogger);
      stores.push(store);
      return store;
    };
    const first = await start({}, await open());
    const second = await start({ hub: first.rig.hub }, await open());
    for (const host of ["node-1", "node-2", "node-3"]) await first.host(host);
    const routerIds = await Promise.all([1, 2, 3].map(() => first.site.router()));
    const wishes = routerIds.flatMap((id, at) => [0, 1, 2, 3].map((n) => ({ id, cidr: `10.${at}.${n}.0/24`, n })));
    const wanted = await Promise.all(wishes.map(async ({ id, cidr, n }) => ({ id, n, ...(await first.site.internal(cidr)) })));

    await Promise.all(wanted.map(({ id, n, subnetId }) => (n % 2 === 0 ? first : second).site.add(id, { subnetId })));

    for (const id of routerIds) assert.equal((await first.hostsOf(id)).length, 1);
    const rows = await first.rig.store.db.selectFrom("router_l3_agents").selectAll().execute();
    assert.deepEqual(
      rows.map(({ slot }) => slot),
      [0, 0, 0],
    );
  });
});
