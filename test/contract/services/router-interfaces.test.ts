import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { assertFault } from "../../helpers/faults.ts";
import { addressesOf, admin, createOne, everything, idOf, member, servicesOn } from "../../helpers/network-services.ts";
import { RouterSite, tenantProject } from "../../helpers/router-site.ts";

const nowhere = "99999999-2222-4333-8444-555555555555";

forEachDatabase((_name, openFresh) => {
  const open = async () => {
    const services = servicesOn(await openFresh());
    return { services, site: new RouterSite(services) };
  };

  test("an interface by subnet is a port of the router with the subnet's gateway address", async () => {
    const { services, site } = await open();
    const { networkId, subnetId } = await site.internal();
    const routerId = await site.router({ name: "r" });

    const answer = await site.add(routerId, { subnetId });

    const [port] = await services.ports.list(admin, everything);
    assert.ok(port !== undefined);
    assert.deepEqual(answer, {
      id: routerId,
      project_id: tenantProject,
      tenant_id: tenantProject,
      port_id: port["id"],
      network_id: networkId,
      subnet_id: subnetId,
      subnet_ids: [subnetId],
    });
    assert.deepEqual(
      [addressesOf(port), port["device_owner"], port["device_id"], port["project_id"]],
      [["10.0.0.1"], "network:router_interface", routerId, tenantProject],
    );
    assert.equal((await site.showRouter(routerId))["revision_number"], 2);
  });

  test("an interface by port keeps the port's own addresses and is recognised by it", async () => {
    const { site } = await open();
    const { networkId } = await site.internal();
    const routerId = await site.router();
    const portId = await site.portId(networkId, { name: "mine", fixed_ips: [{ ip_address: "10.0.0.77" }] });

    const answer = await site.add(routerId, { portId });

    assert.equal(answer["port_id"], portId);
    const port = await site.services.ports.show(admin, portId);
    assert.deepEqual(
      [port["name"], addressesOf(port), port["device_owner"], port["device_id"]],
      ["mine", ["10.0.0.77"], "network:router_interface", routerId],
    );
    await assertFault(site.add(routerId, { portId }), "PortInUse", /already has an attached device/);
  });

  test("L3-88: what cannot be an interface is refused, and leaves nothing behind", async () => {
    const { services, site } = await open();
    const first = await site.internal("10.0.0.0/24");
    const same = await site.internal("10.0.0.0/25");
    const bare = await site.internal("10.9.0.0/24");
    await services.subnets.update(admin, bare.subnetId, { gateway_ip: null });
    const routerId = await site.router();
    await site.add(routerId, { subnetId: first.subnetId });
    const advertised = await site.subnet(bare.networkId, { cidr: "2001:db8:5::/64", ipv6_address_mode: "slaac" });
    const taken = await site.portId(bare.networkId, { device_id: "somebody" });
    const addressless = await site.portId(bare.networkId, { fixed_ips: [] });
    const other = await site.internal("10.8.0.0/24");
    const second = await site.subnet(other.networkId, { cidr: "10.7.0.0/24" });
    const both = [{ subnet_id: other.subnetId }, { subnet_id: second }];
    const twice = await site.portId(other.networkId, { fixed_ips: both });
    const before = await services.ports.list(admin, everything);

    const table = [
      [{}, "BadRequest", /Either subnet_id or port_id/],
      [{ subnetId: first.subnetId, portId: taken }, "BadRequest", /both subnet-id and port-id/],
      [{ subnetId: nowhere }, "SubnetNotFound", /./],
      [{ portId: nowhere }, "PortNotFound", /./],
      [{ subnetId: bare.subnetId }, "BadRequest", /must have a gateway IP/],
      [{ subnetId: first.subnetId }, "BadRequest", /already has a port on subnet/],
      [{ subnetId: same.subnetId }, "BadRequest", /overlaps with cidr 10\.0\.0\.0\/24/],
      [{ subnetId: advertised }, "BadRequest", /receive RAs from an external router/],
      [{ portId: taken }, "PortInUse", /somebody/],
      [{ portId: addressless }, "BadRequest", /at least one fixed IP/],
      [{ portId: twice }, "BadRequest", /multiple IPv4 subnets/],
    ] as const;
    for (const [request, type, text] of table) await assertFault(site.add(routerId, request), type, text);

    assert.deepEqual(await services.ports.list(admin, everything), before);
    assert.equal((await site.showRouter(routerId))["revision_number"], 2);
  });

  test("a second IPv6 subnet of a network joins the port of the first; removing one drops its prefix only", async () => {
    const { services, site } = await open();
    const { networkId } = await site.internal();
    const one = await site.subnet(networkId, { cidr: "2001:db8:1::/64" });
    const two = await site.subnet(networkId, { cidr: "2001:db8:2::/64" });
    const routerId = await site.router();

    const first = await site.add(routerId, { subnetId: one });
    const second = await site.add(routerId, { subnetId: two });

    assert.equal(second["port_id"], first["port_id"]);
    const portId = String(first["port_id"]);
    assert.deepEqual(addressesOf(await services.ports.show(admin, portId)), ["2001:db8:1::", "2001:db8:2::"]);
    const third = await site.portId(networkId, { fixed_ips: [{ subnet_id: one }] });
    await assertFault(site.add(routerId, { portId: third }), "BadRequest", /multiple router ports with the same network id/);

    const removed = await site.remove(routerId, { subnetId: one });
    assert.deepEqual([removed["port_id"], removed["subnet_ids"]], [portId, [one]]);
    assert.deepEqual(addressesOf(await services.ports.show(admin, portId)), ["2001:db8:2::"]);
    await site.remove(routerId, { subnetId: two });
    await assertFault(services.ports.show(admin, portId), "PortNotFound");
  });

  test("an interface is removed by its port, its subnet, or both when they match", async () => {
    const { services, site } = await open();
    const one = await site.internal("10.0.0.0/24");
    const two = await site.internal("10.1.0.0/24");
    const routerId = await site.router();
    const add = async (subnetId: string): Promise<string> => String((await site.add(routerId, { subnetId }))["port_id"]);
    const portId = await add(one.subnetId);
    await add(two.subnetId);
    const stray = await site.portId(one.networkId);

    const table = [
      [{}, "BadRequest", /Either/],
      [{ portId: stray }, "RouterInterfaceNotFound", /does not have an interface/],
      [{ subnetId: nowhere }, "RouterInterfaceNotFoundForSubnet", /has no interface/],
      [{ portId, subnetId: two.subnetId }, "SubnetMismatchForPort", /does not match/],
    ] as const;
    for (const [request, type, text] of table) await assertFault(site.remove(routerId, request), type, text);

    await site.remove(routerId, { portId, subnetId: one.subnetId });
    await site.remove(routerId, { portId: await add(one.subnetId) });
    await add(one.subnetId);
    const answer = await site.remove(routerId, { subnetId: one.subnetId });
    assert.equal(answer["subnet_id"], one.subnetId);
    const left = await services.ports.list(admin, { ...everything, filters: [{ attribute: "device_id", values: [routerId] }] });
    assert.equal(left.length, 1);
  });

  test("ports of a router are the router's: nobody deletes them, moves them or gives them to others by hand", async () => {
    const { services, site } = await open();
    const { inside, outside, routerId } = await site.joined();
    const ports = await services.ports.list(admin, everything);
    const byOwner = (owner: string): string => idOf(ports.find((port) => port["device_owner"] === owner) ?? {});
    const [own, gateway] = [byOwner("network:router_interface"), byOwner("network:router_gateway")];

    await assertFault(services.ports.remove(admin, own), "ServicePortInUse", /router_interface/);
    await assertFault(services.ports.remove(admin, gateway), "ServicePortInUse", /router_gateway/);
    await assertFault(services.ports.update(admin, own, { device_owner: "" }), "PortInUse");
    await assertFault(services.ports.update(admin, own, { device_id: "me" }), "PortInUse");
    const move = { fixed_ips: [{ ip_address: "10.0.0.9" }] };
    await assertFault(services.ports.update(admin, own, move), "BadRequest", /cannot be changed/);
    await assertFault(services.ports.update(admin, own, { mac_address: "fa:16:3e:00:00:09" }), "UnsupportedPortDeviceOwner");
    assert.equal((await services.ports.update(admin, own, { name: "door" }))["name"], "door");
    await assertFault(services.subnets.remove(admin, inside.subnetId), "SubnetInUse");
    await assertFault(services.networks.remove(admin, inside.networkId), "NetworkInUse");
    await assertFault(services.networks.remove(admin, outside.networkId), "NetworkInUse");
    const otherGateway = { gateway_ip: "10.0.0.254", allocation_pools: [{ start: "10.0.0.2", end: "10.0.0.200" }] };
    await assertFault(services.subnets.update(admin, inside.subnetId, otherGateway), "GatewayIpInUse");
    await assertFault(services.routers.remove(admin, routerId), "RouterInUse", /still has ports/);
  });

  test("a tenant adds its own subnets and shared ones, of which only what the pools have", async () => {
    const services = servicesOn(await openFresh());
    const mine = new RouterSite(services, member("p1"));
    const theirs = new RouterSite(services, member("p2"));
    const secret = await theirs.internal("10.2.0.0/24");
    const shared = new RouterSite(services);
    const { networkId, subnetId } = await shared.internal("10.3.0.0/24", { shared: true });
    await services.subnets.update(admin, subnetId, { allocation_pools: [{ start: "10.3.0.10", end: "10.3.0.20" }] });
    const routerId = await mine.router();

    await assertFault(mine.add(routerId, { subnetId: secret.subnetId }), "SubnetNotFound");
    await assertFault(theirs.add(routerId, { subnetId: secret.subnetId }), "RouterNotFound");
    const outside = await mine.external({ cidr: "198.51.100.0/24" });
    await assertFault(mine.add(routerId, { subnetId: outside.subnetId }), "BadRequest", /not owned by project/);
    const odd = { network_id: networkId, project_id: "p1", fixed_ips: [{ ip_address: "10.3.0.99" }] };
    const portId = idOf(await createOne(services.ports, odd));
    await assertFault(mine.add(routerId, { portId }), "BadRequest", /not in allocation pools/);
    // The gateway address of a segment that others share is not a tenant's to take: it would answer for their way out.
    await assertFault(mine.add(routerId, { subnetId }), "BadRequest", /not in allocation pools/);
    const inPool = { network_id: networkId, project_id: "p1", fixed_ips: [{ ip_address: "10.3.0.12" }] };
    const own = idOf(await createOne(services.ports, inPool));
    assert.equal((await mine.add(routerId, { portId: own }))["subnet_id"], subnetId);

    const pretender = { network_id: secret.networkId, device_owner: "network:router_interface", device_id: routerId };
    await assertFault(createOne(services.ports, pretender, member("p2")), "DeviceIDNotOwnedByTenant");
    const port = await theirs.portId(secret.networkId);
    await assertFault(services.ports.update(member("p2"), port, { device_id: routerId }), "DeviceIDNotOwnedByTenant");
  });
});
