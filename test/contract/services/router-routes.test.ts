import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attributes } from "../../../src/server/services/resource-service.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { assertFault } from "../../helpers/faults.ts";
import { admin, servicesOn } from "../../helpers/network-services.ts";
import { RouterSite } from "../../helpers/router-site.ts";

const route = (destination: string, nexthop: string) => ({ destination, nexthop });

forEachDatabase((_name, openFresh) => {
  /** A router with a way out (203.0.113.0/24) and one subnet (10.0.0.0/24). */
  const open = async () => {
    const services = servicesOn(await openFresh());
    const site = new RouterSite(services);
    const { routerId, inside, outside } = await site.joined();
    const set = (...routes: readonly object[]): Promise<Attributes> => services.routers.update(admin, routerId, { routes });
    const action = { context: admin, id: routerId };
    return { services, site, routerId, inside, outside, set, action };
  };

  test("L3-70, L3-71: routes are replaced as a whole; several with one destination are kept in their order", async () => {
    const { set, services, routerId } = await open();
    const both = [route("10.9.0.0/16", "10.0.0.9"), route("10.9.0.0/16", "10.0.0.8"), route("192.0.2.0/24", "203.0.113.254")];

    assert.deepEqual((await set(...both))["routes"], both);
    const revision = (await services.routers.show(admin, routerId))["revision_number"];
    assert.equal((await set(...both))["revision_number"], revision);
    assert.deepEqual((await set(route("10.9.0.0/16", "10.0.0.8")))["routes"], [route("10.9.0.0/16", "10.0.0.8")]);
    assert.deepEqual((await set())["routes"], []);
  });

  test("routes are added and removed without the others; what is there or not there already is no error", async () => {
    const { services, set, action } = await open();
    const [one, two, three] = ["10.7.0.0/16", "10.8.0.0/16", "10.9.0.0/16"].map((cidr) => route(cidr, "10.0.0.9"));
    assert.ok(one !== undefined && two !== undefined && three !== undefined);
    await set(one);

    const added = await services.routers.addRoutes(action, [one, two, three]);
    assert.deepEqual(added["routes"], [one, two, three]);
    const removed = await services.routers.removeRoutes(action, [two, route("10.1.0.0/16", "10.0.0.9")]);
    assert.deepEqual(removed["routes"], [one, three]);
    const again = await services.routers.removeRoutes(action, [two]);
    assert.equal(again["revision_number"], removed["revision_number"]);
  });

  test("a next hop is a neighbour of the router, and not the router itself", async () => {
    const { set, services, site, routerId } = await open();
    const extra = await site.internal("10.5.0.0/24");
    const outsideOnly = await site.showRouter(routerId);
    const info = outsideOnly["external_gateway_info"] as {
      readonly external_fixed_ips: readonly { readonly ip_address: string }[];
    };

    const table = [
      [route("10.9.0.0/16", "10.0.0.1"), /used by router/],
      [route("10.9.0.0/16", info.external_fixed_ips[0]?.ip_address ?? ""), /used by router/],
      [route("10.9.0.0/16", "10.5.0.9"), /not connected/],
      [route("10.9.0.0/16", "2001:db8::1"), /another IP version/],
      [route("2001:db8:9::/64", "10.0.0.9"), /another IP version/],
    ] as const;
    for (const [wrong, text] of table) await assertFault(set(wrong), "InvalidRoutes", text);

    await site.add(routerId, { subnetId: extra.subnetId });
    await set(route("10.9.0.0/16", "10.5.0.9"));
    assert.equal((await services.routers.show(admin, routerId))["status"], "ACTIVE");
  });

  test("thirty routes are enough for everybody", async () => {
    const { set, services, action } = await open();
    const thirty = Array.from({ length: 30 }, (_, n) => route(`10.200.${n}.0/24`, "10.0.0.9"));

    await set(...thirty);

    const more = route("10.201.0.0/24", "10.0.0.9");
    await assertFault(services.routers.addRoutes(action, [more]), "RoutesExhausted", /exceeds the maximum 30/);
    await services.routers.addRoutes(action, thirty);
    await assertFault(set(...thirty, more), "RoutesExhausted");
  });

  test("an interface that a route needs stays, whichever way it is to be removed", async () => {
    const { set, services, site, routerId, inside } = await open();
    await set(route("10.9.0.0/16", "10.0.0.9"));

    await assertFault(site.remove(routerId, { subnetId: inside.subnetId }), "RouterInterfaceInUseByRoute", /10\.9\.0\.0\/16/);
    await set();
    await site.remove(routerId, { subnetId: inside.subnetId });
    await services.routers.remove(admin, routerId);
  });

  test("routes that many add at once are all there in the end", async () => {
    const { services, action, routerId } = await open();
    const all = Array.from({ length: 16 }, (_, n) => route(`10.200.${n}.0/24`, "10.0.0.9"));

    await Promise.all(all.map((one) => services.routers.addRoutes(action, [one])));
    const router = await services.routers.show(admin, routerId);
    assert.equal((router["routes"] as readonly unknown[]).length, 16);
    await Promise.all(all.map((one) => services.routers.removeRoutes(action, [one])));

    assert.deepEqual((await services.routers.show(admin, routerId))["routes"], []);
  });
});
