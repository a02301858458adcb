// Many clients at once: nothing is given twice, and what is refused is refused for a reason that a client understands.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiFault } from "../../../src/types/api-faults.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { admin, everything, idOf, servicesOn } from "../../helpers/network-services.ts";
import { RouterSite } from "../../helpers/router-site.ts";

const clients = Array.from({ length: 16 }, (_, n) => n);

/** The types of the faults, and how often each; anything else that was thrown is a failure of the test. */
async function outcomes(work: readonly Promise<unknown>[]): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  for (const result of await Promise.allSettled(work)) {
    if (result.status === "rejected" && !(result.reason instanceof ApiFault)) throw result.reason;
    const name = result.status === "fulfilled" ? "done" : (result.reason as ApiFault).type;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

forEachDatabase((_name, openFresh) => {
  const open = async (pool: object = {}) => {
    const services = servicesOn(await openFresh());
    const site = new RouterSite(services);
    const outside = await site.external({ ...pool });
    const inside = await site.internal();
    const routerId = await site.router({ external_gateway_info: { network_id: outside.networkId } });
    await site.add(routerId, { subnetId: inside.subnetId });
    return { services, site, outside, inside, routerId };
  };

  test("of 16 clients that associate a floating IP of their own with one port, one succeeds", async () => {
    const { services, site, outside, inside } = await open();
    const portId = await site.portId(inside.networkId);
    const ids: string[] = [];
    for (const _ of clients) ids.push(idOf(await site.floatingIp(outside.networkId)));

    const counts = await outcomes(ids.map((id) => services.floatingIps.update(admin, id, { port_id: portId })));

    assert.deepEqual(counts, { done: 1, FloatingIPPortAlreadyAssociated: 15 });
    const bound = (await services.floatingIps.list(admin, everything)).filter((floating) => floating["port_id"] !== null);
    assert.equal(bound.length, 1);
  });

  test("16 clients that take from a pool of five get five addresses, each once", async () => {
    // Six are in the pool; the router has one of them.
    const { services, outside, site } = await open({ allocation_pools: [{ start: "203.0.113.10", end: "203.0.113.15" }] });

    const counts = await outcomes(clients.map(() => site.floatingIp(outside.networkId)));

    assert.deepEqual(counts, { done: 5, IpAddressGenerationFailure: 11 });
    const all = await services.floatingIps.list(admin, everything);
    assert.equal(new Set(all.map((floating) => floating["floating_ip_address"])).size, 5);
    assert.equal(
      (await services.ports.list(admin, everything)).filter((port) => port["device_owner"] === "network:floatingip").length,
      5,
    );
  });

  test("one floating IP that 16 clients want for ports of theirs leads to one of them in the end", async () => {
    const { services, site, outside, inside, routerId } = await open();
    const id = idOf(await site.floatingIp(outside.networkId));
    const ports: string[] = [];
    for (const _ of clients) ports.push(await site.portId(inside.networkId));

    const counts = await outcomes(ports.map((portId) => services.floatingIps.update(admin, id, { port_id: portId })));

    assert.deepEqual(counts, { done: 16 });
    const floating = await services.floatingIps.show(admin, id);
    assert.ok(ports.includes(String(floating["port_id"])));
    assert.deepEqual([floating["router_id"], floating["revision_number"]], [routerId, 17]);
  });

  test("associating while interfaces, ways out and ports are taken away leaves no floating IP that leads nowhere", async () => {
    const { services, site, outside, inside, routerId } = await open();
    const scenes: { readonly id: string; readonly portId: string }[] = [];
    for (const _ of clients.slice(0, 8)) {
      const id = idOf(await site.floatingIp(outside.networkId));
      scenes.push({ id, portId: await site.portId(inside.networkId) });
    }

    const counts = await outcomes([
      ...scenes.map(({ id, portId }) => services.floatingIps.update(admin, id, { port_id: portId })),
      ...scenes.slice(0, 4).map(({ portId }) => services.ports.remove(admin, portId)),
      site.remove(routerId, { subnetId: inside.subnetId }),
      site.setGateway(routerId, null),
    ]);

    const known = new Set([
      "done",
      "PortNotFound",
      "ExternalGatewayForFloatingIPNotFound",
      "RouterInterfaceInUseByFloatingIP",
      "RouterExternalGatewayInUseByFloatingIp",
    ]);
    for (const name of Object.keys(counts)) assert.ok(known.has(name), `${name} is no reason`);
    const ports = new Map((await services.ports.list(admin, everything)).map((port) => [port["id"], port]));
    const router = await site.showRouter(routerId);
    for (const floating of await services.floatingIps.list(admin, everything)) {
      if (floating["port_id"] === null) {
        assert.deepEqual([floating["router_id"], floating["fixed_ip_address"]], [null, null]);
        continue;
      }
      assert.ok(ports.has(floating["port_id"]), "it leads to a port that is gone");
      assert.notEqual(router["external_gateway_info"], null, "it leads through a router without a way out");
      assert.ok([...ports.values()].some((port) => port["device_owner"] === "network:router_interface"));
    }
  });

  test("16 clients that forward the same port, and 16 that forward their own", async () => {
    const { services, site, outside, inside } = await open();
    const portId = await site.portId(inside.networkId, { fixed_ips: [{ ip_address: "10.0.0.5" }] });
    const id = idOf(await site.floatingIp(outside.networkId));
    const target = { internal_port_id: portId, internal_ip_address: "10.0.0.5" };
    const forward = (external_port: number, internal_port: number): Promise<unknown> =>
      site.forward(id, { ...target, external_port, internal_port });

    assert.deepEqual(await outcomes(clients.map((n) => forward(80, 8000 + n))), { done: 1, BadRequest: 15 });
    assert.deepEqual(await outcomes(clients.map((n) => forward(100 + n, 100 + n))), { done: 16 });

    const all = await services.portForwardings(id).list(admin, everything);
    assert.equal(all.length, 17);
    const own = services.portForwardings(id);
    assert.deepEqual(await outcomes(all.map((item) => own.remove(admin, idOf(item)))), { done: 17 });
    assert.equal((await services.floatingIps.show(admin, id))["router_id"], null);
  });

  test("one router that 16 clients join to subnets and one way out has each of them once", async () => {
    const { services, site, outside } = await open();
    const routerId = await site.router();
    const networks = await Promise.all(clients.map((n) => site.internal(`10.77.${n}.0/24`)));
    const same = networks[0]?.subnetId;

    const counts = await outcomes([
      ...networks.map(({ subnetId }) => site.add(routerId, { subnetId })),
      ...clients.map(() => site.add(routerId, { subnetId: same })),
      ...clients.map(() => site.setGateway(routerId, { network_id: outside.networkId })),
    ]);

    assert.deepEqual(counts, { done: 32, BadRequest: 16 });
    const query = { ...everything, filters: [{ attribute: "device_id", values: [routerId] }] };
    assert.equal((await services.ports.list(admin, query)).length, 17);
  });
});
