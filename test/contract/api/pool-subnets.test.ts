// Subnets whose blocks come from pools, over HTTP, on each engine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { blue, PoolSite, red } from "../../helpers/pool-site.ts";
import { RealApi } from "../../helpers/real-api.ts";

type Refusal = readonly [number, string];

forEachDatabase((_engine, openFresh) => {
  const open = async (): Promise<PoolSite> => new PoolSite(new RealApi(await openFresh()));

  test("a subnet takes the length that it asks for, or the pool's, or a block that it names, and gives it back", async () => {
    const site = await open();
    const { id } = await site.pool({ default_prefixlen: 26, min_prefixlen: 20 });
    const first = await site.subnet({ subnetpool_id: id });
    const second = await site.subnet({ subnetpool_id: id, prefixlen: 24 });
    const named = await site.subnet({
      subnetpool_id: id,
      cidr: "10.0.5.0/24",
      allocation_pools: [{ start: "10.0.5.9", end: "10.0.5.20" }],
    });

    assert.deepEqual(
      [first, second, named].map((subnet) => [subnet["cidr"], subnet["gateway_ip"], subnet["subnetpool_id"]]),
      [
        ["10.0.0.0/26", "10.0.0.1", id],
        ["10.0.1.0/24", "10.0.1.1", id],
        ["10.0.5.0/24", "10.0.5.1", id],
      ],
    );
    assert.deepEqual(first["allocation_pools"], [{ start: "10.0.0.2", end: "10.0.0.62" }]);
    assert.ok(!("prefixlen" in first) && !("use_default_subnetpool" in first));
    assert.deepEqual(await site.remove(`subnets/${second.id}`), [204, ""]);
    assert.equal((await site.subnet({ subnetpool_id: id, cidr: "10.0.1.128/25" }))["cidr"], "10.0.1.128/25");
    const found = await site.api.list("subnets", `?subnetpool_id=${id}&sort_key=subnetpool_id&sort_key=cidr`, blue);
    assert.equal(found.length, 3);
    assert.equal((await site.api.list("subnets", "?subnetpool_id=99999999-2222-4333-8444-555555555555")).length, 0);
  });

  test("IPv6 pools give /64s and longer, with every mode", async () => {
    const site = await open();
    const { id } = await site.pool({ prefixes: ["fd00::/62"] });
    const modes = { ipv6_ra_mode: "slaac", ipv6_address_mode: "slaac" };
    const one = await site.subnet({ ip_version: 6, subnetpool_id: id, ...modes });
    const other = await site.subnet({ ip_version: 6, subnetpool_id: id, prefixlen: 80 });

    assert.deepEqual([one["cidr"], one["gateway_ip"], other["cidr"]], ["fd00::/64", "fd00::", "fd00:0:0:1::/80"]);
    const slaac = { ip_version: 6, subnetpool_id: id, prefixlen: 80, ...modes };
    assert.deepEqual(await site.refusedSubnet(slaac), [400, "InvalidInput"]);
  });

  test("blocks that a pool does not give are refused, and nothing is taken", async () => {
    const site = await open();
    const { id } = await site.pool({ prefixes: ["10.0.0.0/24", "10.0.2.0/24"], min_prefixlen: 20, max_prefixlen: 29 });
    const six = await site.pool({ prefixes: ["fd00::/48"] });
    await site.subnet({ subnetpool_id: id, prefixlen: 25 });
    const cases: readonly (readonly [object, Refusal])[] = [
      [{ prefixlen: 19 }, [400, "MinPrefixSubnetAllocationError"]],
      [{ prefixlen: 30 }, [400, "MaxPrefixSubnetAllocationError"]],
      [{ cidr: "10.0.2.0/30" }, [400, "MaxPrefixSubnetAllocationError"]],
      [{ cidr: "10.0.0.0/19" }, [400, "MinPrefixSubnetAllocationError"]],
      [{ prefixlen: 23 }, [409, "SubnetAllocationError"]],
      [{}, [409, "SubnetAllocationError"]],
      [{ cidr: "10.0.0.0/26" }, [409, "SubnetAllocationError"]],
      [{ cidr: "10.0.1.0/24" }, [409, "SubnetAllocationError"]],
      [{ cidr: "10.0.2.0/23" }, [409, "SubnetAllocationError"]],
      [{ cidr: "10.0.2.0/24", prefixlen: 24 }, [400, "BadRequest"]],
      [{ prefixlen: 24, use_default_subnetpool: true }, [400, "BadRequest"]],
      [{ prefixlen: 24, allocation_pools: [{ start: "10.0.2.9", end: "10.0.2.20" }] }, [400, "BadRequest"]],
      [{ prefixlen: 24, ip_version: 6 }, [400, "BadRequest"]],
      [{ subnetpool_id: six.id }, [400, "BadRequest"]],
      [{ subnetpool_id: "prefix_delegation" }, [400, "BadRequest"]],
      [{ subnetpool_id: "prefix" }, [400, "HTTPBadRequest"]],
      [{ subnetpool_id: null }, [400, "BadRequest"]],
      [{ subnetpool_id: null, prefixlen: 24 }, [400, "BadRequest"]],
      [{ subnetpool_id: "99999999-2222-4333-8444-555555555555" }, [404, "SubnetPoolNotFound"]],
      [{ prefixlen: -1 }, [400, "HTTPBadRequest"]],
    ];
    for (const [body, fault] of cases) {
      assert.deepEqual(await site.refusedSubnet({ subnetpool_id: id, ...body }), fault, JSON.stringify(body));
    }
    assert.equal((await site.api.list("subnets")).length, 1);
    const [kept] = await site.api.list("subnets");
    const moved = { method: "PUT", body: { subnet: { subnetpool_id: six.id } } } as const;
    assert.equal(faultOf(await site.api.ask(`/v2.0/subnets/${kept?.id}`, moved)).status, 400);
  });

  test("the default pool of the family is used by whoever asks for it and may", async () => {
    const site = await open();
    const wish = { use_default_subnetpool: true, prefixlen: 24 };
    assert.deepEqual(await site.refusedSubnet(wish), [400, "BadRequest"]);
    const usual = await site.pool({ is_default: true, shared: true }, {});
    assert.equal((await site.subnet(wish, red))["subnetpool_id"], usual.id);
    assert.equal((await site.subnet({ use_default_subnetpool: true, cidr: "10.0.9.0/24" }))["subnetpool_id"], usual.id);
    assert.deepEqual(await site.refusedSubnet({ ...wish, ip_version: 6 }), [400, "BadRequest"]);
    const own = await site.pool({ prefixes: ["fd00::/48"], is_default: true }, {});
    assert.equal(own["shared"], false);
    assert.deepEqual(await site.refusedSubnet({ use_default_subnetpool: true, ip_version: 6 }), [400, "BadRequest"]);
  });

  test("each project takes no more of a pool than its quota: addresses of IPv4, /64 blocks of IPv6", async () => {
    const site = await open();
    const four = await site.pool({ default_quota: 384, shared: true }, {});
    const of = (prefixlen: number) => ({ subnetpool_id: four.id, prefixlen });
    const first = await site.subnet(of(24));
    assert.deepEqual(await site.refusedSubnet(of(24)), [409, "SubnetPoolQuotaExceeded"]);
    await site.subnet(of(25));
    assert.deepEqual(await site.refusedSubnet(of(32)), [409, "SubnetPoolQuotaExceeded"]);
    await site.subnet(of(24), red);
    await site.remove(`subnets/${first.id}`);
    await site.subnet({ subnetpool_id: four.id, cidr: "10.0.9.0/24" });

    const six = await site.pool({ prefixes: ["fd00::/48"], default_quota: 2 });
    const block = (prefixlen: number) => ({ ip_version: 6, subnetpool_id: six.id, prefixlen });
    await site.subnet(block(64));
    await site.subnet(block(65));
    assert.deepEqual(await site.refusedSubnet(block(64)), [409, "SubnetPoolQuotaExceeded"]);
    await site.subnet(block(65));
    assert.deepEqual(await site.refusedSubnet(block(120)), [409, "SubnetPoolQuotaExceeded"]);
  });

  test("subnets of one family on one network come from one pool", async () => {
    const site = await open();
    const [one, other] = [await site.pool(), await site.pool({ prefixes: ["192.168.0.0/16"] })];
    const six = await site.pool({ prefixes: ["fd00::/48"] });
    const { id: network_id } = await site.api.create("network", {}, blue);
    await site.subnet({ network_id, subnetpool_id: one.id, prefixlen: 24 });
    const affinity: Refusal = [400, "NetworkSubnetPoolAffinityError"];
    assert.deepEqual(await site.refusedSubnet({ network_id, subnetpool_id: other.id, prefixlen: 24 }), affinity);
    assert.deepEqual(await site.refusedSubnet({ network_id, cidr: "192.0.2.0/24" }), affinity);
    await site.subnet({ network_id, subnetpool_id: one.id, prefixlen: 24 });
    await site.subnet({ network_id, ip_version: 6, subnetpool_id: six.id });
    const { id: plain } = await site.api.create("network", {}, blue);
    await site.subnet({ network_id: plain, cidr: "192.0.2.0/24" });
    await site.subnet({ network_id: plain, cidr: "198.51.100.0/24" });
    assert.deepEqual(await site.refusedSubnet({ network_id: plain, subnetpool_id: one.id, prefixlen: 24 }), affinity);
  });

  test("subnets made together take different blocks, or none is made", async () => {
    const site = await open();
    const { id: subnetpool_id } = await site.pool({ prefixes: ["10.0.0.0/24"] });
    const { id: network_id } = await site.api.create("network", {}, blue);
    const bulk = (...lengths: readonly number[]) =>
      site.api.ask("/v2.0/subnets", {
        method: "POST",
        headers: blue,
        body: { subnets: lengths.map((prefixlen) => ({ network_id, ip_version: 4, subnetpool_id, prefixlen })) },
      });
    assert.equal(faultOf(await bulk(25, 26, 27, 27, 32)).type, "SubnetAllocationError");
    const made = await bulk(26, 27, 25, 27);
    assert.equal(made.status, 201, made.text);
    assert.deepEqual(
      (made.body["subnets"] as readonly { readonly cidr: string }[]).map(({ cidr }) => cidr),
      ["10.0.0.0/26", "10.0.0.64/27", "10.0.0.128/25", "10.0.0.96/27"],
    );
  });
});
