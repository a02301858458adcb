// Subnet pools over HTTP, on each engine: what a pool may be, and who may use it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { blue, PoolSite, red } from "../../helpers/pool-site.ts";
import { RealApi } from "../../helpers/real-api.ts";

const v6 = { prefixes: ["fd00::/48"] };

forEachDatabase((_engine, openFresh) => {
  const open = async (): Promise<PoolSite> => new PoolSite(new RealApi(await openFresh()));

  test("a pool has the defaults of its family, and its prefixes as few as possible", async () => {
    const site = await open();
    const four = await site.pool({ prefixes: ["10.1.0.0/16", "10.0.0.0/16", "10.0.9.0/24"] });
    const six = await site.pool({ prefixes: ["fd00::1/48"], default_quota: 4, default_prefixlen: "72", max_prefixlen: 100 });

    const picked = (pool: Readonly<Record<string, unknown>>): readonly unknown[] =>
      ["ip_version", "prefixes", "min_prefixlen", "default_prefixlen", "max_prefixlen", "default_quota"].map(
        (name) => pool[name],
      );
    assert.deepEqual(picked(four), [4, ["10.0.0.0/15"], 8, 8, 32, null]);
    assert.deepEqual(picked(six), [6, ["fd00::/48"], 64, 72, 100, 4]);
    assert.deepEqual(
      [four["is_default"], four["shared"], four["address_scope_id"], four["tags"], four["project_id"], four["revision_number"]],
      [false, false, null, [], "blue", 1],
    );
  });

  test("pools that cannot be are refused", async () => {
    const site = await open();
    const cases: readonly (readonly [object, readonly [number, string]])[] = [
      [{ prefixes: [] }, [400, "EmptySubnetPoolPrefixList"]],
      [{ prefixes: ["10.0.0.0/8", "fd00::/48"] }, [400, "PrefixVersionMismatch"]],
      [{ prefixes: ["0.0.0.0/0"] }, [400, "InvalidInput"]],
      [{ prefixes: ["10.0.0.0"] }, [400, "HTTPBadRequest"]],
      [{ prefixes: null }, [400, "HTTPBadRequest"]],
      [{ name: "" }, [400, "HTTPBadRequest"]],
      [{ name: "  " }, [400, "HTTPBadRequest"]],
      [{ min_prefixlen: 25, max_prefixlen: 24 }, [400, "IllegalSubnetPoolPrefixBounds"]],
      [{ max_prefixlen: 33 }, [400, "IllegalSubnetPoolPrefixBounds"]],
      [{ default_prefixlen: 7 }, [400, "IllegalSubnetPoolPrefixBounds"]],
      [{ default_prefixlen: 30, max_prefixlen: 29 }, [400, "IllegalSubnetPoolPrefixBounds"]],
      [{ ...v6, default_prefixlen: 63 }, [400, "IllegalSubnetPoolPrefixBounds"]],
      [{ min_prefixlen: -1 }, [400, "HTTPBadRequest"]],
      [{ default_quota: -1 }, [400, "HTTPBadRequest"]],
      [{ default_quota: 2 ** 31 }, [400, "HTTPBadRequest"]],
      [{ ip_version: 4 }, [400, "HTTPBadRequest"]],
      [{ is_default: true }, [403, "PolicyNotAuthorized"]],
      [{ shared: true }, [403, "PolicyNotAuthorized"]],
      [{ project_id: "red" }, [400, "HTTPBadRequest"]],
      [{ address_scope_id: "99999999-2222-4333-8444-555555555555" }, [404, "AddressScopeNotFound"]],
    ];
    for (const [body, fault] of cases) assert.deepEqual(await site.refusedPool(body), fault, JSON.stringify(body));
    const unnamed = { method: "POST", body: { subnetpool: { prefixes: ["10.0.0.0/8"] } } } as const;
    assert.equal(faultOf(await site.api.ask("/v2.0/subnetpools", unnamed)).status, 400);
    assert.deepEqual(await site.api.list("subnetpools"), []);
  });

  test("a pool grows and does not shrink; its bounds and quota change, its family and sharing do not", async () => {
    const site = await open();
    const { id } = await site.pool({ default_prefixlen: 24 });
    const grown = await site.change("subnetpool", id, { prefixes: ["10.1.0.0/16", "10.0.0.0/17", "10.0.128.0/17"] });
    assert.deepEqual([grown["prefixes"], grown["revision_number"]], [["10.0.0.0/15"], 2]);
    const bounds = { min_prefixlen: 20, max_prefixlen: 28, default_prefixlen: 26, default_quota: 512 };
    const changed = await site.change("subnetpool", id, { ...bounds, name: "lab", description: "of the lab" });
    assert.deepEqual({ ...changed, ...bounds, name: "lab", description: "of the lab", revision_number: 3 }, changed);
    assert.equal((await site.change("subnetpool", id, { default_quota: null }))["default_quota"], null);

    assert.deepEqual(await site.refusedChange(id, { prefixes: ["10.0.0.0/16"] }), [400, "IllegalSubnetPoolPrefixUpdate"]);
    assert.deepEqual(await site.refusedChange(id, { prefixes: [] }), [400, "EmptySubnetPoolPrefixList"]);
    assert.deepEqual(await site.refusedChange(id, v6), [400, "PrefixVersionMismatch"]);
    assert.deepEqual(await site.refusedChange(id, { min_prefixlen: 27 }), [400, "IllegalSubnetPoolPrefixBounds"]);
    assert.deepEqual(await site.refusedChange(id, { shared: true }), [400, "HTTPBadRequest"]);
    assert.deepEqual(await site.refusedChange(id, { is_default: true }), [403, "PolicyNotAuthorized"]);
    const stale = { method: "PUT", headers: { ...blue, "if-match": "revision_number=1" } } as const;
    const answer = await site.api.ask(`/v2.0/subnetpools/${id}`, { ...stale, body: { subnetpool: { name: "x" } } });
    assert.equal(faultOf(answer).type, "RevisionNumberConstraintFailed");
  });

  test("each family has one default pool, however many want to be it", async () => {
    const site = await open();
    const wanted = { name: "usual", prefixes: ["10.0.0.0/8"], is_default: true };
    const post = () => site.api.ask("/v2.0/subnetpools", { method: "POST", body: { subnetpool: wanted } });
    const answers = await Promise.all(Array.from({ length: 8 }, post));
    assert.equal(answers.filter(({ status }) => status === 201).length, 1);
    assert.equal(answers.filter(({ status }) => status === 400).length, 7);
    await site.pool({ ...v6, is_default: true }, {});
    const other = await site.pool({}, {});
    assert.deepEqual(await site.refusedChange(other.id, { is_default: true }, {}), [400, "InvalidInput"]);
    const twice = [
      { ...wanted, ...v6 },
      { name: "b", prefixes: ["192.0.2.0/24"] },
    ];
    const bulk = await site.api.ask("/v2.0/subnetpools", { method: "POST", body: { subnetpools: twice } });
    assert.equal(faultOf(bulk).type, "InvalidInput");
    const usual = (await site.api.list("subnetpools", "?is_default=true&ip_version=4"))[0]?.id ?? "";
    assert.equal((await site.change("subnetpool", usual, { is_default: false }, {}))["is_default"], false);
    assert.equal((await site.change("subnetpool", other.id, { is_default: true }, {}))["is_default"], true);
    assert.equal((await site.api.list("subnetpools")).length, 3);
  });

  test("a pool is its project's alone, unless an administrator shares it with all", async () => {
    const site = await open();
    const own = await site.pool();
    const shared = await site.pool({ name: "all", shared: true }, {});
    assert.deepEqual(
      (await site.api.list("subnetpools", "?shared=true", red)).map(({ id }) => id),
      [shared.id],
    );
    assert.deepEqual(await site.refusedChange(own.id, { name: "mine" }, red), [404, "SubnetPoolNotFound"]);
    assert.deepEqual(await site.refusedChange(shared.id, { name: "mine" }, red), [403, "PolicyNotAuthorized"]);
    assert.deepEqual(await site.refusedSubnet({ subnetpool_id: own.id, prefixlen: 24 }, red), [404, "SubnetPoolNotFound"]);
    const taken = await site.subnet({ subnetpool_id: shared.id, prefixlen: 24 }, red);
    assert.equal(taken["cidr"], "10.0.0.0/24");
    assert.deepEqual(await site.remove(`subnetpools/${own.id}`, red), [404, "SubnetPoolNotFound"]);
    assert.deepEqual(await site.remove(`subnetpools/${shared.id}`, {}), [400, "SubnetPoolDeleteError"]);
    assert.deepEqual(await site.remove(`subnets/${taken.id}`, red), [204, ""]);
    assert.deepEqual(await site.remove(`subnetpools/${shared.id}`, {}), [204, ""]);
    assert.equal((await site.api.store.db.selectFrom("rbac_policies").selectAll().execute()).length, 0);
  });

  test("prefixes are added, and removed while no subnet uses them", async () => {
    const site = await open();
    const { id } = await site.pool({ default_prefixlen: 24 });
    await site.subnet({ subnetpool_id: id, cidr: "10.0.3.0/24" });
    const add = await site.act(id, "add_prefixes", { prefixes: ["10.1.0.0/16", "192.0.2.0/24"] });
    assert.deepEqual([add.status, add.body], [200, { prefixes: ["10.0.0.0/15", "192.0.2.0/24"] }]);
    const remove = await site.act(id, "remove_prefixes", { prefixes: ["10.0.0.0/23", "10.1.0.0/16", "203.0.113.0/24"] });
    assert.deepEqual(remove.body["prefixes"], [
      ...["10.0.2.0/23", "10.0.4.0/22", "10.0.8.0/21", "10.0.16.0/20", "10.0.32.0/19", "10.0.64.0/18", "10.0.128.0/17"],
      "192.0.2.0/24",
    ]);
    assert.equal((await site.api.list("subnetpools"))[0]?.["revision_number"], 3);
    const nothing = await site.act(id, "remove_prefixes", { prefixes: ["172.16.0.0/12"] });
    assert.deepEqual([nothing.status, nothing.body], [200, remove.body]);

    const refusals: readonly (readonly [string, unknown, string])[] = [
      ["remove_prefixes", { prefixes: ["10.0.3.128/25"] }, "IllegalSubnetPoolPrefixUpdate"],
      ["add_prefixes", { prefixes: ["fd00::/48"] }, "PrefixVersionMismatch"],
      ["add_prefixes", { prefixes: "10.0.0.0/8" }, "HTTPBadRequest"],
      ["add_prefixes", { subnetpool: { prefixes: [] } }, "HTTPBadRequest"],
      ["add_prefixes", undefined, "HTTPBadRequest"],
    ];
    for (const [action, body, type] of refusals) assert.equal(faultOf(await site.act(id, action, body)).type, type, type);
    assert.equal(faultOf(await site.act(id, "add_prefixes", { prefixes: [] }, red)).type, "SubnetPoolNotFound");
    const empty = await site.pool({ prefixes: ["198.51.100.0/24"] });
    const all = await site.act(empty.id, "remove_prefixes", { prefixes: ["198.51.100.0/24"] });
    assert.equal(faultOf(all).type, "EmptySubnetPoolPrefixList");
  });

  test("pools made together are made all or not at all, and their quota counts", async () => {
    const site = await open();
    await site.api.store.db.insertInto("quotas").values({ project_id: "blue", resource: "subnetpool", max_count: 2 }).execute();
    const bulk = (...subnetpools: readonly object[]) =>
      site.api.ask("/v2.0/subnetpools", { method: "POST", body: { subnetpools }, headers: blue });
    const pool = (prefix: string) => ({ name: prefix, prefixes: [prefix] });
    const three = await bulk(pool("10.0.0.0/24"), pool("10.0.1.0/24"), pool("10.0.2.0/24"));
    assert.equal(faultOf(three).type, "OverQuota");
    const made = await bulk(pool("10.0.1.0/24"), pool("10.0.0.0/24"));
    assert.equal(made.status, 201, made.text);
    assert.deepEqual(
      (await site.api.list("subnetpools", "?sort_key=name&fields=name")).map(({ name }) => name),
      ["10.0.0.0/24", "10.0.1.0/24"],
    );
    assert.deepEqual(await site.refusedPool({}), [409, "OverQuota"]);
  });

  test("a pool has tags", async () => {
    const site = await open();
    const { id } = await site.pool();
    const tagged = await site.api.ask(`/v2.0/subnetpools/${id}/tags`, {
      method: "PUT",
      body: { tags: ["gold"] },
      headers: blue,
    });
    assert.equal(tagged.status, 200, tagged.text);
    assert.equal((await site.api.list("subnetpools", "?tags=gold", blue)).length, 1);
    assert.equal((await site.api.list("subnetpools", "?not-tags=gold", blue)).length, 0);
  });
});
