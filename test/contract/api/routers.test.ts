// Routers, floating IPs, port forwardings and their agents over HTTP: statuses, bodies, and what must be refused. On each engine
// the tests share one database and follow each other.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { type Ask, faultOf } from "../../helpers/fake-api.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const nowhere = "99999999-2222-4333-8444-555555555555";
const blue = { "x-project-id": "blue" };

let api: RealApi;
let ids: Readonly<Record<"outside" | "inside" | "subnet" | "router" | "port" | "floating" | "spare" | "agent", string>>;

async function fill(): Promise<void> {
  const agent = await api.registerDhcpAgent("node-1");
  const outside = await api.create("network", { "router:external": true });
  await api.create("subnet", { network_id: outside.id, ip_version: 4, cidr: "203.0.113.0/24", enable_dhcp: false });
  const inside = await api.create("network", {}, blue);
  const subnet = await api.create("subnet", { network_id: inside.id, ip_version: 4, cidr: "10.0.0.0/24" }, blue);
  const router = await api.create("router", { external_gateway_info: { network_id: outside.id } }, blue);
  const body = { subnet_id: subnet.id };
  const joined = await api.ask(`/v2.0/routers/${router.id}/add_router_interface`, { method: "PUT", body, headers: blue });
  assert.equal(joined.status, 200, joined.text);
  const port = await api.create("port", { network_id: inside.id, fixed_ips: [{ ip_address: "10.0.0.5" }] }, blue);
  const floating = await api.create("floatingip", { floating_network_id: outside.id, port_id: port.id }, blue);
  const spare = await api.create("floatingip", { floating_network_id: outside.id }, blue);
  ids = {
    ...{ outside: outside.id, inside: inside.id, subnet: subnet.id, router: router.id },
    ...{ port: port.id, floating: floating.id, spare: spare.id, agent },
  };
}

const put = (path: string, body: unknown, headers: Ask["headers"] = {}) =>
  api.ask(`/v2.0/${path}`, { method: "PUT", body, headers });
const post = (path: string, body: unknown, headers: Ask["headers"] = {}) =>
  api.ask(`/v2.0/${path}`, { method: "POST", body, headers });

interface Case {
  readonly what: string;
  readonly ask: () => ReturnType<typeof put>;
  readonly fault: readonly [number, string];
}

const router = (what: string, changes: () => object, fault: Case["fault"], headers: Ask["headers"] = {}): Case => ({
  what: `a router with ${what}`,
  ask: () => put(`routers/${ids.router}`, { router: changes() }, headers),
  fault,
});
const action = (what: string, name: string, body: () => unknown, fault: Case["fault"]): Case => ({
  what,
  ask: () => put(`routers/${ids.router}/${name}`, body()),
  fault,
});
const floating = (what: string, body: () => object, fault: Case["fault"], headers: Ask["headers"] = {}): Case => ({
  what: `a floating IP with ${what}`,
  ask: () => post("floatingips", { floatingip: { floating_network_id: ids.outside, ...body() } }, headers),
  fault,
});
const forwarding = (what: string, body: () => object, fault: Case["fault"]): Case => ({
  what: `a port forwarding with ${what}`,
  ask: () =>
    post(`floatingips/${ids.spare}/port_forwardings`, {
      port_forwarding: {
        ...{ protocol: "tcp", external_port: 80, internal_port: 80 },
        ...{ internal_port_id: ids.port, internal_ip_address: "10.0.0.5", ...body() },
      },
    }),
  fault,
});
const bad = [400, "HTTPBadRequest"] as const;

const cases: readonly Case[] = [
  router("a status", () => ({ status: "ERROR" }), bad),
  router("another project", () => ({ project_id: "red" }), bad),
  router("zones after its birth", () => ({ availability_zone_hints: ["east"] }), bad),
  router("a way out without a network", () => ({ external_gateway_info: { enable_snat: true } }), bad),
  router("a way out with an unknown key", () => ({ external_gateway_info: { network_id: ids.outside, colour: 1 } }), bad),
  router(
    "an address outside that says nothing",
    () => ({ external_gateway_info: { network_id: ids.outside, external_fixed_ips: [{}] } }),
    bad,
  ),
  router("routes to no network", () => ({ routes: [{ destination: "10.9.0.0/33", nexthop: "10.0.0.9" }] }), bad),
  router("a route twice", () => ({ routes: Array(2).fill({ destination: "10.9.0.0/16", nexthop: "10.0.0.9" }) }), bad),
  router("a next hop far away", () => ({ routes: [{ destination: "10.9.0.0/16", nexthop: "192.0.2.1" }] }), [
    400,
    "InvalidRoutes",
  ]),
  router("distribution", () => ({ distributed: true }), bad),
  router("distribution, asked by a member", () => ({ distributed: false }), [403, "PolicyNotAuthorized"], blue),
  router(
    "a way out that does not translate, by a member",
    () => ({ external_gateway_info: { network_id: ids.outside, enable_snat: false } }),
    [403, "PolicyNotAuthorized"],
    blue,
  ),
  router(
    "no way out while a floating IP needs it",
    () => ({ external_gateway_info: null }),
    [409, "RouterExternalGatewayInUseByFloatingIp"],
    blue,
  ),
  router("a name, by a stranger", () => ({ name: "x" }), [404, "RouterNotFound"], { "x-project-id": "red" }),
  action("an interface of nothing", "add_router_interface", () => ({}), [400, "BadRequest"]),
  action("an interface of no id", "add_router_interface", () => ({ subnet_id: "blue" }), bad),
  action("an interface with more words", "add_router_interface", () => ({ subnet_id: ids.subnet, name: "x" }), bad),
  action("an interface of two things", "add_router_interface", () => ({ subnet_id: ids.subnet, port_id: ids.port }), [
    400,
    "BadRequest",
  ]),
  action("an interface twice", "add_router_interface", () => ({ subnet_id: ids.subnet }), [400, "BadRequest"]),
  action("an interface that is needed", "remove_router_interface", () => ({ subnet_id: ids.subnet }), [
    409,
    "RouterInterfaceInUseByFloatingIP",
  ]),
  action("an interface that is none", "remove_router_interface", () => ({ port_id: ids.port }), [
    404,
    "RouterInterfaceNotFound",
  ]),
  action("routes in no envelope", "add_extraroutes", () => ({ routes: [] }), bad),
  action("routes and more", "add_extraroutes", () => ({ router: { routes: [], name: "x" } }), bad),
  action(
    "routes that are none",
    "remove_extraroutes",
    () => ({ router: { routes: [{ destination: "x", nexthop: "y" }] } }),
    bad,
  ),
  floating("no network", () => ({ floating_network_id: undefined }), bad),
  floating("a network that is not external", () => ({ floating_network_id: ids.inside }), [400, "BadRequest"]),
  floating("a router of its own", () => ({ router_id: ids.router }), bad),
  floating(
    "a chosen address, by a member",
    () => ({ floating_ip_address: "203.0.113.77" }),
    [403, "PolicyNotAuthorized"],
    blue,
  ),
  floating("an address that is none", () => ({ floating_ip_address: "203.0.113.777" }), bad),
  floating("a port that has one", () => ({ port_id: ids.port }), [409, "FloatingIPPortAlreadyAssociated"]),
  floating("an address inside and no port", () => ({ fixed_ip_address: "10.0.0.5" }), [400, "BadRequest"]),
  floating("a port of nobody", () => ({ port_id: nowhere }), [404, "PortNotFound"]),
  forwarding("a protocol that has no ports", () => ({ protocol: "ospf" }), bad),
  forwarding("a port beyond all", () => ({ external_port: 65_536 }), bad),
  forwarding("a range backwards", () => ({ external_port: null, external_port_range: "90:80" }), bad),
  forwarding("no port inside", () => ({ internal_port: null }), [400, "BadRequest"]),
  forwarding("a target with a floating IP", () => ({}), [409, "PortHasBindingFloatingIP"]),
  {
    what: "a port forwarding of an unknown floating IP",
    ask: () => api.ask(`/v2.0/floatingips/${nowhere}/port_forwardings`),
    fault: [404, "FloatingIPNotFound"],
  },
  {
    what: "an unknown port forwarding",
    ask: () => api.ask(`/v2.0/floatingips/${ids.spare}/port_forwardings/${nowhere}`),
    fault: [404, "PortForwardingNotFound"],
  },
  {
    what: "deleting a port forwarding at a revision that it does not have",
    ask: () =>
      api.ask(`/v2.0/floatingips/${ids.spare}/port_forwardings/${nowhere}`, {
        method: "DELETE",
        headers: { "if-match": "revision_number=1" },
      }),
    fault: [400, "BadRequest"],
  },
  {
    what: "a router for a DHCP agent",
    ask: () => post(`agents/${ids.agent}/l3-routers`, { router_id: ids.router }),
    fault: [404, "InvalidL3Agent"],
  },
  {
    what: "a router for an agent, by a member",
    ask: () => post(`agents/${ids.agent}/l3-routers`, { router_id: ids.router }, blue),
    fault: [404, "AgentNotFound"],
  },
  {
    what: "the agents of a router, asked by a member",
    ask: () => api.ask(`/v2.0/routers/${ids.router}/l3-agents`, { headers: blue }),
    fault: [404, "RouterNotFound"],
  },
  {
    what: "a zone by its name",
    ask: () => api.ask("/v2.0/availability_zones/nova"),
    fault: [404, "AvailabilityZoneNotFound"],
  },
];

forEachDatabase((_name, _openFresh, freshUrl) => {
  describe("the API of routers", () => {
    before(async () => {
      api = await RealApi.open(await freshUrl());
      await fill();
    });
    after(() => api?.close());

    for (const { what, ask, fault } of cases) {
      const [status, type] = fault;
      test(`${what} is refused with ${status} ${type}, and nothing changes`, async () => {
        const before = await api.dump();

        const answer = faultOf(await ask());

        assert.deepEqual([answer.status, answer.type], [status, type], answer.message);
        assert.equal(await api.dump(), before);
      });
    }

    test("member actions answer 200, with the interface or the router", async () => {
      const { id } = await api.create("router", { name: "other" });
      const port = await api.create("port", { network_id: ids.inside });
      const added = await put(`routers/${id}/add_router_interface`, { port_id: port.id });
      assert.equal(added.status, 200, added.text);
      assert.deepEqual(Object.keys(added.body).sort(), [
        "id",
        "network_id",
        "port_id",
        "project_id",
        "subnet_id",
        "subnet_ids",
        "tenant_id",
      ]);
      const routes = { router: { routes: [{ destination: "10.9.0.0/16", nexthop: "10.0.0.5" }] } };
      for (const verb of ["add", "remove"]) {
        const answer = await put(`routers/${id}/${verb}_extraroutes`, routes);
        assert.equal(answer.status, 200, answer.text);
        assert.equal(((answer.body["router"] as Body)["routes"] as unknown[]).length, verb === "add" ? 1 : 0);
      }
      const stale = await put(`routers/${id}/add_extraroutes`, routes, { "if-match": "revision_number=1" });
      assert.equal(stale.status, 412);
      assert.equal((await put(`routers/${id}/remove_router_interface`, { port_id: port.id })).status, 200);
      assert.equal((await api.ask(`/v2.0/routers/${id}`, { method: "DELETE" })).status, 204);
    });

    test("members see of a router and of a floating IP what is theirs to see", async () => {
      const [own] = await api.list("routers", "", blue);
      assert.deepEqual([own?.id, own?.["ha"], own?.["distributed"]], [ids.router, undefined, undefined]);
      assert.deepEqual(await api.list("routers", "", { "x-project-id": "red" }), []);
      const [all] = await api.list("routers");
      assert.deepEqual([all?.["ha"], all?.["distributed"]], [false, false]);
      assert.equal((await api.list("floatingips", "", blue)).length, 2);
      assert.equal((await api.list("floatingips", `?router_id=${ids.router}`, blue))[0]?.id, ids.floating);
      assert.equal((await api.list("floatingips", "?port_id=&router_id=", blue)).length, 0);
    });

    test("several are made at once, or none of them", async () => {
      const before = await api.dump();
      const good = { floating_network_id: ids.outside };
      assert.equal((await post("floatingips", { floatingips: [good, { ...good, port_id: ids.port }] })).status, 409);
      assert.equal(await api.dump(), before);

      const routers = await post("routers", { routers: [{ name: "one" }, { name: "two" }] }, blue);
      assert.deepEqual(
        [routers.status, (routers.body["routers"] as Body[]).map((each) => each["name"])],
        [201, ["one", "two"]],
      );
    });

    test("what routers have elsewhere and not here is not told of, and zones are listed by what they serve", async () => {
      const { body } = await api.ask("/v2.0/extensions");
      const aliases = new Set((body["extensions"] as readonly { readonly alias: string }[]).map(({ alias }) => alias));
      for (const alias of ["dvr", "external-gateway-multihoming", "qos-fip", "l3-flavors"]) {
        assert.ok(!aliases.has(alias), `${alias} is a lie`);
      }
      const zones = await api.list("availability_zones", "?resource=network", blue);
      assert.deepEqual(zones, [{ name: "nova", resource: "network", state: "available" }] as never);
      assert.deepEqual(await api.list("availability_zones", "?resource=router", blue), []);
    });
  });
});
