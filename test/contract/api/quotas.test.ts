// Quotas over HTTP, on each engine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { type Answer, faultOf } from "../../helpers/fake-api.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const blue = { "x-project-id": "blue" };
const red = { "x-project-id": "red" };

const quotaDefaults = { network: 3, subnet: 3, port: 4, router: 2, floatingip: 1, port_forwarding: 2, router_route: 1 };

const put = (api: RealApi, project: string, quota: object): Promise<Answer> =>
  api.ask(`/v2.0/quotas/${project}`, { method: "PUT", body: { quota } });
const limitsOf = async (api: RealApi, path: string): Promise<Record<string, unknown>> =>
  (await api.ask(`/v2.0/quotas/${path}`)).body["quota"] as Record<string, unknown>;
const tryCreate = async (api: RealApi, kind: string, attributes: object): Promise<string | number> => {
  const answer = await api.ask(`/v2.0/${kind}s`, { method: "POST", body: { [kind]: attributes }, headers: blue });
  return answer.status === 201 ? 201 : faultOf(answer).type;
};

/** A router of blue between a port and an external network; answers what a forwarding needs. */
async function routedPort(api: RealApi): Promise<{ readonly outside: Body; readonly router: Body; readonly port: Body }> {
  const outside = await api.create("network", { "router:external": true, project_id: "op" });
  await api.create("subnet", { network_id: outside.id, ip_version: 4, cidr: "192.0.2.0/24", project_id: "op" });
  const inside = await api.create("network", {}, blue);
  const subnet = await api.create("subnet", { network_id: inside.id, ip_version: 4, cidr: "10.0.0.0/24" }, blue);
  const router = await api.create("router", { external_gateway_info: { network_id: outside.id } }, blue);
  const added = await api.ask(`/v2.0/routers/${router.id}/add_router_interface`, {
    method: "PUT",
    body: { subnet_id: subnet.id },
    headers: blue,
  });
  assert.equal(added.status, 200, added.text);
  return { outside, router, port: await api.create("port", { network_id: inside.id }, blue) };
}

forEachDatabase((engine, openFresh, freshUrl) => {
  test("a project has the default limits until an administrator gives it others, and again after they are removed", async () => {
    const api = new RealApi(await openFresh(), undefined, { quotaDefaults });
    const usual = await limitsOf(api, "blue");
    assert.deepEqual({ ...usual, ...quotaDefaults }, usual);
    assert.equal(usual["rbac_policy"], -1);
    const changed = await put(api, "blue", { network: "5", port: -1 });
    assert.deepEqual([changed.status, changed.body["quota"]], [200, { ...usual, network: 5, port: -1 }]);
    assert.deepEqual(await limitsOf(api, "blue"), { ...usual, network: 5, port: -1 });
    assert.deepEqual(await limitsOf(api, "red"), usual);
    assert.deepEqual(await limitsOf(api, "blue/default"), usual);
    const all = await api.list("quotas");
    assert.deepEqual(all, [{ ...usual, network: 5, port: -1, project_id: "blue", tenant_id: "blue" }]);
    assert.equal((await api.ask("/v2.0/quotas/blue", { method: "DELETE" })).status, 204);
    assert.deepEqual(await limitsOf(api, "blue"), usual);
    assert.equal(faultOf(await api.ask("/v2.0/quotas/blue", { method: "DELETE" })).type, "TenantQuotaNotFound");
  });

  test("a project reads its own limits and nobody else's, and sets none", async () => {
    const api = new RealApi(await openFresh());
    const statusOf = async (path: string, method = "GET"): Promise<number> => {
      const body = method === "PUT" ? { body: { quota: { network: 1 } } } : {};
      return (await api.ask(`/v2.0/quotas${path}`, { method, headers: red, ...body })).status;
    };
    assert.deepEqual(
      await Promise.all(["/red", "/red/default", "/red/details"].map((path) => statusOf(path))),
      [200, 200, 200],
    );
    const refused = ["", "/blue", "/blue/default", "/blue/details"].map((path) => statusOf(path));
    assert.deepEqual(await Promise.all(refused), [403, 403, 403, 403]);
    assert.equal(await statusOf("/red", "PUT"), 403);
    assert.equal(await statusOf("/red", "DELETE"), 403);
    assert.deepEqual((await api.ask("/v2.0/quotas/project", { headers: red })).body, { project: { project_id: "red" } });
    assert.deepEqual((await api.ask("/v2.0/quotas/tenant", { headers: red })).body, { tenant: { tenant_id: "red" } });
    const posted = await api.ask("/v2.0/quotas", { method: "POST", body: { quota: {} } });
    assert.deepEqual([posted.status, Object.keys(posted.body)], [501, ["NotImplementedError"]]);
  });

  test("what is no limit is refused, and so is one below use unless it is forced", async () => {
    const api = new RealApi(await openFresh());
    for (const quota of [{ network: -2 }, { network: 2 ** 31 }, { network: "x" }, { cars: 1 }, { force: 2, port: 1 }, []]) {
      assert.equal((await put(api, "blue", quota)).status, 400, JSON.stringify(quota));
    }
    for (const name of ["one", "two"]) await api.create("network", { name }, blue);
    assert.equal(faultOf(await put(api, "blue", { network: 1, port: 7 })).type, "InvalidInput");
    assert.equal((await limitsOf(api, "blue"))["port"], -1, "all or nothing");
    assert.equal((await put(api, "blue", { network: 1, force: true, check_limit: true })).status, 400);
    assert.equal((await put(api, "blue", { network: 1, force: true })).status, 200);
    const details = await limitsOf(api, "blue/details");
    assert.deepEqual(details["network"], { limit: 1, used: 2, reserved: 0 });
    assert.equal(await tryCreate(api, "network", {}), "OverQuota");
  });

  test("whatever is counted is refused beyond its limit, and what the server makes for itself is only counted", async () => {
    const api = new RealApi(await openFresh(), undefined, { quotaDefaults });
    const { outside, router, port } = await routedPort(api);
    const network = String(port["network_id"]);
    // The router's interface is one of the four.
    assert.deepEqual((await limitsOf(api, "blue/details"))["port"], { limit: 4, used: 2, reserved: 0 });
    const ports = { ports: [1, 2, 3].map(() => ({ network_id: network })) };
    const bulk = await api.ask("/v2.0/ports", { method: "POST", body: ports, headers: blue });
    assert.equal(faultOf(bulk).message, "Quota exceeded for resources: ['port'].");
    assert.equal((await limitsOf(api, "blue/details"))["port"]?.["used" as never], 2, "none of them was made");
    for (const expected of [201, 201, "OverQuota"])
      assert.equal(await tryCreate(api, "port", { network_id: network }), expected);
    for (const expected of [201, 201, "OverQuota"]) assert.equal(await tryCreate(api, "network", {}), expected);
    for (const octet of [1, 2]) {
      const subnet = { network_id: network, ip_version: 4, cidr: `10.0.${octet}.0/24` };
      assert.equal(await tryCreate(api, "subnet", subnet), 201);
    }
    assert.equal(await tryCreate(api, "subnet", { network_id: network, ip_version: 4, cidr: "10.0.3.0/24" }), "OverQuota");
    for (const expected of [201, "OverQuota"]) assert.equal(await tryCreate(api, "router", {}), expected);
    const floating = await api.create("floatingip", { floating_network_id: outside.id }, blue);
    assert.equal(await tryCreate(api, "floatingip", { floating_network_id: outside.id }), "OverQuota");
    const [address] = port["fixed_ips"] as readonly { readonly ip_address: string }[];
    const target = { internal_port_id: port.id, internal_ip_address: address?.ip_address, internal_port: 80, protocol: "tcp" };
    const forward = async (external_port: number): Promise<number> => {
      const body = { port_forwarding: { ...target, internal_port: external_port, external_port } };
      return (await api.ask(`/v2.0/floatingips/${floating.id}/port_forwardings`, { method: "POST", body, headers: blue }))
        .status;
    };
    assert.deepEqual([await forward(1), await forward(2), await forward(3)], [201, 201, 409]);
    const routes = ["10.9.0.0/24", "10.9.1.0/24"].map((destination) => ({ destination, nexthop: "10.0.0.9" }));
    const routed = (some: readonly object[]): Promise<Answer> =>
      api.ask(`/v2.0/routers/${router.id}`, { method: "PUT", body: { router: { routes: some } }, headers: blue });
    assert.equal((await routed(routes.slice(1))).status, 200);
    assert.equal(faultOf(await routed(routes)).type, "RoutesExhausted");
    const used = Object.entries(await limitsOf(api, "blue/details")).map(([name, one]) => [
      name,
      (one as { used: number }).used,
    ]);
    const expected = { network: 3, subnet: 3, port: 4, router: 2, floatingip: 1, port_forwarding: 2, router_route: 1 };
    assert.deepEqual({ ...Object.fromEntries(used), ...expected }, Object.fromEntries(used));
  });

  test("sixteen clients at the limit get exactly what is left, also at two servers", async () => {
    const url = await freshUrl();
    const first = await RealApi.open(url);
    // Two writers of one SQLite file are two programs of one machine; several servers are PostgreSQL's.
    const second = engine === "postgres" ? await RealApi.open(url) : first;
    try {
      await put(first, "blue", { port: 10, network: 6 });
      const { id } = await first.create("network", {}, blue);
      const ask = (index: number, path: string, body: object): Promise<Answer> =>
        (index % 2 === 0 ? first : second).ask(`/v2.0/${path}`, { method: "POST", body, headers: blue });
      const ports = Array.from({ length: 16 }, (_, index) =>
        index % 4 === 0
          ? ask(index, "ports", { ports: [{ network_id: id }, { network_id: id }] })
          : ask(index, "ports", { port: { network_id: id } }),
      );
      const networks = Array.from({ length: 16 }, (_, index) => ask(index, "networks", { network: {} }));
      const answers = await Promise.all([...ports, ...networks]);
      const refused = answers.filter(({ status }) => status !== 201).map((answer) => faultOf(answer).type);
      assert.deepEqual(new Set(refused), new Set(["OverQuota"]));
      // A single one is refused only when there are ten: there are more of them than that.
      assert.equal((await first.list("ports")).length, 10);
      assert.equal((await first.list("networks")).length, 6);
      assert.equal((await put(first, "blue", { port: 9 })).status, 400);
    } finally {
      await first.close();
      if (second !== first) await second.close();
    }
  });
});
