// Security groups over HTTP, on each engine; their rules and ports have tests of their own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const blue = { "x-project-id": "blue" };
const red = { "x-project-id": "red" };

forEachDatabase((_engine, openFresh) => {
  const open = async (): Promise<RealApi> => new RealApi(await openFresh());
  const list = (api: RealApi, query = "", headers = blue): Promise<readonly Body[]> =>
    api.list("security-groups", query, headers, "security_groups");
  const put = (api: RealApi, id: string, change: object, headers: Record<string, string> = blue) =>
    api.ask(`/v2.0/security-groups/${id}`, { method: "PUT", body: { security_group: change }, headers });

  test("a project finds its default group at the first look, with the rules of the templates", async () => {
    const api = await open();

    const [group, ...others] = await list(api);

    assert.deepEqual(others, []);
    assert.deepEqual([group?.["name"], group?.["project_id"], group?.["stateful"]], ["default", "blue", true]);
    const rules = (group?.["security_group_rules"] ?? []) as readonly Body[];
    const texts = rules.map((rule) => [rule["direction"], rule["ethertype"], rule["remote_group_id"] === group?.id].join(" "));
    assert.deepEqual(texts.sort(), ["egress IPv4 false", "egress IPv6 false", "ingress IPv4 true", "ingress IPv6 true"]);
    assert.ok(rules.every((rule) => rule["belongs_to_default_sg"] === true));
    assert.deepEqual(await list(api), [group]);
    assert.deepEqual(
      (await list(api, "", red)).map((each) => each["project_id"]),
      ["red"],
    );
    // An administrator who looks for those of a project causes it to have one, too.
    const green = await api.list("security-groups", "?project_id=green&name=default", {}, "security_groups");
    assert.deepEqual(
      green.map((each) => each["project_id"]),
      ["green"],
    );
  });

  test("many who need the default group at once get one and the same", async () => {
    const api = await open();
    const network = await api.create("network", { shared: true });
    const ask = (n: number) =>
      n % 2 === 0
        ? list(api).then(([group]) => group?.id)
        : api.create("port", { network_id: network.id }, blue).then((port) => (port["security_groups"] as string[])[0]);

    const ids = await Promise.all(Array.from({ length: 16 }, (_, n) => ask(n)));

    assert.equal(new Set(ids).size, 1);
    assert.equal((await list(api)).length, 1);
  });

  test("a group is made with the rules of other groups, found, changed and removed by its project", async () => {
    const api = await open();
    const group = await api.create("security_group", { name: "web", stateful: false }, blue, "security-groups");
    const { security_group_rules: rules, created_at: _at, updated_at: _later, id: _id, ...rest } = group;
    assert.deepEqual(rest, {
      name: "web",
      description: "",
      project_id: "blue",
      tenant_id: "blue",
      stateful: false,
      shared: false,
      tags: [],
      revision_number: 1,
    });
    const texts = (rules as readonly Body[]).map((rule) =>
      [rule["direction"], rule["ethertype"], rule["belongs_to_default_sg"]].join(" "),
    );
    assert.deepEqual(texts.sort(), ["egress IPv4 false", "egress IPv6 false"]);

    const renamed = await put(api, group.id, { name: "shop", description: "of the shop", stateful: true });
    assert.deepEqual([renamed.status, (renamed.body["security_group"] as Body)["revision_number"]], [200, 2]);
    const names = async (query: string) => (await list(api, query)).map((each) => each["name"]);
    assert.deepEqual(await names("?sort_key=name"), ["default", "shop"]);
    assert.deepEqual(await names("?stateful=true&name=shop&shared=false"), ["shop"]);
    assert.equal(faultOf(await api.ask(`/v2.0/security-groups/${group.id}`, { headers: red })).type, "SecurityGroupNotFound");
    assert.equal((await api.ask(`/v2.0/security-groups/${group.id}`, { method: "DELETE", headers: red })).status, 404);
    assert.equal((await api.ask(`/v2.0/security-groups/${group.id}`, { method: "DELETE", headers: blue })).status, 204);
    assert.deepEqual(await names(""), ["default"]);
  });

  test("the name default is the server's alone, and default groups stay", async () => {
    const api = await open();
    const [standard] = await list(api);
    const id = standard?.id ?? "";
    const create = { method: "POST", headers: blue, body: { security_group: { name: "Default" } } } as const;
    assert.equal(faultOf(await api.ask("/v2.0/security-groups", create)).type, "SecurityGroupDefaultAlreadyExists");
    const web = await api.create("security_group", { name: "web" }, blue, "security-groups");
    assert.equal(faultOf(await put(api, web.id, { name: "DEFAULT" })).type, "SecurityGroupDefaultAlreadyExists");
    assert.equal(faultOf(await put(api, id, { name: "mine" })).type, "SecurityGroupCannotUpdateDefault");
    assert.equal((await put(api, id, { description: "ours" })).status, 200);
    const remove = { method: "DELETE", headers: blue } as const;
    const refused = faultOf(await api.ask(`/v2.0/security-groups/${id}`, remove));
    assert.deepEqual([refused.status, refused.type], [409, "SecurityGroupCannotRemoveDefault"]);
    // An administrator may; the project gets another when it needs one.
    assert.equal((await api.ask(`/v2.0/security-groups/${id}`, { method: "DELETE" })).status, 204);
    const [next] = await list(api, "?name=default");
    assert.notEqual(next?.id, id);
  });

  test("a group that ports have stays as it is", async () => {
    const api = await open();
    const network = await api.create("network", { name: "n" }, blue);
    const group = await api.create("security_group", { name: "web" }, blue, "security-groups");
    const port = await api.create("port", { network_id: network.id, security_groups: [group.id] }, blue);
    const path = `/v2.0/security-groups/${group.id}`;
    const remove = { method: "DELETE", headers: blue } as const;
    assert.deepEqual(
      [faultOf(await api.ask(path, remove)).type, (await api.ask(path, remove)).status],
      ["SecurityGroupInUse", 409],
    );
    assert.equal(faultOf(await put(api, group.id, { stateful: false })).type, "SecurityGroupInUse");
    assert.equal((await put(api, group.id, { stateful: true, name: "shop" })).status, 200);
    await api.ask(`/v2.0/ports/${port.id}`, remove);
    assert.equal((await put(api, group.id, { stateful: false })).status, 200);
    assert.equal((await api.ask(path, remove)).status, 204);
  });

  test("rules and templates that name a group go with it", async () => {
    const api = await open();
    const gone = await api.create("security_group", { name: "gone" }, blue, "security-groups");
    const web = await api.create("security_group", { name: "web" }, blue, "security-groups");
    const rule = { security_group_id: web.id, direction: "ingress", remote_group_id: gone.id };
    await api.create("security_group_rule", rule, blue, "security-group-rules");
    const template = { direction: "ingress", remote_group_id: gone.id, protocol: "tcp" };
    await api.create("default_security_group_rule", template, {}, "default-security-group-rules");

    assert.equal((await api.ask(`/v2.0/security-groups/${gone.id}`, { method: "DELETE", headers: blue })).status, 204);

    const [left] = await list(api, "?name=web");
    assert.equal(((left?.["security_group_rules"] ?? []) as readonly Body[]).length, 2);
    assert.equal(left?.["revision_number"], 3);
    const templates = await api.list("default-security-group-rules", "?protocol=tcp", {}, "default_security_group_rules");
    assert.deepEqual(templates, []);
  });

  test("groups and rules count, the default group among them", async () => {
    const api = await open();
    await list(api);
    const limit = (resource: string, max_count: number) =>
      api.store.db.insertInto("quotas").values({ project_id: "blue", resource, max_count }).execute();
    await limit("security_group", 2);
    await limit("security_group_rule", 6);
    const create = (name: string) =>
      api.ask("/v2.0/security-groups", { method: "POST", headers: blue, body: { security_group: { name } } });

    const answers = await Promise.all(["a", "b", "c", "d"].map(create));

    assert.deepEqual(
      [201, 409].map((wanted) => answers.filter(({ status }) => status === wanted).length),
      [1, 3],
    );
    const [group] = await list(api, "?name=a&name=b&name=c&name=d");
    const rule = { security_group_rule: { security_group_id: group?.id, direction: "ingress" } };
    const refused = faultOf(await api.ask("/v2.0/security-group-rules", { method: "POST", headers: blue, body: rule }));
    assert.deepEqual([refused.status, refused.type], [409, "OverQuota"]);
    const ofGroup = await api.list("security-groups", "?name=default", blue, "security_groups");
    assert.equal(ofGroup.length, 1);
  });

  test("no alias promises that packets are filtered", async () => {
    const { body } = await (await open()).ask("/v2.0/extensions");
    const aliases = new Set((body["extensions"] as readonly { readonly alias: string }[]).map(({ alias }) => alias));
    // docs/decisions/0022 has both lists.
    for (const alias of ["security-group", "stateful-security-group", "security-groups-remote-address-group", "port-security"])
      assert.ok(!aliases.has(alias), alias);
    for (const alias of ["address-group", "security-groups-default-rules", "port-security-groups-filtering"])
      assert.ok(aliases.has(alias), alias);
  });

  test("a shared group is seen and used by the other project, and changed by its own only", async () => {
    const api = await open();
    const group = await api.create("security_group", { name: "common" }, blue, "security-groups");
    const policy = { object_type: "security_group", object_id: group.id, action: "access_as_shared", target_project: "red" };
    await api.store.db
      .insertInto("rbac_policies")
      .values({ id: group.id, project_id: "blue", ...policy })
      .execute();

    const [seen] = await list(api, "?name=common", red);

    assert.deepEqual([seen?.id, seen?.["shared"]], [group.id, true]);
    assert.equal(faultOf(await put(api, group.id, { name: "mine" }, red)).type, "PolicyNotAuthorized");
    const [rule] = (seen?.["security_group_rules"] ?? []) as readonly Body[];
    const rulePath = `/v2.0/security-group-rules/${rule?.id}`;
    assert.equal((await api.ask(rulePath, { headers: red })).status, 200);
    assert.equal(faultOf(await api.ask(rulePath, { method: "DELETE", headers: red })).type, "PolicyNotAuthorized");
    const body = { security_group_rule: { security_group_id: group.id, direction: "ingress" } };
    const refused = faultOf(await api.ask("/v2.0/security-group-rules", { method: "POST", headers: red, body }));
    assert.equal(refused.type, "SecurityGroupNotFound");
    const network = await api.create("network", { name: "n" }, red);
    const port = await api.create("port", { network_id: network.id, security_groups: [group.id] }, red);
    assert.deepEqual(port["security_groups"], [group.id]);
  });
});
