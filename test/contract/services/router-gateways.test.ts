import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attributes } from "../../../src/server/services/resource-service.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { assertFault } from "../../helpers/faults.ts";
import { admin, createOne, everything, member, servicesOn } from "../../helpers/network-services.ts";
import { RouterSite, tenantProject } from "../../helpers/router-site.ts";

const tenant = member(tenantProject);

function gatewayOf(router: Attributes): Readonly<Record<string, unknown>> {
  const info = router["external_gateway_info"];
  assert.ok(typeof info === "object" && info !== null, "the router has no gateway");
  return { ...info };
}

const addressesOf = (router: Attributes): readonly string[] =>
  (gatewayOf(router)["external_fixed_ips"] as readonly { readonly ip_address: string }[]).map((ip) => ip.ip_address);

forEachDatabase((_name, openFresh) => {
  const open = async () => {
    const services = servicesOn(await openFresh());
    return { services, site: new RouterSite(services) };
  };

  test("a way out is a port of nobody's on the external network, and translates unless said otherwise", async () => {
    const { services, site } = await open();
    const { networkId, subnetId } = await site.external();
    const routerId = await site.router();
    assert.equal((await site.showRouter(routerId))["external_gateway_info"], null);

    const router = await site.setGateway(routerId, { network_id: networkId }, tenant);

    const [address] = addressesOf(router);
    assert.deepEqual(gatewayOf(router), {
      network_id: networkId,
      enable_snat: true,
      qos_policy_id: null,
      external_fixed_ips: [{ subnet_id: subnetId, ip_address: address }],
    });
    const [port] = await services.ports.list(admin, everything);
    assert.deepEqual(
      [port?.["device_owner"], port?.["device_id"], port?.["project_id"], port?.["network_id"]],
      ["network:router_gateway", routerId, "", networkId],
    );
    assert.deepEqual(await services.ports.list(tenant, everything), []);
    assert.equal(router["revision_number"], 2);
    const again = await site.setGateway(routerId, { network_id: networkId }, tenant);
    assert.deepEqual(again, router);
  });

  test("L3-31: a router changes its external network, loses its way out by null or an empty object, and its port goes with it", async () => {
    const { services, site } = await open();
    const [one, two] = [await site.external(), await site.external({ cidr: "198.51.100.0/24" })];
    const routerId = await site.router({ external_gateway_info: { network_id: one.networkId } });
    const [before] = await services.ports.list(admin, everything);

    const moved = await site.setGateway(routerId, { network_id: two.networkId });

    assert.equal(gatewayOf(moved)["network_id"], two.networkId);
    const ports = await services.ports.list(admin, everything);
    assert.deepEqual(
      ports.map((port) => port["network_id"]),
      [two.networkId],
    );
    assert.notEqual(ports[0]?.["id"], before?.["id"]);
    for (const nothing of [null, {}]) {
      await site.setGateway(routerId, { network_id: one.networkId });
      assert.equal((await site.setGateway(routerId, nothing))["external_gateway_info"], null);
      assert.deepEqual(await services.ports.list(admin, everything), []);
    }
    await site.setGateway(routerId, { network_id: one.networkId });
    await services.routers.remove(admin, routerId);
    assert.deepEqual(await services.ports.list(admin, everything), []);
    await assertFault(services.routers.show(admin, routerId), "RouterNotFound");
  });

  test("L3-32: addresses outside are chosen by administrators, and changed without another port", async () => {
    const { services, site } = await open();
    const { networkId, subnetId } = await site.external();
    const extra = await site.subnet(networkId, { cidr: "198.51.100.0/24", enable_dhcp: false }, admin);
    const fixed = (...external_fixed_ips: readonly object[]) => ({ network_id: networkId, external_fixed_ips });
    const routerId = await site.router({ external_gateway_info: fixed({ ip_address: "203.0.113.9" }) });
    const [port] = await services.ports.list(admin, everything);

    const moved = await site.setGateway(routerId, fixed({ ip_address: "203.0.113.10" }, { subnet_id: extra }));

    assert.equal(addressesOf(moved)[0], "203.0.113.10");
    assert.match(addressesOf(moved)[1] ?? "", /^198\.51\.100\./);
    assert.deepEqual(addressesOf(await site.setGateway(routerId, { network_id: networkId })), addressesOf(moved));
    const only = await site.setGateway(routerId, fixed({ subnet_id: subnetId, ip_address: "203.0.113.10" }));
    assert.deepEqual(addressesOf(only), ["203.0.113.10"]);
    assert.deepEqual(
      (await services.ports.list(admin, everything)).map(({ id }) => id),
      [port?.["id"]],
    );
    await site.portId(networkId, { fixed_ips: [{ ip_address: "203.0.113.77" }] });
    const table = [
      [fixed({ ip_address: "203.0.113.1" }), "BadRequest", /same as the gateway IP/],
      [fixed({ ip_address: "203.0.113.77" }), "IpAddressAlreadyAllocated", /203\.0\.113\.77/],
      [fixed({ ip_address: "192.0.2.1" }), "InvalidIpForNetwork", /192\.0\.2\.1/],
    ] as const;
    for (const [info, type, text] of table) await assertFault(site.setGateway(routerId, info), type, text);
    await assertFault(site.setGateway(routerId, fixed({ ip_address: "203.0.113.12" }), tenant), "PolicyNotAuthorized");
    assert.deepEqual(addressesOf(await site.showRouter(routerId)), ["203.0.113.10"]);
  });

  test("L3-40: translation is switched by administrators; a tenant may say what is so anyway", async () => {
    const { services, site } = await open();
    const { networkId } = await site.external();
    const routerId = await site.router({ external_gateway_info: { network_id: networkId } });
    const info = (enable_snat: boolean) => ({ network_id: networkId, enable_snat });

    await assertFault(site.setGateway(routerId, info(false), tenant), "PolicyNotAuthorized", /enable_snat/);
    await site.setGateway(routerId, info(true), tenant);
    const off = await site.setGateway(routerId, info(false));

    assert.deepEqual([off["enable_snat"], gatewayOf(off)["enable_snat"]], [false, false]);
    const found = await services.routers.list(admin, {
      ...everything,
      filters: [{ attribute: "enable_snat", values: [false] }],
    });
    assert.deepEqual(
      found.map(({ id }) => id),
      [routerId],
    );
    assert.equal((await site.setGateway(routerId, null))["enable_snat"], true);
  });

  test("what is no way out is refused, and leaves no port behind", async () => {
    const { services, site } = await open();
    const inside = await site.internal("203.0.113.128/25");
    const outside = await site.external();
    const routerId = await site.router();
    await site.add(routerId, { subnetId: inside.subnetId });
    const before = await services.ports.list(admin, everything);
    const secret = await createOne(services.networks, {}, member("red"));
    const tiny = await site.external({ cidr: "192.0.2.0/30" });
    const full = [{ ip_address: "192.0.2.2" }];
    await services.ports.create(admin, [{ network_id: tiny.networkId, fixed_ips: full }]);

    await assertFault(site.setGateway(routerId, { network_id: inside.networkId }), "BadRequest", /not an external network/);
    await assertFault(site.setGateway(routerId, { network_id: outside.networkId }), "BadRequest", /overlaps/);
    await assertFault(site.setGateway(routerId, { network_id: String(secret["id"]) }, tenant), "NetworkNotFound");
    await assertFault(site.setGateway(routerId, { network_id: tiny.networkId }), "IpAddressGenerationFailure");
    const body = { external_gateway_info: { network_id: inside.networkId } };
    await assertFault(createOne(services.routers, body), "BadRequest");

    const left = (await services.ports.list(admin, everything)).filter((port) => port["network_id"] !== tiny.networkId);
    assert.deepEqual(left, before);
    assert.equal((await services.routers.list(admin, everything)).length, 1);
  });

  test("L3-39: an external network without subnets is a way out; its subnets bring addresses, one of each version", async () => {
    const { services, site } = await open();
    const networkId = String((await createOne(services.networks, { "router:external": true }))["id"]);
    const routerId = await site.router({ external_gateway_info: { network_id: networkId } });
    assert.deepEqual(addressesOf(await site.showRouter(routerId)), []);

    await site.subnet(networkId, { cidr: "203.0.113.0/24", enable_dhcp: false }, admin);
    assert.equal(addressesOf(await site.showRouter(routerId)).length, 1);
    const second = await site.subnet(networkId, { cidr: "198.51.100.0/24", enable_dhcp: false }, admin);
    assert.equal(addressesOf(await site.showRouter(routerId)).length, 1);
    await site.subnet(networkId, { cidr: "2001:db8::/64", enable_dhcp: false }, admin);

    const router = await site.showRouter(routerId);
    assert.deepEqual(
      addressesOf(router).map((address) => address.includes(":")),
      [false, true],
    );
    await services.subnets.remove(admin, second);
    assert.ok(Number((await site.showRouter(routerId))["revision_number"]) > Number(router["revision_number"]));
  });

  test("a network stays external while it is anybody's way out, and goes only when nothing of it is used", async () => {
    const { services, site } = await open();
    const { networkId } = await site.external();
    const routerId = await site.router({ external_gateway_info: { network_id: networkId } });
    const inward = { "router:external": false };

    await assertFault(services.networks.update(admin, networkId, inward), "ExternalNetworkInUse", /existing gateway ports/);
    await assertFault(services.networks.remove(admin, networkId), "NetworkInUse");
    await site.setGateway(routerId, null);
    await site.floatingIp(networkId);
    assert.equal((await services.networks.update(admin, networkId, inward))["router:external"], false);
    await services.networks.remove(admin, networkId);

    assert.deepEqual(await services.floatingIps.list(admin, everything), []);
    assert.deepEqual(await services.ports.list(admin, everything), []);
  });

  test("L3-41: a way out stays while floating IPs or routes need it", async () => {
    const { services, site } = await open();
    const { outside, inside, routerId } = await site.joined();
    const portId = await site.portId(inside.networkId);
    const floating = await site.floatingIp(outside.networkId, { port_id: portId });
    const other = await site.external({ cidr: "198.51.100.0/24" });
    const inUse = "RouterExternalGatewayInUseByFloatingIp";

    await assertFault(site.setGateway(routerId, null), inUse, /required by one or more floating IPs/);
    await assertFault(site.setGateway(routerId, { network_id: other.networkId }), inUse);
    await assertFault(services.routers.remove(admin, routerId), "RouterInUse");
    await services.floatingIps.remove(admin, String(floating["id"]));
    const route = { destination: "192.0.2.0/24", nexthop: "203.0.113.254" };
    await services.routers.update(admin, routerId, { routes: [route] });
    await assertFault(site.setGateway(routerId, null), "RouterInterfaceInUseByRoute", /192\.0\.2\.0\/24 via 203\.0\.113\.254/);

    const bare = await services.routers.update(admin, routerId, { routes: [], external_gateway_info: null });
    assert.deepEqual([bare["routes"], bare["external_gateway_info"]], [[], null]);
  });

  test("a router is changed and deleted at the revision that the client knows, or not at all", async () => {
    const { services, site } = await open();
    const { subnetId } = await site.internal();
    const routerId = await site.router({ name: "r", description: "d" });
    const stale = { context: admin, id: routerId, expectedRevision: 7 };
    const type = "RevisionNumberConstraintFailed";

    await assertFault(services.routers.update(admin, routerId, { name: "x" }, 7), type);
    await assertFault(services.routers.addInterface(stale, { subnetId }), type);
    await assertFault(services.routers.addRoutes(stale, []), type);
    await assertFault(services.routers.remove(admin, routerId, 7), type);
    const renamed = await services.routers.update(admin, routerId, { name: "x" }, 1);
    assert.deepEqual([renamed["name"], renamed["description"], renamed["revision_number"]], ["x", "d", 2]);
    await services.routers.remove(admin, routerId, 2);
  });

  test("tenants see and change their own routers only; an administrator makes them for others", async () => {
    const { services, site } = await open();
    const routerId = await site.router({ name: "mine" });
    const stranger = member("red");

    await assertFault(services.routers.show(stranger, routerId), "RouterNotFound");
    await assertFault(services.routers.update(stranger, routerId, { name: "x" }), "RouterNotFound");
    await assertFault(services.routers.remove(stranger, routerId), "RouterNotFound");
    assert.deepEqual(await services.routers.list(stranger, everything), []);
    assert.equal((await services.routers.list(tenant, everything)).length, 1);
    const [gift] = await services.routers.create(admin, [{ project_id: "red" }]);
    assert.equal(gift?.["tenant_id"], "red");
    assert.equal((await services.routers.list(stranger, everything)).length, 1);
  });
});
