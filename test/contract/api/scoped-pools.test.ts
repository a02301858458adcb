// Address scopes, the pools in them and the networks of these, over HTTP, on each engine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { blue, PoolSite, red } from "../../helpers/pool-site.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const conflict = [409, "AddressScopePrefixConflict"] as const;

forEachDatabase((_engine, openFresh) => {
  const open = async (): Promise<PoolSite> => new PoolSite(new RealApi(await openFresh()));

  test("no address is in two pools of one scope, whichever way it would come there", async () => {
    const site = await open();
    const [scope, six] = [await site.scope(), await site.scope({ ip_version: 6 })];
    const address_scope_id = scope.id;
    const one = await site.pool({ address_scope_id });
    assert.equal(one["address_scope_id"], scope.id);
    assert.deepEqual(await site.refusedPool({ prefixes: ["10.0.9.0/24"], address_scope_id }), conflict);
    const illegal = [400, "IllegalSubnetPoolIpVersionAssociationToAddressScope"] as const;
    assert.deepEqual(await site.refusedPool({ address_scope_id: six.id }), illegal);
    const other = await site.pool({ prefixes: ["10.1.0.0/16"], address_scope_id });
    assert.deepEqual(await site.refusedChange(other.id, { prefixes: ["10.0.0.0/15"] }), conflict);
    const add = await site.act(other.id, "add_prefixes", { prefixes: ["10.0.0.0/24", "10.2.0.0/16"] });
    assert.equal(faultOf(add).type, "AddressScopePrefixConflict");
    assert.equal((await site.act(other.id, "add_prefixes", { prefixes: ["10.2.0.0/16"] })).status, 200);
    const outside = await site.pool({ prefixes: ["10.2.0.0/24"] });
    assert.deepEqual(await site.refusedChange(outside.id, { address_scope_id }), conflict);
    const together = ["172.16.0.0/16", "172.16.4.0/24"].map((prefix) => ({
      name: prefix,
      prefixes: [prefix],
      address_scope_id,
    }));
    const bulk = { method: "POST", body: { subnetpools: together }, headers: blue } as const;
    assert.equal(faultOf(await site.api.ask("/v2.0/subnetpools", bulk)).type, "AddressScopePrefixConflict");
    assert.equal((await site.api.list("subnetpools", `?address_scope_id=${scope.id}`)).length, 2);
  });

  test("of many who put the same addresses into a scope at once, one does", async () => {
    const site = await open();
    const { id: address_scope_id } = await site.scope();
    const subnetpool = { name: "pool", prefixes: ["10.0.0.0/16"], address_scope_id };
    const post = () => site.api.ask("/v2.0/subnetpools", { method: "POST", body: { subnetpool }, headers: blue });
    const answers = await Promise.all(Array.from({ length: 8 }, post));

    assert.equal(answers.filter(({ status }) => status === 201).length, 1);
    for (const answer of answers) if (answer.status !== 201) assert.equal(faultOf(answer).type, "AddressScopePrefixConflict");
  });

  test("a scope stays while it has pools, and goes with the last one", async () => {
    const site = await open();
    const { id: address_scope_id } = await site.scope();
    const pool = await site.pool({ address_scope_id });
    assert.deepEqual(await site.remove(`address-scopes/${address_scope_id}`), [409, "AddressScopeInUse"]);
    assert.equal((await site.change("subnetpool", pool.id, { address_scope_id: null }))["address_scope_id"], null);
    assert.deepEqual(await site.remove(`address-scopes/${address_scope_id}`), [204, ""]);
  });

  test("a pool goes into a scope of its project or a shared one; in the latter only the scope's owner changes it", async () => {
    const site = await open();
    const [own, shared] = [await site.scope(), await site.scope({ shared: true }, {})];
    assert.deepEqual(await site.refusedPool({ address_scope_id: own.id }, red), [404, "AddressScopeNotFound"]);
    const guest = await site.pool({ address_scope_id: shared.id }, red);
    assert.deepEqual(await site.refusedChange(guest.id, { name: "x" }, red), [400, "IllegalSubnetPoolUpdate"]);
    assert.equal((await site.change("subnetpool", guest.id, { name: "x" }, {}))["name"], "x");
    assert.deepEqual(await site.remove(`subnetpools/${guest.id}`, red), [204, ""]);
  });

  test("subnets of one family on one network are in one scope, which the network tells", async () => {
    const site = await open();
    const scope = await site.scope();
    const inScope = (prefix: string) =>
      site.pool({ prefixes: [prefix], address_scope_id: scope.id, default_prefixlen: 24, min_prefixlen: 16 });
    const [one, two] = [await inScope("10.1.0.0/16"), await inScope("10.2.0.0/16")];
    const free = await site.pool({ prefixes: ["10.3.0.0/16"], default_prefixlen: 24 });
    const { id: network_id } = await site.api.create("network", {}, blue);
    const scopesOf = async (): Promise<readonly unknown[]> => {
      const network = (await site.api.ask(`/v2.0/networks/${network_id}`, { headers: blue })).body["network"] as Body;
      return [network["ipv4_address_scope"], network["ipv6_address_scope"]];
    };
    assert.deepEqual(await scopesOf(), [null, null]);
    await site.subnet({ network_id, subnetpool_id: one.id });
    await site.subnet({ network_id, subnetpool_id: two.id });
    assert.deepEqual(await scopesOf(), [scope.id, null]);
    const strange = [400, "NetworkAddressScopeAffinityError"] as const;
    assert.deepEqual(await site.refusedSubnet({ network_id, subnetpool_id: free.id }), strange);
    assert.deepEqual(await site.refusedSubnet({ network_id, cidr: "192.0.2.0/24" }), [400, "NetworkSubnetPoolAffinityError"]);
    await site.subnet({ network_id, ip_version: 6, cidr: "fd00::/64" });
    assert.deepEqual(await scopesOf(), [scope.id, null]);
    // One pool cannot leave alone what two of them share.
    assert.deepEqual(await site.refusedChange(one.id, { address_scope_id: null }), strange);
    assert.deepEqual(await scopesOf(), [scope.id, null]);
  });

  test("a network's subnets come into a pool as they are", async () => {
    const site = await open();
    const { id: network_id } = await site.api.create("network", {}, blue);
    const first = await site.subnet({ network_id, cidr: "192.0.2.0/25" });
    const second = await site.subnet({ network_id, cidr: "192.0.2.128/25" });
    const six = await site.subnet({ network_id, ip_version: 6, cidr: "fd00::/64" });
    const scope = await site.scope();
    const pool = await site.pool({ address_scope_id: scope.id });

    const answer = await site.act(pool.id, "onboard_network_subnets", { network_id });

    assert.equal(answer.status, 200, answer.text);
    const expected = [first, second].map(({ id, cidr }) => ({ id, cidr })).sort((a, b) => (a.id < b.id ? -1 : 1));
    assert.deepEqual(JSON.parse(answer.text), expected);
    const [after] = await site.api.list("subnetpools");
    assert.deepEqual([after?.["prefixes"], after?.["revision_number"]], [["10.0.0.0/16", "192.0.2.0/24"], 2]);
    const subnets = new Map((await site.api.list("subnets")).map((subnet) => [subnet.id, subnet]));
    assert.deepEqual(
      [first, second, six].map(({ id }) => [subnets.get(id)?.["subnetpool_id"], subnets.get(id)?.["revision_number"]]),
      [
        [pool.id, 2],
        [pool.id, 2],
        [null, 1],
      ],
    );
    assert.equal((await site.api.list("networks"))[0]?.["ipv4_address_scope"], scope.id);
    await site.subnet({ network_id, subnetpool_id: pool.id, prefixlen: 24 });
    const taken = { subnetpool_id: pool.id, cidr: "192.0.2.0/26" };
    assert.deepEqual(await site.refusedSubnet(taken), [409, "SubnetAllocationError"]);
  });

  test("subnets do not come into a pool where they are not alone, nor from networks of others", async () => {
    const site = await open();
    const scope = await site.scope();
    const pool = await site.pool({ address_scope_id: scope.id });
    await site.pool({ prefixes: ["10.1.0.0/16"], address_scope_id: scope.id });
    await site.subnet({ subnetpool_id: pool.id, cidr: "10.0.0.0/24" });
    const onboard = async (cidr: string, headers: Readonly<Record<string, string>> = blue, network: object = {}) => {
      const { id: network_id } = await site.api.create("network", network, headers);
      await site.subnet({ network_id, cidr }, headers);
      const answer = await site.act(pool.id, "onboard_network_subnets", { network_id });
      return answer.status === 200 ? [200] : [answer.status, faultOf(answer).type];
    };
    assert.deepEqual(await onboard("10.0.0.0/25"), [400, "IllegalSubnetPoolUpdate"]);
    assert.deepEqual(await onboard("10.1.7.0/24"), conflict);
    assert.deepEqual(await onboard("10.9.0.0/24", red), [404, "NetworkNotFound"]);
    assert.deepEqual(await onboard("10.9.0.0/24", {}, { shared: true }), [403, "PolicyNotAuthorized"]);
    assert.deepEqual(await onboard("10.0.1.0/24"), [200]);
    const own = await site.api.create("network", {}, red);
    const theirs = await site.act(pool.id, "onboard_network_subnets", { network_id: own.id }, red);
    assert.equal(faultOf(theirs).type, "SubnetPoolNotFound");
    assert.equal(faultOf(await site.act(pool.id, "onboard_network_subnets", {})).type, "HTTPBadRequest");
  });
});
