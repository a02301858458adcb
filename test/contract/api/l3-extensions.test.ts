// What clients may count on with routers and floating IPs, alias by alias: for each that the server tells there is a test that
// what it promises is there. On a whole server, with two hosts that are only their agents' end of the wire.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { silentLogger } from "../../../src/base/logger.ts";
import { openStore } from "../../../src/server/store/database.ts";
import type { ResourceDeclaration } from "../../../src/types/resources/declaration.ts";
import { floatingIpResource } from "../../../src/types/resources/floating-ips.ts";
import { networkResource } from "../../../src/types/resources/networks.ts";
import { portForwardingResource } from "../../../src/types/resources/port-forwardings.ts";
import { routerResource } from "../../../src/types/resources/routers.ts";
import type { Answer } from "../../helpers/fake-api.ts";
import { L3Site } from "../../helpers/l3-site.ts";
import { routerIn } from "../../helpers/raw-l3-agent.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const hosts = ["east-1", "west-1"] as const;

let server: L3Site;
let api: RealApi;
let ids: Readonly<Record<"outside" | "inside" | "subnet" | "router" | "port" | "floating" | "spare", string>>;
const agents = new Map<string, Awaited<ReturnType<L3Site["host"]>>>();

before(async () => {
  const store = await openStore("sqlite::memory:", silentLogger);
  server = await L3Site.start(store);
  api = new RealApi(store, server.rig.parts.services);
  for (const name of hosts) {
    const [l3, fip] = [server.l3(name), server.fip(name)];
    l3.availabilityZone = name.slice(0, 4);
    await l3.sync();
    await fip.sync();
    agents.set(name, { l3, fip });
  }
  const outside = await api.create("network", { "router:external": true });
  await api.create("subnet", { network_id: outside.id, ip_version: 4, cidr: "203.0.113.0/24", enable_dhcp: false });
  const inside = await api.create("network", {});
  const subnet = await api.create("subnet", { network_id: inside.id, ip_version: 4, cidr: "10.0.0.0/24" });
  const router = await api.create("router", {
    external_gateway_info: { network_id: outside.id },
    availability_zone_hints: ["east"],
  });
  await change(`routers/${router.id}/add_router_interface`, { subnet_id: subnet.id });
  const port = await api.create("port", { network_id: inside.id, name: "target", fixed_ips: [{ ip_address: "10.0.0.5" }] });
  const floating = await api.create("floatingip", { floating_network_id: outside.id, port_id: port.id });
  const spare = await api.create("floatingip", { floating_network_id: outside.id });
  ids = {
    ...{ outside: outside.id, inside: inside.id, subnet: subnet.id, router: router.id },
    ...{ port: port.id, floating: floating.id, spare: spare.id },
  };
});
after(async () => {
  await server?.rig.parts.close();
  await api?.close();
  await server?.rig.bus.close();
});

const read = async (path: string): Promise<Record<string, unknown>> => {
  const { status, body, text } = await api.ask(`/v2.0/${path}`);
  assert.equal(status, 200, text);
  return body;
};
const show = async (kind: string, id: string): Promise<Body> => (await read(`${kind}s/${id}`))[kind] as Body;
const send = (method: string, path: string, body?: unknown): Promise<Answer> => api.ask(`/v2.0/${path}`, { method, body });
async function change(path: string, body: unknown): Promise<Record<string, unknown>> {
  const answer = await send("PUT", path, body);
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
}
const setRouter = async (changes: object): Promise<Body> =>
  (await change(`routers/${ids.router}`, { router: changes }))["router"] as Body;
const idsOf = (objects: readonly Body[]): readonly string[] => objects.map(({ id }) => id);
const agentIds = (): Promise<readonly string[]> => Promise.all(hosts.map((host) => server.agentId(host)));

async function forward(body: object): Promise<Body> {
  const target = { protocol: "tcp", internal_port_id: await spareTarget(), internal_ip_address: "10.0.0.6" };
  const answer = await send("POST", `floatingips/${ids.spare}/port_forwardings`, { port_forwarding: { ...target, ...body } });
  assert.equal(answer.status, 201, answer.text);
  return answer.body["port_forwarding"] as Body;
}

/** A port without a floating IP of its own; made once. */
async function spareTarget(): Promise<string> {
  const [known] = await api.list("ports", "?name=spare");
  return (known ?? (await api.create("port", { ...spareWishes(), name: "spare" }))).id;
}
const spareWishes = () => ({ network_id: ids.inside, fixed_ips: [{ ip_address: "10.0.0.6" }] });

const proofs: Readonly<Record<string, () => Promise<void>>> = {
  router: async () => {
    const router = await show("router", ids.router);
    assert.deepEqual([router["admin_state_up"], (await show("floatingip", ids.floating))["router_id"]], [true, ids.router]);
    const ports = await api.list("ports", `?device_id=${ids.router}`);
    const owners = ports.map((port) => String(port["device_owner"])).toSorted();
    assert.deepEqual(owners, ["network:router_gateway", "network:router_interface"]);
  },
  "external-net": async () => {
    assert.deepEqual(idsOf(await api.list("networks", "?router:external=true")), [ids.outside]);
    assert.equal((await show("network", ids.inside))["router:external"], false);
  },
  "ext-gw-mode": async () => {
    const info = { network_id: ids.outside, enable_snat: false };
    const told = (await setRouter({ external_gateway_info: info }))["external_gateway_info"];
    assert.equal((told as { readonly enable_snat: boolean }).enable_snat, false);
  },
  "router-enable-snat": async () => {
    for (const enable_snat of [false, true]) {
      await setRouter({ external_gateway_info: { network_id: ids.outside, enable_snat } });
      assert.equal((await show("router", ids.router))["enable_snat"], enable_snat);
      assert.equal(idsOf(await api.list("routers", "?enable_snat=false")).includes(ids.router), !enable_snat);
    }
  },
  extraroute: async () => {
    const routes = [{ destination: "10.8.0.0/16", nexthop: "10.0.0.8" }];
    assert.deepEqual((await setRouter({ routes }))["routes"], routes);
    assert.deepEqual((await setRouter({ routes: [] }))["routes"], []);
  },
  "extraroute-atomic": async () => {
    const [one, two] = [8, 9].map((n) => ({ destination: `10.${n}.0.0/16`, nexthop: `10.0.0.${n}` }));
    const routesAfter = async (verb: string, route: unknown): Promise<unknown> => {
      const answer = await change(`routers/${ids.router}/${verb}_extraroutes`, { router: { routes: [route] } });
      return (answer["router"] as Body)["routes"];
    };
    await routesAfter("add", one);
    assert.deepEqual(await routesAfter("add", two), [one, two]);
    assert.deepEqual(await routesAfter("remove", one), [two]);
    assert.deepEqual(await routesAfter("remove", two), []);
  },
  ecmp_routes: async () => {
    const routes = [8, 9].map((n) => ({ destination: "10.8.0.0/16", nexthop: `10.0.0.${n}` }));
    assert.deepEqual((await setRouter({ routes }))["routes"], routes);
    // Both reach the host, where they become one route with two ways: test/netns/drivers/nft-router/routes.test.ts.
    const { l3 } = agents.get(hosts[0]) ?? assert.fail();
    const told = routerIn((await l3.snapshot()).find(({ id }) => id === ids.router));
    assert.deepEqual(told.routes, routes);
    assert.deepEqual((await setRouter({ routes: [] }))["routes"], []);
  },
  "l3-port-ip-change-not-allowed": async () => {
    const [port] = await api.list("ports", `?device_id=${ids.router}&device_owner=network:router_interface`);
    const fixed_ips = [{ subnet_id: ids.subnet, ip_address: "10.0.0.99" }];
    const answer = await send("PUT", `ports/${port?.id}`, { port: { fixed_ips } });
    assert.equal(answer.status, 400, answer.text);
    assert.deepEqual((await show("port", port?.id ?? ""))["fixed_ips"], port?.["fixed_ips"]);
  },
  l3_agent_scheduler: async () => {
    const [east = "", west = ""] = await agentIds();
    const at = `agents/${east}/l3-routers`;
    const hosted = async (): Promise<readonly string[]> => idsOf(await api.list(at, "", {}, "routers"));
    assert.ok((await hosted()).includes(ids.router));
    assert.deepEqual(idsOf(await api.list(`routers/${ids.router}/l3-agents`, "", {}, "agents")), [east]);
    assert.equal((await send("DELETE", `${at}/${ids.router}`)).status, 204);
    assert.deepEqual(await api.list(`routers/${ids.router}/l3-agents`, "", {}, "agents"), []);
    assert.equal((await send("POST", at, { router_id: ids.router })).status, 201);
    assert.ok((await hosted()).includes(ids.router));
    assert.ok(!idsOf(await api.list(`agents/${west}/l3-routers`, "", {}, "routers")).includes(ids.router));
  },
  router_availability_zone: async () => {
    const router = await show("router", ids.router);
    assert.deepEqual([router["availability_zone_hints"], router["availability_zones"]], [["east"], ["east"]]);
  },
  availability_zone: async () => {
    const zones = await api.list("availability_zones");
    const told = zones.map(({ name, resource, state }) => [name, resource, state].map(String).join(" ")).toSorted();
    assert.deepEqual(told, ["east router available", "west router available"]);
  },
  availability_zone_filter: async () => {
    const count = async (query: string): Promise<number> => (await api.list("availability_zones", query)).length;
    const counts = [await count("?name=east"), await count("?resource=network"), await count("?state=available")];
    assert.deepEqual(counts, [1, 0, 2]);
  },
  "l3-ha": async () => {
    const { id } = await api.create("router", { ha: true });
    const { subnet_id } = await subnetFor("10.6.0.0/24");
    await change(`routers/${id}/add_router_interface`, { subnet_id });
    for (const [host, { l3 }] of agents) {
      await l3.report({ haStates: [{ routerId: id, state: host === hosts[0] ? "primary" : "backup" }] });
    }
    const states = async (): Promise<unknown> =>
      (await api.list(`routers/${id}/l3-agents`, "", {}, "agents"))
        .map((agent) => `${String(agent["host"])} ${String(agent["ha_state"])}`)
        .toSorted();
    assert.equal((await show("router", id))["ha"], true);
    assert.deepEqual(await states(), [`${hosts[0]} active`, `${hosts[1]} standby`]);
    assert.ok(idsOf(await api.list("routers", "?ha=true")).includes(id));
    const owners = (await api.list("ports", `?device_id=${id}&device_owner=network:router_ha_interface`)).length;
    assert.equal(owners, hosts.length);
  },
  "status-reason": async () => {
    const { l3, fip } = agents.get(hosts[0]) ?? assert.fail();
    const router = await show("router", ids.router);
    const floating = await show("floatingip", ids.floating);
    assert.deepEqual([router["status_reason"], floating["status_reason"]], [null, null]);
    const broken = ({ id, revision_number }: Body, reason: string) => ({
      id,
      revision: revision_number,
      status: "ERROR",
      reason,
    });
    await l3.report({ routers: [broken(router, "no bridge")] });
    await fip.report({ floatingIps: [broken(floating, "no route")] });
    const told = [await show("router", ids.router), await show("floatingip", ids.floating)];
    assert.deepEqual(
      told.map((one) => [one["status"], one["status_reason"]]),
      [
        ["ERROR", "no bridge"],
        ["ERROR", "no route"],
      ],
    );
  },
  "fip-port-details": async () => {
    const details = (await show("floatingip", ids.floating))["port_details"] as Readonly<Record<string, unknown>>;
    assert.deepEqual([details["name"], details["network_id"]], ["target", ids.inside]);
    assert.equal((await show("floatingip", ids.spare))["port_details"], null);
  },
  "floating-ip-port-forwarding": async () => {
    const { id } = await forward({ external_port: 80, internal_port: 8080 });
    const path = `floatingips/${ids.spare}/port_forwardings`;
    const shown = (await read(`${path}/${id}`))["port_forwarding"] as Body;
    assert.deepEqual([shown["external_port"], shown["internal_port"], shown["protocol"]], [80, 8080, "tcp"]);
    assert.equal((await send("DELETE", `${path}/${id}`)).status, 204);
    assert.ok(!idsOf(await api.list(path, "", {}, "port_forwardings")).includes(id));
  },
  "floating-ip-port-forwarding-description": async () => {
    const { id } = await forward({ external_port: 81, internal_port: 81, description: "mail" });
    const path = `floatingips/${ids.spare}/port_forwardings`;
    assert.deepEqual(idsOf(await api.list(path, "?description=mail", {}, "port_forwardings")), [id]);
  },
  "floating-ip-port-forwarding-port-ranges": async () => {
    const made = await forward({ external_port_range: "9000:9009", internal_port_range: "200:209" });
    const told = [made["external_port_range"], made["internal_port_range"], made["external_port"]];
    assert.deepEqual(told, ["9000:9009", "200:209", null]);
  },
  "floating-ip-port-forwarding-detail": async () => {
    const { id, internal_port_id } = await forward({ external_port: 83, internal_port: 83 });
    const told = (await show("floatingip", ids.spare))["port_forwardings"] as readonly Body[];
    assert.equal(told.find((one) => one.id === id)?.["internal_port_id"], internal_port_id);
    assert.notEqual(internal_port_id, undefined);
  },
  "floatingip-pools": async () => {
    const [pool] = await api.list("floatingip_pools", "?cidr=203.0.113.0/24");
    assert.equal(pool?.["network_id"], ids.outside);
  },
  "expose-port-forwarding-in-fip": async () => {
    const { external_port } = await forward({ external_port: 82, internal_port: 82 });
    const told = (await show("floatingip", ids.spare))["port_forwardings"] as readonly Body[];
    assert.ok(told.some((one) => one["external_port"] === external_port && one["internal_ip_address"] === "10.0.0.6"));
  },
};

async function subnetFor(cidr: string): Promise<{ readonly subnet_id: string }> {
  const network = await api.create("network", {});
  return { subnet_id: (await api.create("subnet", { network_id: network.id, ip_version: 4, cidr })).id };
}

const advertised = async (): Promise<ReadonlySet<string>> => {
  const { extensions } = await read("extensions");
  return new Set((extensions as readonly { readonly alias: string }[]).map(({ alias }) => alias));
};
const aliasesOf = (...resources: readonly ResourceDeclaration[]): readonly string[] =>
  resources.flatMap(({ alias, attributes }) => [alias, ...Object.values(attributes).map((attribute) => attribute.alias)]);

for (const [alias, prove] of Object.entries(proofs)) {
  test(`the alias ${alias} is told, and holds`, async () => {
    assert.ok((await advertised()).has(alias), "it is not told");
    await prove();
  });
}

test("every alias of routers and floating IPs that is told has a test here", async () => {
  const ofAll = new Set(aliasesOf(networkResource));
  const own = aliasesOf(routerResource, floatingIpResource, portForwardingResource).filter((alias) => !ofAll.has(alias));
  const named = [...(await advertised())].filter((alias) => /router|l3[-_]|fip|floating|route|gw/.test(alias));
  const told = await advertised();

  const unproven = [...new Set([...own.filter((alias) => told.has(alias)), ...named])].filter((alias) => !(alias in proofs));

  assert.deepEqual(unproven, []);
});
