// RBAC policies over HTTP, on each engine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { type Answer, faultOf } from "../../helpers/fake-api.ts";
import { as, end, move, projects, share, shared, type Wish } from "../../helpers/rbac-policies.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const show = async (api: RealApi, id: string, by: Record<string, string> = {}): Promise<Record<string, unknown>> =>
  (await api.ask(`/v2.0/networks/${id}`, { headers: by })).body["network"] as Record<string, unknown>;
const count = async (api: RealApi, path: string, by: Record<string, string>): Promise<number> =>
  (await api.list(path, "", by)).length;

forEachDatabase((_engine, openFresh) => {
  test("a network shared with one project is seen and used by that project, and by no other", async () => {
    const api = new RealApi(await openFresh());
    const network = await api.create("network", {}, as("blue"));
    await api.create("subnet", { network_id: network.id, ip_version: 4, cidr: "10.0.0.0/24" }, as("blue"));
    const body = { port: { network_id: network.id } };
    const plug = (by: Record<string, string>): Promise<Answer> => api.ask("/v2.0/ports", { method: "POST", headers: by, body });
    assert.equal(faultOf(await plug(as("red"))).type, "NetworkNotFound");
    const policy = await shared(api, { id: network.id, to: projects.red });
    assert.deepEqual(
      [policy["project_id"], policy["target_project"], policy["target_tenant"]],
      [projects.blue, projects.red, projects.red],
    );
    assert.deepEqual(
      [(await show(api, network.id, as("red")))["shared"], (await show(api, network.id, as("blue")))["shared"]],
      [true, false],
    );
    for (const [path, red, green] of [
      ["networks", 1, 0],
      ["networks?shared=true", 1, 0],
      ["subnets", 1, 0],
      ["subnets?shared=true", 1, 0],
    ] as const) {
      const [collection = "", query = ""] = path.split("?");
      assert.equal((await api.list(collection, `?${query}`, as("red"))).length, red, path);
      assert.equal((await api.list(collection, `?${query}`, as("green"))).length, green, path);
    }
    assert.equal((await api.list("networks", "?shared=true", as("blue"))).length, 0);
    assert.equal((await plug(as("red"))).status, 201);
    assert.equal((await plug(as("green"))).status, 404);
    const fixed = { port: { network_id: network.id, fixed_ips: [{ ip_address: "10.0.0.9" }] } };
    assert.equal((await api.ask("/v2.0/ports", { method: "POST", headers: as("red"), body: fixed })).status, 403);
    assert.equal(faultOf(await end(api, policy)).type, "RbacPolicyInUse");
    assert.equal(faultOf(await move(api, policy, projects.green)).type, "RbacPolicyInUse");
    const [port] = await api.list("ports", "", as("red"));
    await api.ask(`/v2.0/ports/${port?.id}`, { method: "DELETE", headers: as("red") });
    assert.equal((await move(api, policy, projects.green)).status, 200);
    assert.deepEqual([await count(api, "networks", as("red")), await count(api, "networks", as("green"))], [0, 1]);
    const before = Number((await show(api, network.id))["revision_number"]);
    assert.equal((await end(api, policy)).status, 204);
    assert.equal((await show(api, network.id))["revision_number"], before + 1);
    assert.equal(await count(api, "networks", as("green")), 0);
  });

  test("the subnets of an external network are not shown to those who may only leave by it", async () => {
    const api = new RealApi(await openFresh());
    const network = await api.create("network", { "router:external": true, project_id: projects.blue });
    const subnet = await api.create("subnet", { network_id: network.id, ip_version: 4, cidr: "203.0.113.0/24" });
    const path = `/v2.0/subnets/${subnet.id}`;
    const seen = async (by: Record<string, string>) => [
      (await api.list("subnets", `?network_id=${network.id}`, by)).length,
      (await api.ask(path, { headers: by })).status,
    ];
    const rename = async (by: Record<string, string>) =>
      (await api.ask(path, { method: "PUT", headers: by, body: { subnet: { name: "x" } } })).status;

    assert.deepEqual((await show(api, network.id, as("red")))["subnets"], [subnet.id]);
    assert.deepEqual([await seen(as("red")), await rename(as("red"))], [[0, 404], 404]);
    assert.deepEqual([await seen(as("blue")), await rename(as("blue"))], [[1, 200], 200]);
    assert.deepEqual(await seen({}), [1, 200]);
    // They may say which one an address is to be of, as long as they know it.
    const floatingip = { floating_network_id: network.id, subnet_id: subnet.id };
    const taken = await api.ask("/v2.0/floatingips", { method: "POST", headers: as("red"), body: { floatingip } });
    assert.equal(taken.status, 201, taken.text);
    await shared(api, { id: network.id, to: projects.red });
    assert.deepEqual([await seen(as("red")), await rename(as("red"))], [[1, 200], 403]);
  });

  test("`shared` and `router:external` are policies for everybody, and follow them", async () => {
    const api = new RealApi(await openFresh());
    const network = await api.create("network", { shared: true, "router:external": true, project_id: projects.blue });
    const actions = async (): Promise<readonly unknown[]> =>
      (await api.list("rbac-policies", "?sort_key=action", {}, "rbac_policies")).map(
        (one) => `${String(one["action"])} ${String(one["target_project"])}`,
      );
    assert.deepEqual(await actions(), ["access_as_external *", "access_as_shared *"]);
    await api.create("port", { network_id: network.id }, as("red"));
    const set = (changes: object): Promise<Answer> =>
      api.ask(`/v2.0/networks/${network.id}`, { method: "PUT", body: { network: changes } });
    assert.equal(faultOf(await set({ shared: false })).type, "InvalidSharedSetting");
    await shared(api, { id: network.id, to: projects.red, by: {} });
    assert.equal((await set({ shared: false })).status, 200, "red may still use it");
    assert.equal((await set({ "router:external": false })).status, 200);
    assert.deepEqual(await actions(), [`access_as_shared ${projects.red}`]);
    assert.equal(await count(api, "networks", as("green")), 0);
    const all = await shared(api, { id: network.id, to: "*", by: {} });
    assert.deepEqual([(await show(api, network.id))["shared"], await count(api, "networks", as("green"))], [true, 1]);
    assert.equal((await end(api, all, {})).status, 204);
    assert.equal((await show(api, network.id))["shared"], false);
    const [port] = await api.list("ports");
    await api.ask(`/v2.0/ports/${port?.id}`, { method: "DELETE" });
    await api.ask(`/v2.0/networks/${network.id}`, { method: "DELETE" });
    assert.deepEqual(await actions(), []);
  });

  test("an external network of one project is that project's way out, until it is not used any more", async () => {
    const api = new RealApi(await openFresh());
    const outside = await api.create("network", {}, as("blue"));
    await api.create("subnet", { network_id: outside.id, ip_version: 4, cidr: "192.0.2.0/24" }, as("blue"));
    const policy = await shared(api, { id: outside.id, to: projects.red, action: "access_as_external" });
    const gateway = { router: { external_gateway_info: { network_id: outside.id } } };
    const floating = { floatingip: { floating_network_id: outside.id } };
    const post = (path: string, body: object, by: Record<string, string>): Promise<Answer> =>
      api.ask(`/v2.0/${path}`, { method: "POST", headers: by, body });
    assert.equal((await show(api, outside.id, as("red")))["router:external"], true);
    assert.equal((await post("routers", gateway, as("green"))).status, 404);
    assert.equal((await post("floatingips", floating, as("green"))).status, 404);
    assert.equal((await post("ports", { port: { network_id: outside.id } }, as("red"))).status, 403);
    const router = (await post("routers", gateway, as("red"))).body["router"] as Body;
    assert.equal(faultOf(await end(api, policy)).type, "RbacPolicyInUse");
    const address = (await post("floatingips", floating, as("red"))).body["floatingip"] as Body;
    await api.ask(`/v2.0/routers/${router.id}`, { method: "DELETE", headers: as("red") });
    assert.equal(faultOf(await end(api, policy)).type, "RbacPolicyInUse");
    await api.ask(`/v2.0/floatingips/${address.id}`, { method: "DELETE", headers: as("red") });
    assert.equal((await end(api, policy)).status, 204);
  });

  test("whom a network is shared with by its id, that project's router may be its subnet's gateway", async () => {
    const api = new RealApi(await openFresh());
    const network = await api.create("network", {}, as("blue"));
    const subnet = await api.create("subnet", { network_id: network.id, ip_version: 4, cidr: "10.0.0.0/24" }, as("blue"));
    const router = await api.create("router", {}, as("red"));
    const act = (verb: string): Promise<Answer> =>
      api.ask(`/v2.0/routers/${router.id}/${verb}_router_interface`, {
        ...{ method: "PUT", headers: as("red"), body: { subnet_id: subnet.id } },
      });
    assert.equal(faultOf(await act("add")).type, "SubnetNotFound");
    const everybody = await shared(api, { id: network.id, to: "*", by: {} });
    assert.match(faultOf(await act("add")).message, /not in allocation pools/);
    assert.equal((await end(api, everybody, {})).status, 204);
    const policy = await shared(api, { id: network.id, to: projects.red });

    const answer = await act("add");
    assert.equal(answer.status, 200, answer.text);
    const [port] = await api.list("ports", `?device_id=${router.id}`, as("red"));
    assert.deepEqual(port?.["fixed_ips"], [{ subnet_id: subnet.id, ip_address: "10.0.0.1" }]);
    assert.equal(faultOf(await end(api, policy)).type, "RbacPolicyInUse");
    assert.equal((await act("remove")).status, 200);
    assert.equal((await end(api, policy)).status, 204);
  });

  test("address scopes are shared in the same way, and only by whom they belong to", async () => {
    const api = new RealApi(await openFresh());
    const scope = await api.create("address_scope", { ip_version: 4 }, as("blue"), "address-scopes");
    const wish = { id: scope.id, to: projects.red, type: "address_scope" } as const;
    assert.equal(faultOf(await share(api, { ...wish, by: as("green") })).type, "AddressScopeNotFound");
    const policy = await shared(api, wish);
    assert.equal(faultOf(await share(api, { ...wish, to: projects.green, by: as("red") })).type, "InvalidInput");
    assert.equal(faultOf(await share(api, { ...wish, action: "access_as_external" })).type, "InvalidInput");
    assert.equal((await api.list("address-scopes", "?shared=true", as("red"), "address_scopes")).length, 1);
    assert.equal(faultOf(await end(api, policy, as("red"))).type, "RbacPolicyNotFound");
    assert.equal((await end(api, policy)).status, 204);
  });

  test("what no policy may be is refused", async () => {
    const api = new RealApi(await openFresh(), undefined, { quotaDefaults: { rbac_policy: 1 } });
    const { id } = await api.create("network", {}, as("blue"));
    const nobody = "00000000-0000-4000-8000-000000000000";
    const types = async (wish: Partial<Wish>): Promise<string> =>
      faultOf(await share(api, { id, to: projects.red, ...wish })).type;
    assert.equal(await types({ to: "*" }), "PolicyNotAuthorized");
    assert.equal(await types({ to: "red" }), "HTTPBadRequest");
    assert.equal(await types({ type: "port" }), "HTTPBadRequest");
    assert.equal(await types({ action: "x" }), "InvalidInput");
    assert.equal(await types({ id: nobody }), "NetworkNotFound");
    const policy = await shared(api, { id, to: projects.red });
    assert.equal(await types({ to: projects.green }), "OverQuota");
    assert.equal(await types({ by: {} }), "DuplicateRbacPolicy");
    assert.equal(faultOf(await move(api, policy, "*")).type, "PolicyNotAuthorized");
    const both = { method: "PUT", body: { rbac_policy: { action: "access_as_external" } } } as const;
    assert.equal((await api.ask(`/v2.0/rbac-policies/${policy.id}`, both)).status, 400);
    assert.equal(faultOf(await api.ask(`/v2.0/rbac-policies/${nobody}`)).type, "RbacPolicyNotFound");
    const listed = await api.list(
      "rbac-policies",
      `?target_tenant=${projects.red}&object_type=network`,
      as("blue"),
      "rbac_policies",
    );
    assert.deepEqual(listed, [policy]);
  });
});
