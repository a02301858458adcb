import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { assertFault } from "../../helpers/faults.ts";
import {
  addressesOf,
  admin,
  createOne,
  everything,
  idOf,
  member,
  networkWithSubnet,
  servicesOn,
} from "../../helpers/network-services.ts";

const slaac = { ip_version: 6, cidr: "2001:db8::/64", ipv6_ra_mode: "slaac", ipv6_address_mode: "slaac" };

forEachDatabase((_name, openFresh) => {
  test("a subnet has the defaults of the API, and its network's revision moves", async () => {
    const services = servicesOn(await openFresh());
    const networkId = idOf(await createOne(services.networks, {}));

    const subnet = await createOne(services.subnets, { network_id: networkId, ip_version: 4, cidr: "10.0.0.7/24", name: "s" });

    const { id, ...rest } = subnet;
    assert.deepEqual(rest, {
      name: "s",
      description: "",
      project_id: "operators",
      tenant_id: "operators",
      revision_number: 1,
      created_at: "2026-01-02T03:04:05Z",
      updated_at: "2026-01-02T03:04:05Z",
      tags: [],
      network_id: networkId,
      ip_version: 4,
      cidr: "10.0.0.0/24",
      subnetpool_id: null,
      gateway_ip: "10.0.0.1",
      allocation_pools: [{ start: "10.0.0.2", end: "10.0.0.254" }],
      dns_nameservers: [],
      host_routes: [],
      enable_dhcp: true,
      ipv6_ra_mode: null,
      ipv6_address_mode: null,
      service_types: [],
      dns_publish_fixed_ip: false,
      segment_id: null,
    });
    const network = await services.networks.show(admin, networkId);
    assert.deepEqual([network["subnets"], network["revision_number"]], [[id], 2]);
    assert.deepEqual(services.log.scheduled, [networkId]);
  });

  test("subnets of one network may not overlap, those of two networks may", async () => {
    const services = servicesOn(await openFresh());
    const { networkId, subnetId } = await networkWithSubnet(services);
    const inside = { network_id: networkId, ip_version: 4, cidr: "10.0.0.128/25" };

    await assertFault(services.subnets.create(admin, [inside]), "InvalidInput", new RegExp(`overlaps.*${subnetId}`));

    await networkWithSubnet(services);
    assert.equal((await services.subnets.list(admin, everything)).length, 2);
  });

  test("subnets of one request may not overlap either, and then none is made", async () => {
    const services = servicesOn(await openFresh());
    const networkId = idOf(await createOne(services.networks, {}));
    const bodies = ["10.0.0.0/24", "10.0.0.0/25"].map((cidr) => ({ network_id: networkId, ip_version: 4, cidr }));

    await assertFault(services.subnets.create(admin, bodies), "InvalidInput", /overlaps/);

    assert.deepEqual(await services.subnets.list(admin, everything), []);
    assert.equal((await services.networks.show(admin, networkId))["revision_number"], 1);
  });

  test("too many name servers or routes, or of the other family, are refused; order is kept", async () => {
    const services = servicesOn(await openFresh());
    const networkId = idOf(await createOne(services.networks, {}));
    const base = { network_id: networkId, ip_version: 4, cidr: "10.0.0.0/24" };
    const make = (more: object) => services.subnets.create(admin, [{ ...base, ...more }]);
    const servers = ["9.9.9.9", "1.1.1.1", "8.8.8.8", "8.8.4.4", "4.4.4.4"];
    const route = { destination: "172.16.0.0/12", nexthop: "10.0.0.9" };

    await assertFault(make({ dns_nameservers: [...servers, "5.5.5.5"] }), "DNSNameServersExhausted");
    await assertFault(make({ host_routes: Array.from({ length: 21 }, () => route) }), "HostRoutesExhausted");
    await assertFault(make({ dns_nameservers: ["2001:db8::1"] }), "InvalidInput", /dns_nameservers/);
    await assertFault(
      make({ host_routes: [{ destination: "2001:db8::/64", nexthop: "10.0.0.9" }] }),
      "InvalidInput",
      /host_routes/,
    );

    const [subnet] = await make({ dns_nameservers: servers, host_routes: [route] });
    assert.deepEqual(subnet?.["dns_nameservers"], servers);
    assert.deepEqual(subnet?.["host_routes"], [route]);
  });

  test("gateway and pools may change while they fit together and nobody uses the gateway", async () => {
    const services = servicesOn(await openFresh());
    const { subnets, ports } = services;
    const { networkId, subnetId } = await networkWithSubnet(services);
    const pools = [{ start: "10.0.0.100", end: "10.0.0.200" }];

    await assertFault(subnets.update(admin, subnetId, { gateway_ip: "10.0.0.50" }), "GatewayConflictWithAllocationPools");
    const both = await subnets.update(admin, subnetId, { gateway_ip: "10.0.0.50", allocation_pools: pools });
    assert.deepEqual([both["gateway_ip"], both["allocation_pools"]], ["10.0.0.50", pools]);
    const port = await createOne(ports, { network_id: networkId });
    assert.deepEqual(addressesOf(port), ["10.0.0.100"]);

    const router = {
      network_id: networkId,
      device_owner: "network:router_interface",
      fixed_ips: [{ ip_address: "10.0.0.50" }],
    };
    await createOne(ports, router);
    await assertFault(subnets.update(admin, subnetId, { gateway_ip: null }), "GatewayIpInUse");
    assert.equal((await subnets.update(admin, subnetId, { gateway_ip: "10.0.0.50", name: "same" }))["name"], "same");
  });

  test("a subnet that comes with SLAAC gives every port its address, and takes it along when it goes", async () => {
    const services = servicesOn(await openFresh());
    const { subnets, ports, log } = services;
    const { networkId } = await networkWithSubnet(services);
    const mac = "fa:16:3e:12:34:56";
    const port = idOf(await createOne(ports, { network_id: networkId, mac_address: mac }));
    const router = idOf(await createOne(ports, { network_id: networkId, device_owner: "network:router_gateway" }));
    log.clear();

    const subnetId = idOf(await createOne(subnets, { network_id: networkId, ...slaac }));

    const shown = await ports.show(admin, port);
    assert.deepEqual(addressesOf(shown), ["10.0.0.2", "2001:db8::f816:3eff:fe12:3456"]);
    assert.equal(shown["revision_number"], 2);
    assert.deepEqual(addressesOf(await ports.show(admin, router)), ["10.0.0.3"]);
    assert.deepEqual(
      log.items.map((item) => [item.kind, item.id]),
      [
        ["subnet", subnetId],
        ["port", port],
      ],
    );

    await subnets.remove(admin, subnetId);

    assert.deepEqual(addressesOf(await ports.show(admin, port)), ["10.0.0.2"]);
    assert.equal((await ports.show(admin, port))["revision_number"], 3);
  });

  test("a subnet stays while a port that is not the server's own has an address of it", async () => {
    const services = servicesOn(await openFresh());
    const { subnets, ports, log } = services;
    const { networkId, subnetId } = await networkWithSubnet(services);
    const dhcp = idOf(await createOne(ports, { network_id: networkId, device_owner: "network:dhcp" }));
    const port = idOf(await createOne(ports, { network_id: networkId }));
    await assertFault(subnets.remove(admin, subnetId), "SubnetInUse", new RegExp(port));
    await ports.remove(admin, port);
    log.clear();

    await subnets.remove(admin, subnetId);

    assert.deepEqual(addressesOf(await ports.show(admin, dhcp)), []);
    assert.deepEqual(
      log.items.map((item) => [item.op, item.kind, item.id]),
      [
        ["upsert", "port", dhcp],
        ["delete", "subnet", subnetId],
      ],
    );
    await assertFault(subnets.show(admin, subnetId), "SubnetNotFound");
  });

  test("DHCP that is turned on asks for an agent; with IPv6 modes it cannot be turned off", async () => {
    const services = servicesOn(await openFresh());
    const { subnets, log } = services;
    const { networkId, subnetId } = await networkWithSubnet(services, { subnet: { enable_dhcp: false } });
    assert.deepEqual(log.scheduled, []);
    const ipv6 = idOf(await createOne(subnets, { network_id: networkId, ...slaac }));
    log.clear();

    await subnets.update(admin, subnetId, { enable_dhcp: true });

    assert.deepEqual(log.scheduled, [networkId]);
    await assertFault(subnets.update(admin, ipv6, { enable_dhcp: false }), "InvalidInput", /enable_dhcp/);
  });

  test("whatever is in the way is named, but no more than ten of it", async () => {
    const services = servicesOn(await openFresh());
    const { networkId, subnetId } = await networkWithSubnet(services);
    const ten = (await services.ports.create(admin, Array(10).fill({ network_id: networkId }))).map(idOf);
    const refusals = async (): Promise<readonly string[]> => {
      const both = [services.subnets.remove(admin, subnetId), services.networks.remove(admin, networkId)];
      return (await Promise.allSettled(both)).map((one) => (one.status === "rejected" ? String(one.reason) : "not refused"));
    };

    for (const message of await refusals()) for (const id of ten) assert.ok(message.includes(id), message);
    await services.ports.create(admin, Array(25).fill({ network_id: networkId }));
    for (const message of await refusals()) {
      assert.match(message, /InUse|in use|allocation/);
      assert.match(message, / and 25 more \(35 in all\)/);
      assert.equal(message.match(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g)?.length, 11, "ten ports, and what they are in");
    }
  });

  test("strangers neither see a private network's subnets nor add any, on a shared one they see them", async () => {
    const services = servicesOn(await openFresh());
    const { subnets } = services;
    const hidden = await networkWithSubnet(services);
    const open = await networkWithSubnet(services, { network: { shared: true } });
    const stranger = member("p2");
    const body = (network_id: string) => ({ network_id, ip_version: 4, cidr: "10.9.0.0/24" });

    assert.deepEqual((await subnets.list(stranger, everything)).map(idOf), [open.subnetId]);
    await assertFault(subnets.show(stranger, hidden.subnetId), "SubnetNotFound");
    await assertFault(subnets.remove(stranger, hidden.subnetId), "SubnetNotFound");
    await assertFault(subnets.remove(stranger, open.subnetId), "PolicyNotAuthorized");
    await assertFault(subnets.create(stranger, [body(hidden.networkId)]), "NetworkNotFound");
    await assertFault(subnets.create(stranger, [body(open.networkId)]), "PolicyNotAuthorized");
  });
});
