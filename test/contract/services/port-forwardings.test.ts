import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attributes, RequestContext } from "../../../src/server/services/resource-service.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { assertFault } from "../../helpers/faults.ts";
import { admin, everything, idOf, member, servicesOn } from "../../helpers/network-services.ts";
import { RouterSite, tenantProject } from "../../helpers/router-site.ts";

const nowhere = "99999999-2222-4333-8444-555555555555";
const tenant = member(tenantProject);

forEachDatabase((_name, openFresh) => {
  /** A floating IP that leads nowhere, a router, and a port that has 10.0.0.5 and 10.0.0.6. */
  const open = async () => {
    const services = servicesOn(await openFresh());
    const site = new RouterSite(services);
    const joined = await site.joined();
    const fixedIps = [{ ip_address: "10.0.0.5" }, { ip_address: "10.0.0.6" }];
    const portId = await site.portId(joined.inside.networkId, { fixed_ips: fixedIps });
    const floatingIpId = idOf(await site.floatingIp(joined.outside.networkId));
    const to = (external: unknown, internal: unknown, more: object = {}): Attributes => ({
      ...{ internal_port_id: portId, internal_ip_address: "10.0.0.5" },
      ...(typeof external === "number" ? { external_port: external } : { external_port_range: external }),
      ...(typeof internal === "number" ? { internal_port: internal } : { internal_port_range: internal }),
      ...more,
    });
    const forward = (external: unknown, internal: unknown, more: object = {}): Promise<Attributes> =>
      site.forward(floatingIpId, to(external, internal, more));
    const own = services.portForwardings(floatingIpId);
    const list = (context: RequestContext = admin) => own.list(context, everything);
    const showFip = () => services.floatingIps.show(admin, floatingIpId);
    return { services, site, ...joined, portId, floatingIpId, to, forward, own, list, showFip };
  };

  test("L3-63: the first forwarding gives the floating IP to a router, the last one takes it back", async () => {
    const { routerId, forward, own, showFip, list } = await open();

    const one = await forward(80, 8080, { description: "web" });

    const { id, internal_port_id, ...rest } = one;
    assert.deepEqual(rest, {
      protocol: "tcp",
      internal_ip_address: "10.0.0.5",
      internal_port: 8080,
      internal_port_range: "8080:8080",
      external_port: 80,
      external_port_range: "80:80",
      description: "web",
    });
    const carrying = await showFip();
    assert.deepEqual([carrying["router_id"], carrying["port_id"], carrying["status"]], [routerId, null, "DOWN"]);
    assert.deepEqual(carrying["port_forwardings"], [
      {
        ...{ id, internal_port_id },
        protocol: "tcp",
        internal_ip_address: "10.0.0.5",
        internal_port: 8080,
        internal_port_range: "8080:8080",
        external_port: 80,
        external_port_range: "80:80",
      },
    ]);
    const two = await forward(81, 8081);
    assert.ok(Number((await showFip())["revision_number"]) > Number(carrying["revision_number"]));
    assert.deepEqual(new Set((await list()).map((item) => item["id"])), new Set([id, two["id"]]));
    await own.remove(tenant, String(id));
    assert.equal((await showFip())["router_id"], routerId);
    await own.remove(tenant, idOf(two));
    const free = await showFip();
    assert.deepEqual([free["router_id"], free["port_forwardings"], free["status"]], [null, [], "DOWN"]);
    assert.equal(typeof internal_port_id, "string");
  });

  test("L3-65: ranges are of one size, or lead to a single port; nothing else fits", async () => {
    const { forward } = await open();

    const many = await forward("8000:8009", "9000:9009");
    assert.deepEqual(
      [many["external_port"], many["external_port_range"], many["internal_port"], many["internal_port_range"]],
      [null, "8000:8009", null, "9000:9009"],
    );
    const funnel = await forward("7000:7009", 443);
    assert.deepEqual([funnel["internal_port"], funnel["external_port_range"]], [443, "7000:7009"]);
    await forward("53:53", 53, { protocol: "udp" });

    const table = [
      [() => forward("6000:6009", "5000:5004"), /do not fit/],
      [() => forward(6000, "5000:5004"), /do not fit/],
      [() => forward(undefined, 5000), /needs an external and an internal port/],
      [() => forward(6000, undefined), /needs an external and an internal port/],
      [() => forward(6000, 5000, { external_port_range: "6001:6001" }), /cannot be given together/],
      [() => forward(6000, 5000, { protocol: "icmp" }), /has no ports/],
      [() => forward(undefined, undefined, { protocol: "ipv6-icmp" }), /cannot be forwarded/],
    ] as const;
    for (const [work, text] of table) await assertFault(work(), "BadRequest", text);
    const echo = await forward(undefined, undefined, { protocol: "icmp" });
    assert.deepEqual([echo["external_port"], echo["external_port_range"]], [null, null]);
    await assertFault(
      forward(undefined, undefined, { protocol: "icmp", internal_ip_address: "10.0.0.6" }),
      "BadRequest",
      /duplicate/,
    );
  });

  test("L3-69: a port outside leads to one place for each protocol, and a port inside is led to once", async () => {
    const { services, site, inside, outside, forward, portId } = await open();
    await forward("8000:8009", "9000:9009");
    const other = await site.portId(inside.networkId, { fixed_ips: [{ ip_address: "10.0.0.50" }] });
    const elsewhere = { internal_port_id: other, internal_ip_address: "10.0.0.50" };

    const clashes = [
      [8000, 80],
      [8009, 80],
      ["7999:8000", "80:81"],
      ["8009:8011", 80],
      ["8003:8004", "80:81"],
    ] as const;
    for (const [external, internal] of clashes) {
      await assertFault(forward(external, internal, elsewhere), "BadRequest", /external port with protocol tcp/);
    }
    await forward("8000:8009", "9000:9009", { protocol: "udp" });
    await forward(7999, 80, elsewhere);
    await assertFault(forward(7000, 9005), "BadRequest", /internal port with protocol tcp/);
    await forward(7000, 9005, { internal_ip_address: "10.0.0.6" });
    // Also through another floating IP.
    const second = idOf(await site.floatingIp(outside.networkId));
    const twice = { external_port: 1, internal_port: 9005, internal_port_id: portId, internal_ip_address: "10.0.0.5" };
    await assertFault(site.forward(second, twice), "BadRequest", /internal port/);
    assert.equal((await services.floatingIps.show(admin, second))["router_id"], null);
  });

  test("where a forwarding leads is in reach of one router, has the address, and no floating IP of its own", async () => {
    const { site, inside, outside, forward, floatingIpId, portId, services } = await open();
    const far = await site.internal("10.5.0.0/24");
    const farPort = await site.portId(far.networkId, { fixed_ips: [{ ip_address: "10.5.0.5" }] });
    const farTarget = { internal_port_id: farPort, internal_ip_address: "10.5.0.5" };
    const taken = await site.portId(inside.networkId, { fixed_ips: [{ ip_address: "10.0.0.70" }] });
    await site.floatingIp(outside.networkId, { port_id: taken });
    const takenTarget = { internal_port_id: taken, internal_ip_address: "10.0.0.70" };

    await assertFault(forward(80, 80, { internal_ip_address: "10.0.0.7" }), "BadRequest", /does not have fixed ip/);
    await assertFault(forward(80, 80, { internal_port_id: nowhere }), "PortNotFound");
    await assertFault(forward(80, 80, farTarget), "ExternalGatewayForFloatingIPNotFound");
    await assertFault(forward(80, 80, takenTarget), "PortHasBindingFloatingIP", /10\.0\.0\.70/);
    await forward(80, 80);
    const second = await site.router({ external_gateway_info: { network_id: outside.networkId } });
    await site.add(second, { subnetId: far.subnetId });
    await assertFault(forward(81, 81, farTarget), "BadRequest", /is reached through router/);

    await assertFault(services.floatingIps.update(admin, floatingIpId, { port_id: taken }), "FloatingIPPortAlreadyAssociated");
    const spare = await site.portId(inside.networkId);
    await assertFault(services.floatingIps.update(admin, floatingIpId, { port_id: spare }), "FipInUseByPortForwarding");
    const bound = idOf(await site.floatingIp(outside.networkId));
    const clash = services.floatingIps.update(admin, bound, { port_id: portId, fixed_ip_address: "10.0.0.5" });
    await assertFault(clash, "PortHasPortForwarding", /already has a port forwarding/);
    await services.floatingIps.update(admin, bound, { port_id: portId, fixed_ip_address: "10.0.0.6" });
    const target = { external_port: 9, internal_port: 9, internal_port_id: portId, internal_ip_address: "10.0.0.5" };
    await assertFault(site.forward(bound, target), "FloatingIPPortAlreadyAssociated", /cannot have port forwardings/);
  });

  test("L3-64: a forwarding is changed in parts; what would clash or does not fit changes nothing", async () => {
    const { forward, own, list } = await open();
    const id = idOf(await forward(80, 8080));
    await forward(81, 8081);
    const set = (changes: object, context = tenant) => own.update(context, id, { ...changes });

    assert.equal((await set({ description: "web" }))["external_port"], 80);
    assert.equal((await set({ external_port: 82 }))["internal_port"], 8080);
    assert.equal((await set({ internal_ip_address: "10.0.0.6" }))["internal_ip_address"], "10.0.0.6");
    assert.equal((await set({ protocol: "udp" }))["protocol"], "udp");
    const wide = await set({ external_port_range: "90:99", internal_port_range: "190:199" });
    assert.deepEqual([wide["external_port"], wide["internal_port_range"]], [null, "190:199"]);
    const before = await list();
    await assertFault(set({ external_port_range: "90:94" }), "BadRequest", /do not fit/);
    await assertFault(set({ protocol: "tcp", external_port: 81, internal_port: 9 }), "BadRequest", /duplicate/);
    await assertFault(set({ internal_port_id: nowhere }), "PortNotFound");
    await assertFault(own.update(admin, nowhere, { description: "x" }), "PortForwardingNotFound");
    assert.deepEqual(await list(), before);
    assert.deepEqual(await set({}), wide);
  });

  test("forwardings go with their floating IP and with their port, and keep an interface and an address in place", async () => {
    const { services, site, inside, routerId, portId, forward, floatingIpId, list } = await open();
    const other = await site.portId(inside.networkId, { fixed_ips: [{ ip_address: "10.0.0.50" }] });
    const kept = await forward(80, 80, { internal_port_id: other, internal_ip_address: "10.0.0.50" });
    await forward(81, 81);

    await assertFault(site.remove(routerId, { subnetId: inside.subnetId }), "RouterInterfaceInUseByFloatingIP");
    await assertFault(site.setGateway(routerId, null), "RouterExternalGatewayInUseByFloatingIp");
    const only = { fixed_ips: [{ ip_address: "10.0.0.6" }] };
    await assertFault(services.ports.update(admin, portId, only), "BadRequest", /port forwarding .* leads to it/);
    await services.ports.update(admin, portId, { fixed_ips: [{ ip_address: "10.0.0.5" }] });
    await services.ports.remove(admin, portId);
    assert.deepEqual(
      (await list()).map(({ id }) => id),
      [kept["id"]],
    );
    await services.floatingIps.remove(admin, floatingIpId);
    await assertFault(list(), "FloatingIPNotFound");
    await site.remove(routerId, { subnetId: inside.subnetId });
  });

  test("several are made at once or none of them; strangers see none", async () => {
    const { own, to, list, showFip, services, floatingIpId } = await open();
    const good = { protocol: "tcp", ...to(80, 80) };

    await assertFault(own.create(tenant, [good, { ...good, ...to(80, 90) }]), "BadRequest", /duplicate/);
    assert.deepEqual([await list(), (await showFip())["router_id"]], [[], null]);
    const made = await own.create(tenant, [good, { protocol: "tcp", ...to(81, 81) }]);
    assert.deepEqual(
      made.map((item) => item["external_port"]),
      [80, 81],
    );
    const stranger = member("red");
    await assertFault(list(stranger), "FloatingIPNotFound");
    await assertFault(own.remove(stranger, idOf(made[0] ?? {})), "FloatingIPNotFound");
    await assertFault(services.portForwardings(nowhere).list(admin, everything), "FloatingIPNotFound");
    const other = services.portForwardings(nowhere);
    await assertFault(other.show(admin, idOf(made[0] ?? {})), "FloatingIPNotFound");
    assert.equal((await services.portForwardings(floatingIpId).show(admin, idOf(made[0] ?? {})))["id"], made[0]?.["id"]);
  });
});
