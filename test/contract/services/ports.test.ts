import assert from "node:assert/strict";
import { test } from "node:test";
import { setPortsReady } from "../../../src/server/services/port-readiness.ts";
import type { Attributes } from "../../../src/server/services/resource-service.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { assertFault } from "../../helpers/faults.ts";
import {
  addAgent,
  addressesOf,
  admin,
  createOne,
  everything,
  idOf,
  member,
  networkWithSubnet,
  servicesOn,
} from "../../helpers/network-services.ts";

const someId = "11111111-2222-4333-8444-555555555555";
const mac = "fa:16:3e:12:34:56";
const eui64 = "2001:db8::f816:3eff:fe12:3456";
const slaac = { ip_version: 6, cidr: "2001:db8::/64", ipv6_ra_mode: "slaac", ipv6_address_mode: "slaac" };
const stateful = { ip_version: 6, cidr: "2001:db8:1::/64", ipv6_address_mode: "dhcpv6-stateful" };

forEachDatabase((_name, openFresh) => {
  test("a port has the defaults of the API and the next address", async () => {
    const services = servicesOn(await openFresh());
    const { networkId, subnetId } = await networkWithSubnet(services);

    const port = await createOne(services.ports, { network_id: networkId, name: "p" }, member("operators"));

    const { id, mac_address, security_groups, ...rest } = port;
    assert.equal((security_groups as readonly string[]).length, 1);
    assert.match(String(mac_address), /^fa:16:3e(:[0-9a-f]{2}){3}$/);
    assert.deepEqual(rest, {
      name: "p",
      description: "",
      project_id: "operators",
      tenant_id: "operators",
      revision_number: 1,
      created_at: "2026-01-02T03:04:05Z",
      updated_at: "2026-01-02T03:04:05Z",
      tags: [],
      network_id: networkId,
      admin_state_up: true,
      fixed_ips: [{ subnet_id: subnetId, ip_address: "10.0.0.2" }],
      device_id: "",
      device_owner: "",
      status: "DOWN",
      "binding:host_id": "",
      "binding:vnic_type": "normal",
      "binding:profile": {},
      "binding:vif_type": "unbound",
      "binding:vif_details": {},
      port_security_enabled: true,
      allowed_address_pairs: [],
      extra_dhcp_opts: [],
      dns_name: "",
      dns_assignment: [{ ip_address: "10.0.0.2", hostname: "host-10-0-0-2", fqdn: "host-10-0-0-2.example.internal." }],
      ip_allocation: "immediate",
      dns_domain: "",
      data_plane_status: null,
      ...{ qos_policy_id: null, qos_network_policy_id: null, resource_request: null },
      ...{ propagate_uplink_status: false, trusted: false, hints: null, device_profile: null },
      ...{ numa_affinity_policy: null, hardware_offload_type: null, pvlan_type: null, pvlan_community: null },
    });
    assert.deepEqual(await services.ports.show(admin, String(id)), port);
  });

  test("addresses are handed out in turn: one that came back waits until the pool has been through", async () => {
    const services = servicesOn(await openFresh());
    const { networkId } = await networkWithSubnet(services, { subnet: { cidr: "10.0.0.0/29" } });
    const next = () => createOne(services.ports, { network_id: networkId });
    const [first, second] = [await next(), await next()];
    await services.ports.remove(admin, idOf(first));

    const later = [await next(), await next(), await next(), await next()].flatMap(addressesOf);

    assert.deepEqual(addressesOf(second), ["10.0.0.3"]);
    assert.deepEqual(later, ["10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.2"]);
    await assertFault(next(), "IpAddressGenerationFailure", new RegExp(networkId));
  });

  test("a port without wishes gets one IPv4 address, one stateful IPv6 address and every SLAAC address", async () => {
    const services = servicesOn(await openFresh());
    const { networkId } = await networkWithSubnet(services);
    const more = [{ ip_version: 4, cidr: "10.0.1.0/24" }, stateful, slaac, { ...slaac, cidr: "2001:db8:2::/64" }];
    for (const subnet of more) await createOne(services.subnets, { network_id: networkId, ...subnet });

    const port = await createOne(services.ports, { network_id: networkId, mac_address: mac });

    const [ipv4 = "", ...ipv6] = addressesOf(port);
    assert.match(ipv4, /^10\.0\.[01]\.2$/);
    assert.deepEqual([...ipv6].sort(), ["2001:db8:1::1", "2001:db8:2:0:f816:3eff:fe12:3456", eui64].sort());
  });

  test("when one IPv4 subnet is full the next one helps out", async () => {
    const services = servicesOn(await openFresh());
    const { networkId } = await networkWithSubnet(services, { subnet: { cidr: "10.0.0.0/30" } });
    services.clock.step(1);
    await createOne(services.subnets, { network_id: networkId, ip_version: 4, cidr: "10.0.1.0/30" });

    const made = await services.ports.create(admin, [{ network_id: networkId }, { network_id: networkId }]);

    assert.deepEqual(made.flatMap(addressesOf), ["10.0.0.2", "10.0.1.2"]);
    await assertFault(services.ports.create(admin, [{ network_id: networkId }]), "IpAddressGenerationFailure");
  });

  test("a network without subnets and a wish for no address both give a port without one", async () => {
    const services = servicesOn(await openFresh());
    const bare = idOf(await createOne(services.networks, {}));
    const { networkId } = await networkWithSubnet(services);

    const without = await createOne(services.ports, { network_id: bare });
    const none = await createOne(services.ports, { network_id: networkId, fixed_ips: [] });

    assert.deepEqual([addressesOf(without), without["ip_allocation"]], [[], "immediate"]);
    assert.deepEqual([addressesOf(none), none["ip_allocation"]], [[], "none"]);
  });

  test("wishes for addresses are met or refused with the reason", async () => {
    const services = servicesOn(await openFresh());
    const { networkId, subnetId } = await networkWithSubnet(services, {
      subnet: { allocation_pools: [{ start: "10.0.0.10", end: "10.0.0.20" }] },
    });
    const other = await networkWithSubnet(services);
    const make = (...fixed_ips: object[]) => createOne(services.ports, { network_id: networkId, fixed_ips });

    assert.deepEqual(addressesOf(await make({ subnet_id: subnetId })), ["10.0.0.10"]);
    assert.deepEqual(addressesOf(await make({ ip_address: "10.0.0.200" })), ["10.0.0.200"]);
    assert.deepEqual(addressesOf(await make({ subnet_id: subnetId }, { ip_address: "10.0.0.11" })), ["10.0.0.12", "10.0.0.11"]);
    await assertFault(make({ ip_address: "10.0.0.11" }), "IpAddressAlreadyAllocated", /10\.0\.0\.11/);
    await assertFault(make({ ip_address: "10.0.0.30" }, { ip_address: "10.0.0.30" }), "InvalidInput", /Duplicate/);
    await assertFault(make({ ip_address: "10.7.0.1" }), "InvalidIpForNetwork");
    await assertFault(make({ subnet_id: subnetId, ip_address: "10.7.0.1" }), "InvalidIpForSubnet");
    await assertFault(make({ ip_address: "10.0.0.255" }), "InvalidIpForSubnet");
    await assertFault(make({ subnet_id: someId }), "SubnetNotFound");
    await assertFault(make({ subnet_id: other.subnetId }), "InvalidInput", /another network/);
  });

  test("on a SLAAC subnet only the address of the MAC may be asked for, and it comes without asking", async () => {
    const services = servicesOn(await openFresh());
    const { networkId } = await networkWithSubnet(services);
    const subnetId = idOf(await createOne(services.subnets, { network_id: networkId, ...slaac }));
    const make = (fixed_ips: object[]) => createOne(services.ports, { network_id: networkId, mac_address: mac, fixed_ips });

    await assertFault(make([{ subnet_id: subnetId, ip_address: "2001:db8::7" }]), "AllocationOnAutoAddressSubnet");
    const port = await make([{ ip_address: "10.0.0.9" }]);

    assert.deepEqual(addressesOf(port), ["10.0.0.9", eui64]);
    const router = {
      network_id: networkId,
      device_owner: "network:router_interface",
      fixed_ips: [{ ip_address: "2001:db8::1" }],
    };
    assert.deepEqual(addressesOf(await createOne(services.ports, router)), ["2001:db8::1"]);
  });

  test("a subnet with service types serves its owners first and others never", async () => {
    const services = servicesOn(await openFresh());
    const typed = { service_types: ["compute:nova"] };
    const { networkId } = await networkWithSubnet(services, { subnet: typed });
    const make = (device_owner: string) => createOne(services.ports, { network_id: networkId, device_owner });

    await assertFault(make("network:router_gateway"), "IpAddressGenerationFailureNoMatchingSubnet");
    services.clock.step(1);
    await createOne(services.subnets, { network_id: networkId, ip_version: 4, cidr: "10.0.1.0/24" });

    assert.deepEqual(addressesOf(await make("compute:nova")), ["10.0.0.2"]);
    assert.deepEqual(addressesOf(await make("network:router_gateway")), ["10.0.1.2"]);
  });

  test("a DHCP port takes the lowest free address and asks for no agent", async () => {
    const services = servicesOn(await openFresh());
    const { ports, log } = services;
    const { networkId } = await networkWithSubnet(services);
    const first = await createOne(ports, { network_id: networkId });
    await createOne(ports, { network_id: networkId });
    await ports.remove(admin, idOf(first));
    log.clear();

    const dhcp = await createOne(ports, { network_id: networkId, device_owner: "network:dhcp" });

    assert.deepEqual(addressesOf(dhcp), ["10.0.0.2"]);
    assert.deepEqual(log.scheduled, []);
    await ports.create(admin, [{ network_id: networkId }]);
    assert.deepEqual(log.scheduled, [networkId]);
  });

  test("a hundred ports come in one request, in order, or not at all", async () => {
    const services = servicesOn(await openFresh());
    const { ports } = services;
    const { networkId } = await networkWithSubnet(services);
    const bodies = Array.from({ length: 100 }, (_, index) => ({ network_id: networkId, name: `p${index}` }));

    await assertFault(
      ports.create(admin, [...bodies, { network_id: networkId, fixed_ips: [{ ip_address: "10.0.0.256" }] }]),
      "InvalidInput",
    );
    assert.deepEqual(await ports.list(admin, everything), []);
    const made = await ports.create(admin, bodies);

    assert.deepEqual(
      made.map((port) => port["name"]),
      bodies.map((body) => body.name),
    );
    assert.deepEqual(
      made.flatMap(addressesOf),
      bodies.map((_, index) => `10.0.0.${index + 2}`),
    );
    await assertFault(ports.create(admin, [...bodies, ...bodies]), "IpAddressGenerationFailure");
    assert.equal((await ports.list(admin, everything)).length, 100);
  });

  test("a MAC belongs to one port of a network", async () => {
    const services = servicesOn(await openFresh());
    const { networkId } = await networkWithSubnet(services);
    const other = await networkWithSubnet(services);
    await createOne(services.ports, { network_id: networkId, mac_address: mac });

    const again = { network_id: networkId, mac_address: mac };
    await assertFault(createOne(services.ports, again), "MacAddressInUse", new RegExp(mac));
    const twice = { network_id: networkId, mac_address: "fa:16:3e:00:00:01" };
    await assertFault(services.ports.create(admin, [twice, twice]), "MacAddressInUse");

    assert.equal((await createOne(services.ports, { ...again, network_id: other.networkId }))["mac_address"], mac);
  });

  test("a port with a host hangs on its bridge", async () => {
    const services = servicesOn(await openFresh());
    const { networkId } = await networkWithSubnet(services);
    const port = idOf(await createOne(services.ports, { network_id: networkId }));
    await addAgent(services.store, "node-1");

    const bound = await services.ports.update(admin, port, { "binding:host_id": "node-1" });

    assert.equal(bound["binding:vif_type"], "bridge");
    const details = { port_filter: false, connectivity: "l2", bridge_name: `brq${networkId.slice(0, 11)}` };
    assert.deepEqual(bound["binding:vif_details"], details);
    const unbound = await services.ports.update(admin, port, { "binding:host_id": "" });
    assert.deepEqual([unbound["binding:vif_type"], unbound["binding:vif_details"]], ["unbound", {}]);
  });

  test("a port on a host that nobody has heard of is not bound, until a later change finds the host", async () => {
    const services = servicesOn(await openFresh());
    const { networkId } = await networkWithSubnet(services);
    const vif = (port: Attributes): unknown[] => [port["binding:vif_type"], port["status"], port["binding:vif_details"]];

    const port = await createOne(services.ports, { network_id: networkId, "binding:host_id": "node-1" });
    assert.deepEqual(vif(port), ["binding_failed", "DOWN", {}]);
    await services.store.transaction((trx) => setPortsReady(trx, [{ id: idOf(port), revision: 1 }], services.clock));
    assert.deepEqual(vif(await services.ports.update(admin, idOf(port), { name: "a" })), ["binding_failed", "DOWN", {}]);

    await addAgent(services.store, "node-1");
    const bound = await services.ports.update(admin, idOf(port), { name: "b" });
    assert.equal(bound["binding:vif_type"], "bridge");
    await services.store.db.deleteFrom("agents").execute();
    const kept = await services.ports.update(admin, idOf(port), { name: "c" });
    assert.equal(kept["binding:vif_type"], "bridge", "a binding that stands does not fall with the agent's row");
  });

  test("a port that is removed takes its lease along; one that only looks like a router's goes like others", async () => {
    const services = servicesOn(await openFresh());
    const { ports, store, log } = services;
    const { networkId } = await networkWithSubnet(services);
    const port = idOf(await createOne(ports, { network_id: networkId }));
    const lease = { network_id: networkId, ip_key: "", port_id: null, mac_address: null, hostname: null, expires_at: null };
    const rows = ["10.0.0.2", "10.0.0.3"].map((ip_address) => ({
      ...lease,
      id: ip_address,
      ip_address,
      last_seen_at: "",
      host: "node-1",
    }));
    await store.db.insertInto("leases").values(rows).execute();
    const owner = { device_owner: "network:router_interface", device_id: someId };
    const router = idOf(await createOne(ports, { network_id: networkId, ...owner }));
    log.clear();

    await ports.remove(admin, port);

    const left = await store.db.selectFrom("leases").select("ip_address").execute();
    assert.deepEqual(
      left.map((row) => row.ip_address),
      ["10.0.0.3"],
    );
    const [deletion, ...others] = log.items;
    assert.deepEqual([deletion?.op, deletion?.id, deletion?.revision, others], ["delete", port, 2, []]);
    await ports.remove(admin, router);
    await assertFault(ports.remove(admin, port), "PortNotFound");
  });

  test("guests on a shared network choose neither addresses nor MACs and see their own ports only", async () => {
    const services = servicesOn(await openFresh());
    const { ports } = services;
    const { networkId, subnetId } = await networkWithSubnet(services, { network: { shared: true, project_id: "p1" } });
    const guest = member("p2");
    const make = (body: object) => createOne(ports, { network_id: networkId, ...body }, guest);

    await assertFault(make({ fixed_ips: [{ ip_address: "10.0.0.9" }] }), "PolicyNotAuthorized");
    await assertFault(make({ mac_address: mac }), "PolicyNotAuthorized");
    await assertFault(make({ device_owner: "network:dhcp" }), "PolicyNotAuthorized");
    const own = idOf(await make({ fixed_ips: [{ subnet_id: subnetId }], allowed_address_pairs: [] }));
    const foreign = idOf(await createOne(ports, { network_id: networkId, mac_address: mac }, member("p1")));

    assert.deepEqual((await ports.list(guest, everything)).map(idOf), [own]);
    assert.equal((await ports.list(member("p1"), everything)).length, 2);
    await assertFault(ports.remove(guest, foreign), "PortNotFound");
    await assertFault(ports.update(guest, foreign, { name: "x" }), "PortNotFound");
    await assertFault(createOne(ports, { network_id: someId }, guest), "NetworkNotFound");
  });

  test("ports become ACTIVE when a DHCP agent serves them, unless they are turned off", async () => {
    const services = servicesOn(await openFresh());
    const { ports, store, clock } = services;
    const { networkId } = await networkWithSubnet(services);
    const [up, off] = (
      await ports.create(admin, [{ network_id: networkId }, { network_id: networkId, admin_state_up: false }])
    ).map(idOf);
    assert.ok(up !== undefined && off !== undefined);
    const report = [up, off, someId].map((id) => ({ id, revision: 1 }));

    const first = await store.transaction((trx) => setPortsReady(trx, report, clock));
    const again = await store.transaction((trx) => setPortsReady(trx, report, clock));

    assert.deepEqual([first, again], [[up], []]);
    const shown = await ports.show(admin, up);
    assert.deepEqual([shown["status"], shown["revision_number"]], ["ACTIVE", 2]);
    assert.equal((await ports.show(admin, off))["status"], "DOWN");
    assert.equal((await ports.update(admin, up, { admin_state_up: false }))["status"], "DOWN");
  });
});
