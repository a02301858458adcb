import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createPortInTransaction,
  removePortInTransaction,
  updatePortAddressesInTransaction,
  updatePortInTransaction,
} from "../../../src/server/services/port-service.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { assertFault } from "../../helpers/faults.ts";
import {
  addressesOf,
  admin,
  createOne,
  idOf,
  member,
  networkWithSubnet,
  servicesOn,
  type TestServices,
} from "../../helpers/network-services.ts";

const mac = "fa:16:3e:12:34:56";
const slaac = { ip_version: 6, cidr: "2001:db8::/64", ipv6_ra_mode: "slaac", ipv6_address_mode: "slaac" };

async function portOn(services: TestServices, body: object = {}) {
  const { networkId, subnetId } = await networkWithSubnet(services);
  const portId = idOf(await createOne(services.ports, { network_id: networkId, mac_address: mac, ...body }));
  services.log.clear();
  return { networkId, subnetId, portId };
}

forEachDatabase((_name, openFresh) => {
  test("new addresses replace the old ones; a subnet alone keeps the address that is there", async () => {
    const services = servicesOn(await openFresh());
    const { subnetId, portId } = await portOn(services);
    const update = async (...fixed_ips: object[]) => addressesOf(await services.ports.update(admin, portId, { fixed_ips }));

    assert.deepEqual(await update({ subnet_id: subnetId }, { ip_address: "10.0.0.50" }), ["10.0.0.2", "10.0.0.50"]);
    assert.deepEqual(await update({ subnet_id: subnetId }, { subnet_id: subnetId }), ["10.0.0.2", "10.0.0.50"]);
    assert.deepEqual(await update({ ip_address: "10.0.0.50" }), ["10.0.0.50"]);
    assert.deepEqual(await update(), []);
    assert.equal((await services.ports.show(admin, portId))["ip_allocation"], "none");
    assert.deepEqual(await update({ subnet_id: subnetId }), ["10.0.0.3"]);
  });

  test("beside an address that is held by name, its subnet gives a further one, in either order", async () => {
    const services = servicesOn(await openFresh());
    const { subnetId, portId } = await portOn(services);
    const update = async (...fixed_ips: object[]) => addressesOf(await services.ports.update(admin, portId, { fixed_ips }));
    const any = { subnet_id: subnetId };
    const held = { subnet_id: subnetId, ip_address: "10.0.0.2" };

    assert.deepEqual(await update(any, held), ["10.0.0.3", "10.0.0.2"]);
    assert.deepEqual(await update(held), ["10.0.0.2"]);
    assert.deepEqual(await update(held, any), ["10.0.0.2", "10.0.0.4"]);
    assert.deepEqual(await update(any, any, { ip_address: "10.0.0.2" }), ["10.0.0.4", "10.0.0.5", "10.0.0.2"]);
    const twice = services.ports.update(admin, portId, { fixed_ips: [held, { ip_address: "10.0.0.2" }] });
    await assertFault(twice, "InvalidInput", /Duplicate/);
  });

  test("an address of another port is refused, and the port keeps what it has", async () => {
    const services = servicesOn(await openFresh());
    const { networkId, portId } = await portOn(services);
    await createOne(services.ports, { network_id: networkId });

    const taking = services.ports.update(admin, portId, { name: "x", fixed_ips: [{ ip_address: "10.0.0.3" }] });

    await assertFault(taking, "IpAddressAlreadyAllocated");
    const port = await services.ports.show(admin, portId);
    assert.deepEqual([port["name"], addressesOf(port), port["revision_number"]], ["", ["10.0.0.2"], 1]);
  });

  test("SLAAC addresses stay when they are left out and go when they are deleted by name", async () => {
    const services = servicesOn(await openFresh());
    const { networkId, portId } = await portOn(services);
    const subnetId = idOf(await createOne(services.subnets, { network_id: networkId, ...slaac }));
    const update = async (...fixed_ips: object[]) => addressesOf(await services.ports.update(admin, portId, { fixed_ips }));
    const eui64 = "2001:db8::f816:3eff:fe12:3456";

    assert.deepEqual(await update({ ip_address: "10.0.0.7" }), ["10.0.0.7", eui64]);
    assert.deepEqual(await update({ ip_address: "10.0.0.7" }, { subnet_id: subnetId, delete_subnet: true }), ["10.0.0.7"]);
    assert.deepEqual(await update({ ip_address: "10.0.0.7" }, { subnet_id: subnetId }), ["10.0.0.7", eui64]);
  });

  test("a new MAC makes new SLAAC addresses and keeps the others", async () => {
    const services = servicesOn(await openFresh());
    const { networkId, portId } = await portOn(services);
    await createOne(services.subnets, { network_id: networkId, ...slaac });

    const port = await services.ports.update(admin, portId, { mac_address: "fa:16:3e:00:00:01" });

    assert.deepEqual(addressesOf(port), ["10.0.0.2", "2001:db8::f816:3eff:fe00:1"]);
    const fresh = await services.ports.update(admin, portId, { mac_address: null });
    assert.match(String(fresh["mac_address"]), /^fa:16:3e/);
    assert.notEqual(fresh["mac_address"], "fa:16:3e:00:00:01");
  });

  test("the MAC is an administrator's to change, and not on the server's own ports", async () => {
    const services = servicesOn(await openFresh());
    const { networkId, portId } = await portOn(services);
    const dhcp = idOf(await createOne(services.ports, { network_id: networkId, device_owner: "network:dhcp" }));
    const change = { mac_address: "fa:16:3e:00:00:01" };

    await assertFault(services.ports.update(member("operators"), portId, change), "PolicyNotAuthorized");
    await assertFault(services.ports.update(admin, dhcp, change), "UnsupportedPortDeviceOwner");
  });

  test("IPv4 addresses of a router's port do not change here", async () => {
    const services = servicesOn(await openFresh());
    const { portId } = await portOn(services, { device_owner: "network:router_interface" });

    await assertFault(
      services.ports.update(admin, portId, { fixed_ips: [{ ip_address: "10.0.0.9" }] }),
      "BadRequest",
      /router/,
    );
  });

  test("DHCP options are merged by name and family; null takes one away", async () => {
    const services = servicesOn(await openFresh());
    const option = (opt_name: string, opt_value: string | null, ip_version = 4) => ({ opt_name, opt_value, ip_version });
    const { portId } = await portOn(services, { extra_dhcp_opts: [option("mtu", "1400"), option("tftp-server", "10.0.0.9")] });

    const changes = { extra_dhcp_opts: [option("mtu", "1300"), option("tftp-server", null), option("mtu", "1280", 6)] };
    const port = await services.ports.update(admin, portId, changes);

    assert.deepEqual(port["extra_dhcp_opts"], [option("mtu", "1300"), option("mtu", "1280", 6)]);
  });

  test("address pairs are canonical, limited and only where port security is", async () => {
    const services = servicesOn(await openFresh());
    const { portId } = await portOn(services);
    const update = (changes: object) => services.ports.update(admin, portId, { ...changes });
    const pair = (ip_address: string) => ({ ip_address });

    const port = await update({
      allowed_address_pairs: [pair("10.9.0.1/16"), { ip_address: "::0001", mac_address: "FA-16-3E-00-00-01" }],
    });

    assert.deepEqual(port["allowed_address_pairs"], [
      { ip_address: "10.9.0.0/16", mac_address: mac },
      { ip_address: "::1", mac_address: "fa:16:3e:00:00:01" },
    ]);
    const eleven = Array.from({ length: 11 }, (_, index) => pair(`10.9.0.${index}`));
    await assertFault(update({ allowed_address_pairs: eleven }), "AllowedAddressPairExhausted");
    await assertFault(update({ allowed_address_pairs: [pair("10.9.0.1"), pair("10.9.0.1")] }), "DuplicateAddressPairInRequest");
    await assertFault(update({ port_security_enabled: false }), "AddressPairAndPortSecurityRequired");
  });

  test("agents hear of what changes for them, and of nothing else", async () => {
    const services = servicesOn(await openFresh());
    const { portId } = await portOn(services);

    await services.ports.update(admin, portId, { name: "only people read this" });
    await services.ports.update(admin, portId, { name: "only people read this" });
    const named = await services.ports.update(admin, portId, { dns_name: "Web" });

    assert.equal(named["revision_number"], 3);
    assert.deepEqual(named["dns_assignment"], [{ ip_address: "10.0.0.2", hostname: "web", fqdn: "web.example.internal." }]);
    assert.equal(services.log.items.length, 1);
    const [item] = services.log.items;
    assert.ok(item?.op === "upsert" && item.kind === "port");
    assert.deepEqual([item.revision, item.body.dnsName, item.body.fixedIps[0]?.ipAddress], [3, "web", "10.0.0.2"]);
  });

  test("If-Match with another revision changes nothing", async () => {
    const services = servicesOn(await openFresh());
    const { portId } = await portOn(services);

    await assertFault(services.ports.update(admin, portId, { name: "x" }, 4), "RevisionNumberConstraintFailed");
    await assertFault(services.ports.remove(admin, portId, 4), "RevisionNumberConstraintFailed");

    assert.equal((await services.ports.update(admin, portId, { name: "x" }, 1))["revision_number"], 2);
  });

  test("the server makes, completes and removes an agent's port inside its own transaction", async () => {
    const services = servicesOn(await openFresh());
    const { networkId, subnetId } = await networkWithSubnet(services, { network: { project_id: "p1" } });
    const { store, deps, log } = services;
    const body = { network_id: networkId, device_owner: "network:dhcp", device_id: "d", fixed_ips: [{ subnet_id: subnetId }] };
    const made = await store.transaction((trx) => createPortInTransaction(trx, deps, body));
    services.clock.step(1);
    const second = idOf(await createOne(services.subnets, { network_id: networkId, ip_version: 4, cidr: "10.0.1.0/24" }));

    const fixedIps = [{ subnet_id: subnetId }, { subnet_id: second }];
    const grown = await store.transaction((trx) => updatePortAddressesInTransaction(trx, deps, { id: made.id, fixedIps }));
    const reserved = await store.transaction((trx) =>
      updatePortInTransaction(trx, deps, made.id, { device_id: "reserved_dhcp_port" }),
    );
    await store.transaction((trx) => removePortInTransaction(trx, deps, made.id));

    assert.deepEqual(
      grown.fixedIps.map((ip) => ip.ipAddress),
      ["10.0.0.2", "10.0.1.2"],
    );
    assert.deepEqual([made.revision, grown.revision, reserved.revision, reserved.deviceId], [1, 2, 3, "reserved_dhcp_port"]);
    assert.deepEqual(
      log.items.filter((item) => item.kind === "port").map((item) => item.revision),
      [1, 2, 3, 4],
    );
    await assertFault(services.ports.show(admin, made.id), "PortNotFound");
  });
});
