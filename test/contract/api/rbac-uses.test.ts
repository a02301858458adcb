// RBAC policies that somebody needs, over HTTP, on each engine: they stay, and networks are a way out as long as there is one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { type Answer, faultOf } from "../../helpers/fake-api.ts";
import { as, end, move, projects, share, shared, type Wish } from "../../helpers/rbac-policies.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const { red, green } = projects;
const external = { action: "access_as_external", by: {} } as const;

const isExternal = async (api: RealApi, { id }: Body): Promise<unknown> =>
  (await api.list("networks", `?id=${id}`))[0]?.["router:external"];

const refused = async (answer: Promise<Answer>): Promise<readonly unknown[]> => {
  const { status, type } = faultOf(await answer);
  return [status, type];
};
const inUse = [409, "RbacPolicyInUse"] as const;

/** A network of blue with addresses for those whom it leads out. */
async function openOutside(api: RealApi, attributes: object = {}): Promise<Body> {
  const network = await api.create("network", { ...attributes, project_id: projects.blue });
  await api.create("subnet", { network_id: network.id, ip_version: 4, cidr: "192.0.2.0/24" }, as("blue"));
  return network;
}

const goOut = (api: RealApi, { id }: Body, who: keyof typeof projects): Promise<Body> =>
  api.create("router", { external_gateway_info: { network_id: id } }, as(who));

/** Something of blue's that is shared, and of what kind a red object is that uses it: made by an administrator or by red. */
interface Case {
  readonly type: string;
  readonly of: (api: RealApi) => Promise<Body>;
  readonly use: (api: RealApi, shared: Body) => Promise<readonly [path: string, Body]>;
}

const makeNetwork = (api: RealApi, attributes: object = {}): Promise<Body> => api.create("network", attributes, as("red"));

async function makeRule(api: RealApi, remote: object): Promise<readonly [string, Body]> {
  const own = await api.create("security_group", { name: "own" }, as("red"), "security-groups");
  const rule = { security_group_id: own.id, direction: "ingress", ...remote };
  return ["security-group-rules", await api.create("security_group_rule", rule, as("red"), "security-group-rules")];
}

const makePolicy = (api: RealApi): Promise<Body> => api.create("policy", { name: "p" }, as("blue"), "qos/policies");
const makeGroup = (api: RealApi): Promise<Body> => api.create("security_group", { name: "g" }, as("blue"), "security-groups");

const cases: Readonly<Record<string, Case>> = {
  "a QoS policy by a network": {
    type: "qos_policy",
    of: makePolicy,
    use: async (api, { id }) => ["networks", await makeNetwork(api, { qos_policy_id: id })],
  },
  "a QoS policy by a port": {
    type: "qos_policy",
    of: makePolicy,
    async use(api, { id }) {
      const network = await makeNetwork(api);
      return ["ports", await api.create("port", { network_id: network.id, qos_policy_id: id }, as("red"))];
    },
  },
  "a QoS policy by a floating IP": {
    type: "qos_policy",
    of: makePolicy,
    async use(api, { id }) {
      const outside = await openOutside(api, { "router:external": true });
      return ["floatingips", await api.create("floatingip", { floating_network_id: outside.id, qos_policy_id: id }, as("red"))];
    },
  },
  "a QoS policy by a router's gateway": {
    type: "qos_policy",
    of: makePolicy,
    async use(api, { id }) {
      const gateway = { network_id: (await openOutside(api, { "router:external": true })).id, qos_policy_id: id };
      return ["routers", await api.create("router", { external_gateway_info: gateway }, as("red"))];
    },
  },
  "a security group by a port": {
    type: "security_group",
    of: makeGroup,
    async use(api, { id }) {
      const network = await makeNetwork(api);
      return ["ports", await api.create("port", { network_id: network.id, security_groups: [id] }, as("red"))];
    },
  },
  "a security group by a rule": {
    type: "security_group",
    of: makeGroup,
    use: (api, { id }) => makeRule(api, { remote_group_id: id }),
  },
  "an address group by a rule": {
    type: "address_group",
    of: (api) => api.create("address_group", { name: "a", addresses: ["10.0.0.0/8"] }, as("blue"), "address-groups"),
    use: (api, { id }) => makeRule(api, { remote_address_group_id: id }),
  },
  "an address scope by a pool": {
    type: "address_scope",
    of: (api) => api.create("address_scope", { name: "s", ip_version: 4 }, as("blue"), "address-scopes"),
    async use(api, { id }) {
      const pool = { name: "p", prefixes: ["10.0.0.0/8"], address_scope_id: id };
      return ["subnetpools", await api.create("subnetpool", pool, as("red"))];
    },
  },
  "a subnet pool by a subnet": {
    type: "subnetpool",
    of: (api) =>
      api.create("subnetpool", { name: "p", prefixes: ["10.0.0.0/8"], default_prefixlen: 24 }, as("blue"), "subnetpools"),
    async use(api, { id }) {
      const subnet = { network_id: (await makeNetwork(api)).id, ip_version: 4, subnetpool_id: id };
      return ["subnets", await api.create("subnet", subnet, as("red"))];
    },
  },
};

forEachDatabase((_engine, openFresh) => {
  test("what a project uses stays shared with it, by one policy or by another", async () => {
    const api = new RealApi(await openFresh());
    for (const [name, { type, of, use }] of Object.entries(cases)) {
      const object = await of(api);
      const wish: Wish = { id: object.id, type, to: red };
      const policy = await shared(api, wish);
      const [path, user] = await use(api, object);
      assert.deepEqual(await refused(end(api, policy)), inUse, name);
      assert.deepEqual(await refused(move(api, policy, green)), inUse, name);
      const everybody = await shared(api, { ...wish, to: "*", by: {} });
      assert.equal((await end(api, policy)).status, 204, name);
      assert.deepEqual(await refused(end(api, everybody, {})), inUse, name);
      assert.deepEqual(await refused(move(api, everybody, green, {})), inUse, name);
      assert.deepEqual(await refused(move(api, everybody, red, {})), inUse, name);
      const again = await shared(api, wish);
      const other = await shared(api, { ...wish, to: green });
      assert.equal((await end(api, other)).status, 204, `${name}: green uses nothing`);
      assert.equal((await move(api, everybody, green, {})).status, 200, `${name}: red has a policy of its own`);
      assert.deepEqual(await refused(end(api, again)), inUse, name);
      assert.equal((await api.ask(`/v2.0/${path}/${user.id}`, { method: "DELETE", headers: as("red") })).status, 204, name);
      assert.equal((await end(api, again)).status, 204, name);
    }
  });

  test("what an administrator gave to one project is no reason to share with another", async () => {
    const api = new RealApi(await openFresh());
    const network = await api.create("network", {}, as("blue"));
    await api.create("port", { network_id: network.id, project_id: green });
    const policy = await shared(api, { id: network.id, to: red });
    assert.equal((await end(api, policy)).status, 204);
  });

  test("a network is external until its last such policy goes", async () => {
    const api = new RealApi(await openFresh());
    const network = await api.create("network", {}, as("blue"));
    const [all, one] = [
      await shared(api, { ...external, id: network.id, to: "*" }),
      await shared(api, { ...external, id: network.id, to: red }),
    ];
    const other = await shared(api, { id: network.id, to: "*", by: {} });
    assert.equal(await isExternal(api, network), true);
    for (const [policy, left] of [
      [all, true],
      [other, true],
      [one, false],
    ] as const) {
      assert.equal((await end(api, policy, {})).status, 204);
      assert.equal(await isExternal(api, network), left);
    }
    const gateway = { router: { external_gateway_info: { network_id: network.id } } };
    const late = { method: "POST", headers: as("blue"), body: gateway } as const;
    assert.deepEqual(await refused(api.ask("/v2.0/routers", late)), [400, "BadRequest"]);
    const marked = await api.create("network", { "router:external": true });
    await shared(api, { id: marked.id, to: red, by: {} });
    assert.equal(await isExternal(api, marked), true);
    const [last] = await api.list("rbac-policies", `?object_id=${marked.id}&target_tenant=*`, {}, "rbac_policies");
    assert.ok(last);
    assert.equal((await end(api, last, {})).status, 204);
    assert.equal(await isExternal(api, marked), false);
  });

  test("a way out stays for those who use it, and the last one for its owner", async () => {
    const api = new RealApi(await openFresh());
    const outside = await openOutside(api);
    const all = await shared(api, { ...external, id: outside.id, to: "*" });
    const address = await api.create("floatingip", { floating_network_id: outside.id }, as("red"));
    await goOut(api, outside, "blue");
    assert.deepEqual(await refused(end(api, all, {})), inUse);
    assert.deepEqual(await refused(move(api, all, green, {})), inUse);
    assert.equal((await move(api, all, red, {})).status, 200, "nobody else uses it");
    assert.equal(await isExternal(api, outside), true);
    assert.deepEqual(await refused(end(api, all, {})), inUse);
    const gone = await api.ask(`/v2.0/floatingips/${address.id}`, { method: "DELETE", headers: as("red") });
    assert.equal(gone.status, 204);
    assert.deepEqual(await refused(end(api, all, {})), inUse, "blue's router goes out there");
    assert.equal((await move(api, all, green, {})).status, 200);
    const [router] = await api.list("routers", "", as("blue"));
    assert.equal((await api.ask(`/v2.0/routers/${router?.id}`, { method: "DELETE", headers: as("blue") })).status, 204);
    assert.equal((await end(api, all, {})).status, 204);
    assert.equal(await isExternal(api, outside), false);
  });

  test("the default external network is everybody's", async () => {
    const api = new RealApi(await openFresh());
    const outside = await api.create("network", { "router:external": true, is_default: true });
    const find = () => api.list("rbac-policies", `?object_id=${outside.id}`, {}, "rbac_policies");
    const [all] = await find();
    assert.ok(all);
    const one = await shared(api, { ...external, id: outside.id, to: red });
    assert.deepEqual(await refused(end(api, all, {})), inUse);
    assert.deepEqual(await refused(move(api, all, green, {})), inUse);
    assert.equal((await end(api, one, {})).status, 204);
    const body = { network: { is_default: false } };
    assert.equal((await api.ask(`/v2.0/networks/${outside.id}`, { method: "PUT", body })).status, 200);
    assert.equal((await end(api, all, {})).status, 204);
    assert.deepEqual([await isExternal(api, outside), await find()], [false, []]);
  });

  test("a pool is shared with those only who have its address scope", async () => {
    const api = new RealApi(await openFresh());
    const makeScope = (attributes: object = {}): Promise<Body> =>
      api.create("address_scope", { name: "s", ip_version: 4, project_id: projects.blue, ...attributes }, {}, "address-scopes");
    const pool = { name: "p", prefixes: ["10.0.0.0/8"], project_id: red };
    const scope = await makeScope();
    const access = { id: scope.id, type: "address_scope" } as const;
    await shared(api, { ...access, to: red });
    const scoped = await api.create("subnetpool", { ...pool, address_scope_id: scope.id });
    const wish = { id: scoped.id, type: "subnetpool", by: as("red"), to: green } as const;
    const invalid = [400, "InvalidInput"] as const;
    assert.deepEqual(await refused(share(api, wish)), invalid);
    const owner = await shared(api, { ...wish, to: projects.blue });
    assert.deepEqual(await refused(move(api, owner, green, as("red"))), invalid);
    await shared(api, { ...access, to: green });
    await shared(api, wish);
    assert.deepEqual(await refused(share(api, { ...wish, to: "*", by: {} })), invalid);
    await shared(api, { ...access, to: "*", by: {} });
    await shared(api, { ...wish, to: "*", by: {} });

    // Who may share it with everybody from its beginning is an administrator, as in Neutron.
    const closed = await makeScope();
    const subnetpool = { ...pool, shared: true, address_scope_id: closed.id };
    assert.equal((await api.ask("/v2.0/subnetpools", { method: "POST", body: { subnetpool } })).status, 201);
  });
});
