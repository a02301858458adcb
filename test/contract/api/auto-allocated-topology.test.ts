// A network that is made when it is asked for, and what can only be looked at, over HTTP on each engine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { DyingStore } from "../../helpers/dying-store.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const blue = { "x-project-id": "blue", "x-roles": "member" };
const path = (project: string): string => `/v2.0/auto-allocated-topology/${project}`;

async function addDefaults(api: RealApi): Promise<void> {
  const outside = await api.create("network", { name: "public", "router:external": true, is_default: true });
  await api.create("subnet", {
    network_id: outside.id,
    ip_version: 4,
    cidr: "203.0.113.0/24",
    enable_dhcp: false,
    name: "outer",
  });
  const pool = { name: "all", prefixes: ["10.0.0.0/16"], default_prefixlen: 26, is_default: true, shared: true };
  await api.create("subnetpool", pool);
}

/** Networks, subnets, routers, interfaces and addresses of the project. */
async function partsOf(api: RealApi): Promise<readonly number[]> {
  const collections = ["networks", "subnets", "routers"] as const;
  const lists = await Promise.all(collections.map((collection) => api.list(collection, "?project_id=blue")));
  const ports = await api.list("ports", "?device_owner=network:router_interface&device_owner=network:router_gateway");
  return [...lists.map((list) => list.length), ports.length];
}

const topologyOf = async (api: RealApi, project: string, query = ""): Promise<Body> =>
  (await api.ask(path(project) + query, { headers: blue })).body["auto_allocated_topology"] as Body;

forEachDatabase((engine, openFresh) => {
  test("a project that asks for a network gets one with a way out, the same every time, until it is removed", async () => {
    const api = new RealApi(await openFresh());
    const fault = faultOf(await api.ask(path("None"), { headers: blue }));
    assert.deepEqual([fault.status, fault.type], [409, "AutoAllocationFailure"]);
    await addDefaults(api);

    assert.equal((await topologyOf(api, "blue", "?fields=dry-run")).id, "dry-run=pass");
    const both = await Promise.all([topologyOf(api, "blue"), topologyOf(api, "None")]);
    const [{ id }] = both;
    assert.deepEqual(
      both.map((each) => [each.id, each["tenant_id"]]),
      [1, 2].map(() => [id, "blue"]),
    );
    const networks = await api.list("networks", "?project_id=blue", blue);
    assert.deepEqual(
      networks.map((each) => [each.id, each["name"], each["admin_state_up"]]),
      [[id, "auto_allocated_network", true]],
    );
    const [router, ...more] = await api.list("routers", "", blue);
    assert.ok(router !== undefined && more.length === 0);
    assert.notEqual(router["external_gateway_info"], null);
    const [subnet] = await api.list("subnets", "?project_id=blue", blue);
    assert.match(String(subnet?.["cidr"]), /^10\.0\.\d+\.\d+\/26$/);

    assert.equal(faultOf(await api.ask(path("red"), { headers: blue })).type, "NotAuthorized");
    assert.equal(faultOf(await api.ask(`${path("blue")}?fields=id`, { headers: blue })).type, "BadRequest");
    const port = await api.create("port", { network_id: id }, blue);
    assert.equal(faultOf(await api.ask(path("blue"), { method: "DELETE", headers: blue })).type, "NetworkInUse");
    await api.ask(`/v2.0/ports/${port.id}`, { method: "DELETE", headers: blue });
    assert.equal((await api.ask(path("blue"), { method: "DELETE", headers: blue })).status, 204);
    assert.equal((await api.ask(path("blue"), { method: "DELETE", headers: blue })).status, 204);
    assert.deepEqual(await api.list("routers", "", blue), []);
    assert.deepEqual(await api.list("networks", "?project_id=blue", blue), []);
  });

  test("a server that is killed while it makes or removes one leaves all of it or nothing, and the next request does the rest", async () => {
    const store = await openFresh();
    const api = new RealApi(store);
    await addDefaults(api);
    const before = await api.dump();
    // Every one takes as long as ten other tests.
    const step = engine === "sqlite" ? 3 : 8;
    let statements = 0;
    for (; ; statements += step) {
      const dying = new DyingStore(store, statements);
      const answer = await new RealApi(dying.store).ask(path("blue"), { headers: blue });
      if (!dying.isDead) {
        assert.equal(answer.status, 200, answer.text);
        break;
      }
      assert.equal(answer.status, 500, answer.text);
      assert.equal(await api.dump(), before, `killed at statement ${statements}`);
    }
    assert.ok(statements > 20, `${statements}`);
    assert.deepEqual(await partsOf(api), [1, 1, 1, 2]);
    const made = await api.dump();

    for (statements = 0; ; statements += step) {
      const dying = new DyingStore(store, statements);
      const answer = await new RealApi(dying.store).ask(path("blue"), { method: "DELETE", headers: blue });
      if (!dying.isDead) {
        assert.equal(answer.status, 204, answer.text);
        break;
      }
      assert.equal(await api.dump(), made, `killed at statement ${statements}`);
    }
    assert.ok(statements > 10, `${statements}`);
    assert.deepEqual(await partsOf(api), [0, 0, 0, 0]);
    await topologyOf(api, "blue");
    assert.deepEqual(await partsOf(api), [1, 1, 1, 2]);
  });

  test("many who ask at once get the same one, with a quota for no second", async () => {
    const api = new RealApi(await openFresh());
    await addDefaults(api);
    const limits = { network: 1, subnet: 1, router: 1 };
    await api.ask("/v2.0/quotas/blue", { method: "PUT", body: { quota: limits } });

    const all = await Promise.all([1, 2, 3, 4, 5].map(() => topologyOf(api, "blue")));

    assert.equal(new Set(all.map((one) => one.id)).size, 1);
    assert.deepEqual(await partsOf(api), [1, 1, 1, 2]);
  });

  test("how full networks are is told to administrators", async () => {
    const api = new RealApi(await openFresh());
    const network = await api.create("network", { name: "blue", project_id: "p1" });
    const base = { network_id: network.id, enable_dhcp: false };
    const subnet = await api.create("subnet", { ...base, name: "four", ip_version: 4, cidr: "10.0.0.0/24" });
    await api.create("subnet", { ...base, name: "six", ip_version: 6, cidr: "2001:db8::/64" });
    const bare = await api.create("network", { name: "bare" });
    for (let n = 0; n < 2; n++) await api.create("port", { network_id: network.id });
    const all = "network-ip-availabilities";
    const list = (query = "", headers = {}) => api.list(all, query, headers, "network_ip_availabilities");

    const [four] = await list("?ip_version=4");
    assert.deepEqual(four, {
      network_id: network.id,
      network_name: "blue",
      project_id: "p1",
      tenant_id: "p1",
      total_ips: 253,
      used_ips: 2,
      subnet_ip_availability: [
        {
          ...{ subnet_id: subnet.id, subnet_name: "four" },
          ...{ cidr: "10.0.0.0/24", ip_version: 4, total_ips: 253, used_ips: 2 },
        },
      ],
    });
    const text = (await api.ask(`/v2.0/${all}/${network.id}`)).text;
    assert.match(text, /"total_ips":18446744073709551868,"used_ips":4,/, "all digits of 2^64 and 252");
    assert.deepEqual(
      (await list("?network_name=bare")).map((each) => [each["network_id"], each["total_ips"]]),
      [[bare.id, 0]],
    );
    assert.equal((await list("?sort_key=network_id&limit=1")).length, 1);
    assert.equal((await list("?project_id=nobody")).length, 0);
    assert.deepEqual(await list("", blue), []);
    assert.equal(faultOf(await api.ask(`/v2.0/${all}/${network.id}`, { headers: blue })).type, "NetworkNotFound");
    assert.equal((await api.ask(`/v2.0/${all}`, { method: "POST", body: {} })).status, 405);
  });

  test("floating IP pools are the IPv4 subnets of external networks; choices of implementation are empty lists", async () => {
    const api = new RealApi(await openFresh());
    await addDefaults(api);
    const inside = await api.create("network", {}, blue);
    await api.create("subnet", { network_id: inside.id, ip_version: 4, cidr: "10.1.0.0/24" }, blue);

    const [pool, ...more] = await api.list("floatingip_pools", "", blue);
    assert.deepEqual([pool?.["subnet_name"], pool?.["cidr"], more.length], ["outer", "203.0.113.0/24", 0]);
    assert.deepEqual(await api.list("floatingip_pools", "?cidr=10.1.0.0/24", blue), []);
    assert.deepEqual(await api.list("service-providers", "?service_type=L3", blue, "service_providers"), []);
    for (const collection of ["flavors", "service_profiles"]) assert.deepEqual(await api.list(collection, "", blue), []);
    const id = "11111111-2222-4333-8444-555555555555";
    assert.equal(faultOf(await api.ask(`/v2.0/flavors/${id}`)).type, "FlavorNotFound");
    assert.equal(faultOf(await api.ask(`/v2.0/service_profiles/${id}`)).type, "ServiceProfileNotFound");
  });
});
