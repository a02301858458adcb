// What L3 agents and floating-IP agents are told: whole objects, to the host of the router and to nobody else.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { L3Site } from "../../helpers/l3-site.ts";
import { admin, idOf } from "../../helpers/network-services.ts";
import { floatingIpIn, forwardingIn, type RawL3Agent, routerIn } from "../../helpers/raw-l3-agent.ts";
import type { RigOptions } from "../../helpers/server-rig.ts";
import type { Router } from "../../../src/model/router.ts";
import { waitFor } from "../../helpers/wait-for.ts";

/** The next one that the agent is sent, after what `work` does. */
async function nextRouter(agent: RawL3Agent<"l3">, work: () => Promise<unknown>): Promise<Router> {
  const from = agent.items.length;
  await work();
  return routerIn(await agent.heard(() => true, "the router's event", from));
}

const addressesOf = (port: Router["gateway"] | undefined): readonly string[] =>
  (port?.addresses ?? []).map((address) => address.ipAddress);

forEachDatabase((_name, openFresh) => {
  const sites: L3Site[] = [];
  const start = async (options: RigOptions = {}): Promise<L3Site> => {
    const site = await L3Site.start(await openFresh(), options);
    sites.push(site);
    return site;
  };
  afterEach(async () => {
    await Promise.all(sites.splice(0).map((site) => site.close()));
  });

  test("a router that is made before there is an agent comes whole with its first sync", async () => {
    const server = await start();
    const { site } = server;
    const physical = { "provider:network_type": "flat", "provider:physical_network": "outer", mtu: 1400 };
    const outside = await site.external({}, physical);
    const extra = await site.subnet(outside.networkId, { cidr: "198.51.100.0/24", enable_dhcp: false }, admin);
    const inside = await site.internal("10.0.0.0/24", { mtu: 1300 });
    const info = { network_id: outside.networkId, external_fixed_ips: [{ ip_address: "203.0.113.9" }], enable_snat: false };
    const routerId = await site.router({ name: "r", external_gateway_info: info });
    await site.add(routerId, { subnetId: inside.subnetId });
    const route = { destination: "10.9.0.0/16", nexthop: "10.0.0.9" };
    await site.services.routers.addRoutes({ context: admin, id: routerId }, [route]);

    const { l3 } = await server.host("node-1");
    const router = routerIn((await l3.snapshot())[0]);

    assert.deepEqual(
      [router.id, router.name, router.adminStateUp, router.enableSnat, router.isHa, router.ha],
      [routerId, "r", true, false, false, null],
    );
    assert.deepEqual(router.routes, [route]);
    assert.deepEqual(
      router.interfaces.map((port) => [
        port.networkId,
        port.mtuBytes,
        port.carrier.networkType,
        addressesOf({ ...port, extraSubnets: [] }),
      ]),
      [[inside.networkId, 1300, "local", ["10.0.0.1"]]],
    );
    const { gateway } = router;
    assert.deepEqual(gateway?.carrier, { networkType: "flat", physicalNetwork: "outer", segmentationId: null });
    assert.deepEqual([gateway?.mtuBytes, addressesOf(gateway)], [1400, ["203.0.113.9"]]);
    assert.deepEqual(gateway?.extraSubnets, [{ id: extra, cidr: "198.51.100.0/24", ipVersion: 4 }]);
    assert.deepEqual(
      [gateway?.addresses[0]?.prefixLength, gateway?.addresses[0]?.gatewayIp, gateway?.addresses[0]?.subnetId],
      [24, "203.0.113.1", outside.subnetId],
    );
    assert.equal(router.revision, (await site.showRouter(routerId))["revision_number"]);
  });

  test("every change of a router is an event of its host, newer than the one before, and of no other host", async () => {
    const server = await start();
    const { site } = server;
    const one = await server.host("node-1");
    const routerId = await site.router();
    const first = await site.internal("10.0.0.0/24");
    const born = await nextRouter(one.l3, () => site.add(routerId, { subnetId: first.subnetId }));
    assert.deepEqual(
      born.interfaces.map((port) => port.adminStateUp),
      [true],
    );
    const two = await server.host("node-2");
    const second = await site.internal("10.1.0.0/24");
    const outside = await site.external();
    const { routers, networks, subnets, ports } = site.services;

    const seen: Router[] = [born];
    const step = async (work: () => Promise<unknown>): Promise<Router> => {
      const router = await nextRouter(one.l3, work);
      assert.ok(router.revision > (seen.at(-1)?.revision ?? 0), "an event is not newer than the one before");
      seen.push(router);
      return router;
    };
    assert.equal((await step(() => site.add(routerId, { subnetId: second.subnetId }))).interfaces.length, 2);
    const gateway = await step(() => site.setGateway(routerId, { network_id: outside.networkId }));
    assert.equal(gateway.gateway?.addresses.length, 1);
    const info = { network_id: outside.networkId, enable_snat: false };
    assert.equal((await step(() => site.setGateway(routerId, info))).enableSnat, false);
    const route = { destination: "10.9.0.0/16", nexthop: "10.1.0.9" };
    const routed = await step(() => routers.update(admin, routerId, { routes: [route] }));
    assert.deepEqual(routed.routes, [route]);
    const narrow = await step(() => networks.update(admin, first.networkId, { mtu: 1280 }));
    assert.deepEqual(
      narrow.interfaces.map((port) => port.mtuBytes).toSorted((a, b) => a - b),
      [1280, 1500],
    );
    const dns = await step(() => subnets.update(admin, first.subnetId, { dns_nameservers: ["192.0.2.53"] }));
    assert.ok(dns.interfaces.some((port) => port.addresses[0]?.dnsNameservers[0] === "192.0.2.53"));
    const own = String(born.interfaces[0]?.portId);
    const down = await step(() => ports.update(admin, own, { admin_state_up: false }));
    assert.equal(down.interfaces.find((port) => port.portId === own)?.adminStateUp, false);
    const six = await step(() => site.subnet(outside.networkId, { cidr: "2001:db8::/64", enable_dhcp: false }, admin));
    assert.equal(six.gateway?.addresses.length, 2);
    assert.equal((await step(() => site.setGateway(routerId, null))).gateway, null);
    assert.equal((await step(() => site.remove(routerId, { portId: own }))).interfaces.length, 1);
    assert.equal((await step(() => routers.update(admin, routerId, { admin_state_up: false }))).adminStateUp, false);

    assert.deepEqual(two.l3.items, []);
    one.l3.messages.forEach(({ seq, prev }, index) =>
      assert.equal(prev, index === 0 ? 0 : one.l3.messages[index - 1]?.seq, `${seq}`),
    );
  });

  test("what changes nothing for the kernel is no event, and neither is a wish that is fulfilled already", async () => {
    const server = await start();
    const { site } = server;
    const { l3 } = await server.host("node-1");
    const { routerId, outside } = await site.joined();
    await site.setGateway(routerId, { network_id: outside.networkId });
    await l3.heard(() => true, "the router");
    const revision = (await site.showRouter(routerId))["revision_number"];

    await site.services.routers.update(admin, routerId, { name: "" });
    await site.setGateway(routerId, { network_id: outside.networkId, enable_snat: true });
    await site.services.routers.addRoutes({ context: admin, id: routerId }, []);
    await site.services.routers.removeRoutes({ context: admin, id: routerId }, [
      { destination: "10.9.0.0/16", nexthop: "10.0.0.9" },
    ]);

    assert.equal((await site.showRouter(routerId))["revision_number"], revision);
  });

  test("a router that goes is a delete for its host, newer than all that was said before", async () => {
    const server = await start();
    const { site } = server;
    const { l3 } = await server.host("node-1");
    const { routerId, inside } = await site.joined();
    await site.remove(routerId, { subnetId: inside.subnetId });

    await site.services.routers.remove(admin, routerId);

    const gone = await l3.heard((item) => item.op === "delete", "the delete");
    assert.deepEqual([gone.kind, gone.id, gone.routerId], ["router", routerId, routerId]);
    assert.ok(l3.items.every((item) => item === gone || item.revision < gone.revision));
  });

  test("a floating IP is an event of its router's host: associate, move, disassociate, delete", async () => {
    const server = await start();
    const { site } = server;
    const { fip } = await server.host("node-1");
    const { outside, inside, routerId, portId, floatingIpId } = await server.served();
    const { floatingIps } = site.services;
    const born = floatingIpIn(await fip.heard((item) => item.id === floatingIpId, "the floating IP"));
    const shown = await server.floatingIpOf(floatingIpId);
    assert.deepEqual(
      [born.floatingIp, born.fixedIp, born.portId, born.routerId, born.networkId],
      [shown["floating_ip_address"], shown["fixed_ip_address"], portId, routerId, outside.networkId],
    );
    const routers = await server.site.showRouter(routerId);
    assert.equal(routers["status"], "ACTIVE");

    const other = await site.portId(inside.networkId);
    await floatingIps.update(admin, floatingIpId, { port_id: other });
    const moved = floatingIpIn(await fip.heard((item) => item.op === "upsert" && item.revision > born.revision, "the move"));
    assert.equal(moved.portId, other);
    await floatingIps.update(admin, floatingIpId, { port_id: null });
    const gone = await fip.heard((item) => item.op === "delete", "the delete");
    assert.deepEqual([gone.kind, gone.id, gone.routerId], ["floating-ip", floatingIpId, routerId]);
    assert.ok(gone.revision > moved.revision);

    const from = fip.items.length;
    await floatingIps.update(admin, floatingIpId, { port_id: portId });
    await floatingIps.remove(admin, floatingIpId);
    await fip.heard((item) => item.op === "delete", "the second delete", from);
    assert.equal(fip.items.length, from + 2);
  });

  test("L3-62, L3-66: forwardings follow their floating IP; the port that goes takes them along", async () => {
    const server = await start();
    const { site } = server;
    const { fip } = await server.host("node-1");
    const { outside, inside, routerId } = await site.joined();
    const portId = await site.portId(inside.networkId, { fixed_ips: [{ ip_address: "10.0.0.5" }] });
    const floatingIpId = idOf(await site.floatingIp(outside.networkId));
    const target = { internal_port_id: portId, internal_ip_address: "10.0.0.5" };

    const made = await site.forward(floatingIpId, {
      ...target,
      external_port_range: "80:82",
      internal_port_range: "8080:8082",
    });
    const forwarding = forwardingIn(await fip.heard((item) => item.kind === "port-forwarding", "the forwarding"));
    assert.deepEqual(
      fip.items.map(({ op, kind, id }) => [op, kind, id]),
      [
        ["upsert", "floating-ip", floatingIpId],
        ["upsert", "port-forwarding", made["id"]],
      ],
    );
    const carrier = floatingIpIn(fip.items[0]);
    assert.deepEqual([carrier.fixedIp, carrier.portId, carrier.routerId], [null, null, routerId]);
    assert.deepEqual(
      [forwarding.externalPorts, forwarding.internalPorts, forwarding.internalIp, forwarding.protocol, forwarding.routerId],
      [{ first: 80, last: 82 }, { first: 8080, last: 8082 }, "10.0.0.5", "tcp", routerId],
    );

    await site.services.ports.remove(admin, portId);
    await fip.heard((item) => item.op === "delete" && item.kind === "floating-ip", "the floating IP's delete");
    assert.deepEqual(
      fip.items.slice(2).map(({ op, kind, id }) => [op, kind, id]),
      [
        ["delete", "port-forwarding", made["id"]],
        ["delete", "floating-ip", floatingIpId],
      ],
    );
  });

  test("L3-47: a floating IP that moves to a router elsewhere is a delete here and comes there; on one host it is one event", async () => {
    const server = await start();
    const { site } = server;
    const one = await server.host("node-1");
    const { outside, floatingIpId } = await server.served();
    const near = await site.internal("10.6.0.0/24");
    const third = await site.router({ external_gateway_info: { network_id: outside.networkId } });
    await site.add(third, { subnetId: near.subnetId });
    const two = await server.host("node-2");
    const far = await site.internal("10.5.0.0/24");
    const routerId = await site.router({ external_gateway_info: { network_id: outside.networkId } });
    await site.add(routerId, { subnetId: far.subnetId });
    assert.deepEqual(await server.hostsOf(routerId), ["node-2"]);
    const { floatingIps } = site.services;

    await floatingIps.update(admin, floatingIpId, { port_id: await site.portId(near.networkId) });
    const here = await one.fip.heard((item) => item.routerId === third, "the move on this host");
    assert.equal(here.op, "upsert");
    assert.equal(one.fip.items.filter(({ op }) => op === "delete").length, 0);

    await floatingIps.update(admin, floatingIpId, { port_id: await site.portId(far.networkId) });
    const gone = await one.fip.heard(({ op }) => op === "delete", "the delete on the old host");
    const there = await two.fip.heard(({ op }) => op === "upsert", "the event on the new host");
    assert.deepEqual([gone.id, there.id, there.routerId], [floatingIpId, floatingIpId, routerId]);
    assert.equal(gone.revision, there.revision);
  });

  test("syncs: what was missed as a delta, everything in pages, and first of all what is no longer this host's", async () => {
    const server = await start({ maxPageBytes: 1500 });
    const { site } = server;
    const { l3, fip } = await server.host("node-1");
    const { outside, inside, routerId, floatingIpId } = await server.served();
    for (let n = 1; n <= 4; n += 1) await site.router({ external_gateway_info: { network_id: outside.networkId } });
    const ports = await Promise.all([1, 2, 3, 4].map(() => site.portId(inside.networkId)));
    for (const port of ports) await site.floatingIp(outside.networkId, { port_id: port });
    const shared = idOf(await site.floatingIp(outside.networkId));
    const inner = await site.port(inside.networkId, { fixed_ips: [{ ip_address: "10.0.0.200" }] });
    const target = { internal_port_id: idOf(inner), internal_ip_address: "10.0.0.200" };
    for (const port of [80, 81, 82]) await site.forward(shared, { ...target, external_port: port, internal_port: port });

    const routers = await l3.snapshot();
    const floating = await fip.snapshot();
    assert.equal(new Set(routers.map(({ id }) => id)).size, 5);
    assert.equal(routers.length, 5);
    assert.deepEqual(
      Object.entries(Object.groupBy(floating, ({ kind }) => kind)).map(([kind, all]) => [kind, all?.length]),
      [
        ["floating-ip", 6],
        ["port-forwarding", 3],
      ],
    );
    const { epoch, seq, next } = await fip.sync();
    assert.notEqual(next, undefined, "all of it in one page");

    await site.services.floatingIps.update(admin, floatingIpId, { port_id: null });
    const delta = await fip.sync({ epoch, since: seq });
    assert.deepEqual([delta.mode, delta.items.map(({ op, id }) => [op, id])], ["delta", [["delete", floatingIpId]]]);
    const nothing = "00000000-0000-4000-8000-000000000000";
    l3.inventory = [routerId, nothing];
    const [lost] = (await l3.sync()).items;
    assert.deepEqual([lost?.op, lost?.id], ["delete", nothing]);
    assert.equal((await fip.sync({ epoch: "another", since: seq })).mode, "snapshot");
    const foreign = await server.host("node-2");
    assert.deepEqual([await foreign.l3.snapshot(), await foreign.fip.snapshot()], [[], []]);
  });

  test("a host may ask for its own only, and must have said who it is before it reports", async () => {
    const server = await start();
    const stranger = server.l3("node-9");
    await assert.rejects(stranger.report({ routers: [] }), /no l3 agent is registered/);
    const agent = { ...stranger.description, host: "node-8" };
    await assert.rejects(stranger.call("sync", { agent, epoch: "", since: 0 }), /node-8/);
    await waitFor(async () => (await server.rig.store.db.selectFrom("agents").selectAll().execute()).length === 0, {
      limitMs: 100,
      what: "nobody to be registered",
    });
  });
});
