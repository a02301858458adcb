import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { assertFault } from "../../helpers/faults.ts";
import { admin, createOne, everything, idOf, member, servicesOn } from "../../helpers/network-services.ts";
import { RouterSite, tenantProject } from "../../helpers/router-site.ts";

const nowhere = "99999999-2222-4333-8444-555555555555";
const tenant = member(tenantProject);

forEachDatabase((_name, openFresh) => {
  const open = async () => {
    const services = servicesOn(await openFresh());
    return { services, site: new RouterSite(services) };
  };
  /** The same with a router between `outside` and `inside`, and a port that has 10.0.0.5. */
  const openJoined = async () => {
    const { services, site } = await open();
    const joined = await site.joined();
    const portId = await site.portId(joined.inside.networkId, { fixed_ips: [{ ip_address: "10.0.0.5" }], name: "web" });
    const set = (id: string, changes: object, context = admin) => services.floatingIps.update(context, id, { ...changes });
    return { services, site, ...joined, portId, set };
  };

  test("a floating IP is an address of an external network, held by a port of nobody's", async () => {
    const { services, site } = await open();
    const { networkId, subnetId } = await site.external();

    const floating = await site.floatingIp(
      networkId,
      { description: "spare", dns_name: "web", dns_domain: "example." },
      tenant,
    );

    assert.match(String(floating["floating_ip_address"]), /^203\.0\.113\.\d+$/);
    const { id, floating_ip_address, created_at, updated_at, ...rest } = floating;
    assert.equal(created_at, updated_at);
    assert.deepEqual(rest, {
      project_id: tenantProject,
      tenant_id: tenantProject,
      description: "spare",
      floating_network_id: networkId,
      port_id: null,
      fixed_ip_address: null,
      router_id: null,
      port_details: null,
      port_forwardings: [],
      status: "DOWN",
      status_reason: null,
      dns_name: "web",
      dns_domain: "example.",
      ...{ qos_policy_id: null, qos_network_policy_id: null, distributed: false },
      revision_number: 1,
      tags: [],
    });
    const [port] = await services.ports.list(admin, everything);
    assert.deepEqual(
      [port?.["device_owner"], port?.["device_id"], port?.["project_id"], port?.["status"], port?.["fixed_ips"]],
      ["network:floatingip", id, "", "N/A", [{ subnet_id: subnetId, ip_address: floating_ip_address }]],
    );
    await assertFault(services.ports.remove(admin, idOf(port ?? {})), "ServicePortInUse", /network:floatingip/);
    await assertFault(services.ports.update(admin, idOf(port ?? {}), { fixed_ips: [] }), "PortInUse");
    await services.floatingIps.remove(tenant, String(id));
    assert.deepEqual(await services.ports.list(admin, everything), []);
  });

  test("the address is the server's choice, of a subnet when asked, or exactly this one for administrators", async () => {
    const { site } = await open();
    const pool = { allocation_pools: [{ start: "203.0.113.10", end: "203.0.113.11" }] };
    const { networkId } = await site.external(pool);
    const other = await site.subnet(networkId, { cidr: "198.51.100.0/24", enable_dhcp: false }, admin);
    const six = await site.subnet(networkId, { cidr: "2001:db8::/64", enable_dhcp: false }, admin);
    const address = async (body: object): Promise<string> =>
      String((await site.floatingIp(networkId, { ...body }, admin))["floating_ip_address"]);

    assert.match(await address({ subnet_id: other }), /^198\.51\.100\./);
    assert.equal(await address({ floating_ip_address: "203.0.113.200" }), "203.0.113.200");
    assert.equal(await address({ floating_ip_address: "198.51.100.9", subnet_id: other }), "198.51.100.9");
    const refused = (body: object, context = admin) => site.floatingIp(networkId, { ...body }, context);
    await assertFault(refused({ floating_ip_address: "203.0.113.200" }), "IpAddressAlreadyAllocated");
    await assertFault(refused({ floating_ip_address: "192.0.2.1" }), "InvalidIpForNetwork");
    await assertFault(refused({ floating_ip_address: "203.0.113.9", subnet_id: other }), "InvalidIpForSubnet");
    await assertFault(refused({ floating_ip_address: "2001:db8::7" }), "InvalidInput", /not an IPv4 address/);
    await assertFault(refused({ subnet_id: six }), "BadRequest", /not an IPv4 subnet/);
    await assertFault(refused({ subnet_id: nowhere }), "SubnetNotFound");
  });

  test("a network must be external, be seen and have IPv4; when its pool is empty nothing is left behind", async () => {
    const { services, site } = await open();
    const inside = await site.internal();
    const pool = { cidr: "192.0.2.0/29", allocation_pools: [{ start: "192.0.2.2", end: "192.0.2.3" }] };
    const tiny = await site.external(pool);
    const six = await site.external({ cidr: "2001:db8::/64" });
    const bare = idOf(await createOne(services.networks, { "router:external": true }));

    await assertFault(site.floatingIp(inside.networkId), "BadRequest", /not a valid external network/);
    await assertFault(site.floatingIp(six.networkId), "BadRequest", /does not contain any IPv4 subnet/);
    await assertFault(site.floatingIp(bare), "BadRequest", /does not contain any IPv4 subnet/);
    await assertFault(site.floatingIp(nowhere), "NetworkNotFound");
    const hidden = await new RouterSite(services, member("red")).internal("10.4.0.0/24");
    await assertFault(site.floatingIp(hidden.networkId, {}, tenant), "NetworkNotFound");
    await site.floatingIp(tiny.networkId);
    await site.floatingIp(tiny.networkId);
    await assertFault(site.floatingIp(tiny.networkId), "IpAddressGenerationFailure");
    const two = [{ floating_network_id: tiny.networkId }, { floating_network_id: six.networkId }];
    await assertFault(services.floatingIps.create(admin, two), "IpAddressGenerationFailure");
    assert.equal((await services.floatingIps.list(admin, everything)).length, 2);
    assert.equal((await services.ports.list(admin, everything)).length, 2);
  });

  test("associated it leads to the only IPv4 address of its port, through the router between them", async () => {
    const { site, outside, routerId, portId, set } = await openJoined();
    const id = idOf(await site.floatingIp(outside.networkId));
    const before = (await site.showRouter(routerId))["revision_number"];

    const floating = await set(id, { port_id: portId }, tenant);

    const { port_id, fixed_ip_address, router_id, status, revision_number } = floating;
    assert.deepEqual(
      [port_id, fixed_ip_address, router_id, status, revision_number],
      [portId, "10.0.0.5", routerId, "DOWN", 2],
    );
    const details = floating["port_details"] as Readonly<Record<string, unknown>>;
    assert.deepEqual([details["name"], details["admin_state_up"], details["device_owner"]], ["web", true, ""]);
    assert.ok(Number((await site.showRouter(routerId))["revision_number"]) > Number(before));
    const born = await site.floatingIp(outside.networkId, { port_id: await site.portId(String(details["network_id"])) });
    assert.equal(born["router_id"], routerId);
  });

  test("L3-45: the same port again changes nothing; without a port nothing moves; null takes it off", async () => {
    const { site, outside, inside, portId, set } = await openJoined();
    const two = await site.subnet(inside.networkId, { cidr: "10.1.0.0/24" });
    const floating = await site.floatingIp(outside.networkId, { port_id: portId });
    const id = idOf(floating);

    assert.deepEqual(await set(id, { port_id: portId }), floating);
    assert.deepEqual(await set(id, { fixed_ip_address: null }), floating);
    await site.services.ports.update(admin, portId, { fixed_ips: [{ ip_address: "10.0.0.5" }, { subnet_id: two }] });
    const again = await set(id, { port_id: portId });
    assert.deepEqual([again["fixed_ip_address"], again["revision_number"]], ["10.0.0.5", 1]);
    const named = await set(id, { description: "web" });
    assert.deepEqual([named["description"], named["port_id"], named["revision_number"]], ["web", portId, 2]);
    await assertFault(set(id, { fixed_ip_address: "10.0.0.5" }), "BadRequest", /without a port_id/);

    const free = await set(id, { port_id: null, description: "spare" });
    assert.deepEqual([free["port_id"], free["fixed_ip_address"], free["router_id"]], [null, null, null]);
    assert.deepEqual([free["description"], free["revision_number"], free["status"]], ["spare", 3, "DOWN"]);
    assert.equal((await set(id, { port_id: null }))["revision_number"], 3);
  });

  test("of several addresses one is chosen; what the port does not have, or is not IPv4, is refused", async () => {
    const { services, site, outside, inside, routerId, set } = await openJoined();
    const second = await site.internal("10.1.0.0/24");
    await site.subnet(inside.networkId, { cidr: "2001:db8:7::/64" });
    const both = await site.portId(inside.networkId, {
      fixed_ips: [{ ip_address: "10.0.0.7" }, { ip_address: "10.0.0.8" }, { ip_address: "2001:db8:7::8" }],
    });
    const six = await site.portId(inside.networkId, { fixed_ips: [{ ip_address: "2001:db8:7::9" }] });
    const [none, far] = [await site.portId(inside.networkId, { fixed_ips: [] }), await site.portId(second.networkId)];
    const dhcp = await site.portId(inside.networkId, { device_owner: "network:dhcp" });
    const id = idOf(await site.floatingIp(outside.networkId));

    const table = [
      [{ port_id: both }, "BadRequest", /multiple fixed IPv4 addresses/],
      [{ port_id: both, fixed_ip_address: "10.0.0.9" }, "BadRequest", /does not have fixed ip 10\.0\.0\.9/],
      [{ port_id: both, fixed_ip_address: "2001:db8:7::8" }, "InvalidInput", /not an IPv4 address/],
      [{ port_id: six }, "BadRequest", /no fixed IPv4 addresses/],
      [{ port_id: none }, "BadRequest", /no fixed IPv4 addresses/],
      [{ port_id: dhcp }, "BadRequest", /network:dhcp/],
      [{ port_id: far }, "ExternalGatewayForFloatingIPNotFound", /not reachable from subnet/],
      [{ port_id: nowhere }, "PortNotFound", /./],
    ] as const;
    for (const [changes, type, text] of table) {
      await assertFault(set(id, changes), type, text);
      await assertFault(site.floatingIp(outside.networkId, changes), type, text);
    }
    assert.equal((await services.floatingIps.list(admin, everything)).length, 1);

    const chosen = await set(id, { port_id: both, fixed_ip_address: "10.0.0.8" });
    assert.deepEqual([chosen["fixed_ip_address"], chosen["router_id"]], ["10.0.0.8", routerId]);
    const moved = await set(id, { port_id: both, fixed_ip_address: "10.0.0.7" });
    assert.equal(moved["fixed_ip_address"], "10.0.0.7");
    // Its other address is free for another one.
    await site.floatingIp(outside.networkId, { port_id: both, fixed_ip_address: "10.0.0.8" });
  });

  test("one address has one floating IP of each external network", async () => {
    const { site, outside, inside, portId, set } = await openJoined();
    await site.floatingIp(outside.networkId, { port_id: portId });
    const other = idOf(await site.floatingIp(outside.networkId));
    await assertFault(set(other, { port_id: portId }), "FloatingIPPortAlreadyAssociated", /already has a floating IP/);
    const again = site.floatingIp(outside.networkId, { port_id: portId });
    await assertFault(again, "FloatingIPPortAlreadyAssociated", /floating IP \([0-9a-f-]+\) with/);

    const second = await site.external({ cidr: "198.51.100.0/24" });
    const routerId = await site.router({ external_gateway_info: { network_id: second.networkId } });
    const door = await site.portId(inside.networkId, { fixed_ips: [{ ip_address: "10.0.0.2" }] });
    await site.add(routerId, { portId: door });
    const floating = await site.floatingIp(second.networkId, { port_id: portId });
    assert.equal(floating["router_id"], routerId);
  });

  test("of two routers in reach the one with the subnet's gateway serves it", async () => {
    const { site, outside, inside, routerId, portId } = await openJoined();
    for (const address of ["10.0.0.2", "10.0.0.3", "10.0.0.4"]) {
      const other = await site.router({ external_gateway_info: { network_id: outside.networkId } });
      const door = await site.portId(inside.networkId, { fixed_ips: [{ ip_address: address }] });
      await site.add(other, { portId: door });
    }

    assert.equal((await site.floatingIp(outside.networkId, { port_id: portId }))["router_id"], routerId);
  });

  test("an interface, an address and a port stay, or go, with what leads there", async () => {
    const { services, site, outside, inside, routerId, portId } = await openJoined();
    const id = idOf(await site.floatingIp(outside.networkId, { port_id: portId }));

    await assertFault(site.remove(routerId, { subnetId: inside.subnetId }), "RouterInterfaceInUseByFloatingIP");
    const elsewhere = { fixed_ips: [{ ip_address: "10.0.0.6" }] };
    await assertFault(services.ports.update(admin, portId, elsewhere), "BadRequest", /leads to it/);
    await assertFault(services.networks.remove(admin, inside.networkId), "NetworkInUse");
    await services.ports.remove(admin, portId);
    const freed = await services.floatingIps.show(admin, id);
    assert.deepEqual(
      [freed["port_id"], freed["fixed_ip_address"], freed["router_id"], freed["status"]],
      [null, null, null, "DOWN"],
    );
    assert.equal(freed["revision_number"], 2);
    await site.remove(routerId, { subnetId: inside.subnetId });
  });

  test("tenants have their own floating IPs, on their own ports; another's keeps a port from being deleted", async () => {
    const { services, site, outside, inside, portId, set } = await openJoined();
    const stranger = member("red");
    const foreign = idOf(await site.floatingIp(outside.networkId, {}, stranger));
    const mine = idOf(await site.floatingIp(outside.networkId, {}, tenant));

    await assertFault(set(mine, { description: "x" }, stranger), "FloatingIPNotFound");
    await assertFault(services.floatingIps.remove(stranger, mine), "FloatingIPNotFound");
    await assertFault(set(foreign, { port_id: portId }, stranger), "PortNotFound");
    const lent = await site.portId(inside.networkId, { project_id: "red" });
    await assertFault(set(mine, { port_id: lent }, tenant), "BadRequest", /different project/);
    assert.deepEqual(
      (await services.floatingIps.list(stranger, everything)).map((floating) => floating["id"]),
      [foreign],
    );
    await set(foreign, { port_id: portId });
    await assertFault(services.ports.remove(tenant, portId), "FipAssociated", /associated floating IP/);
    await services.ports.remove(admin, portId);
  });

  test("a floating IP is changed and deleted at the revision that the client knows, or not at all", async () => {
    const { services, site } = await open();
    const { networkId } = await site.external();
    const id = idOf(await site.floatingIp(networkId));
    const type = "RevisionNumberConstraintFailed";

    await assertFault(services.floatingIps.update(admin, id, { description: "x" }, 2), type);
    await assertFault(services.floatingIps.remove(admin, id, 2), type);
    await services.floatingIps.remove(admin, id, 1);
    await assertFault(services.floatingIps.show(admin, id), "FloatingIPNotFound");
  });
});
