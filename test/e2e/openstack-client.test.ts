// The client of others against this server: what its users type for routers and floating IPs.
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { skipWithoutRoot } from "../helpers/namespaces.ts";
import { NetloomUp } from "../helpers/netloom-up.ts";
import { type Row, typedClients } from "../helpers/typed-clients.ts";

suite("openstack client", { skip: skipWithoutRoot }, () => {
  let up: NetloomUp;
  before(async () => {
    up = await NetloomUp.create();
    await up.start();
    const client = up.client();
    const outside = await client.create("network", { name: "public", "router:external": true });
    const outer = { cidr: "203.0.113.0/24", enable_dhcp: false, name: "public4" };
    await client.create("subnet", { network_id: outside.id, ip_version: 4, ...outer });
    const inside = await client.create("network", { name: "blue" });
    await client.create("subnet", { network_id: inside.id, ip_version: 4, cidr: "10.0.0.0/24", name: "blue4" });
    await client.create("port", { network_id: inside.id, name: "web", fixed_ips: [{ ip_address: "10.0.0.5" }] });
    client.close();
  });
  after(() => up.destroy());

  const { openstack, json } = typedClients(() => up.url);

  const address = "203.0.113.77";

  test("routers and floating IPs from their making to their end", async () => {
    const [router, floating] = await Promise.all([
      json("router", "create", "edge"),
      json("floating", "ip", "create", "--floating-ip-address", address, "public"),
    ]);
    assert.deepEqual([router["name"], router["external_gateway_info"]], ["edge", null]);
    assert.deepEqual([floating["floating_ip_address"], floating["status"]], [address, "DOWN"]);
    await openstack("router", "add", "subnet", "edge", "blue4");
    const gateway = ["--external-gateway", "public", "--disable-snat", "--fixed-ip", "ip-address=203.0.113.9"];
    const route = ["--route", "destination=10.9.0.0/16,gateway=10.0.0.9"];
    await openstack("router", "set", "edge", ...gateway, ...route);
    await openstack("floating", "ip", "set", "--port", "web", address);

    const [edge, bound, hosts, zones] = await Promise.all([
      json("router", "show", "edge"),
      json("floating", "ip", "show", address),
      json<Row[]>("network", "agent", "list", "--router", "edge"),
      json<Row[]>("availability", "zone", "list", "--network", "--long"),
    ]);
    const info = edge["external_gateway_info"] as Row;
    assert.equal(info["enable_snat"], false);
    assert.match(JSON.stringify(info["external_fixed_ips"]), /"203\.0\.113\.9"/);
    assert.match(JSON.stringify(edge["routes"]), /10\.9\.0\.0\/16/);
    assert.equal((edge["interfaces_info"] as Row[]).length, 1);
    assert.deepEqual([bound["fixed_ip_address"], bound["router_id"]], ["10.0.0.5", router["id"]]);
    assert.deepEqual(
      hosts.map((agent) => [agent["Host"], agent["Agent Type"]]),
      [[up.host, "L3 agent"]],
    );
    assert.deepEqual(new Set(zones.map((zone) => zone["Zone Resource"])), new Set(["network", "router"]));

    await openstack("floating", "ip", "unset", "--port", address);
    const ports = ["--internal-protocol-port", "8080", "--external-protocol-port", "80", "--protocol", "tcp"];
    const target = ["--internal-ip-address", "10.0.0.5", "--port", "web"];
    const made = await json("floating", "ip", "port", "forwarding", "create", ...target, ...ports, address);
    assert.deepEqual([made["external_port"], made["internal_port"], made["protocol"]], [80, 8080, "tcp"]);
    const listed = await json<Row[]>("floating", "ip", "port", "forwarding", "list", address);
    assert.deepEqual(
      listed.map((each) => each["ID"]),
      [made["id"]],
    );

    await assert.rejects(openstack("router", "remove", "subnet", "edge", "blue4"), /ConflictException: 409/);
    await openstack("floating", "ip", "delete", address);
    await openstack("router", "unset", "--external-gateway", ...route, "edge");
    await openstack("router", "remove", "subnet", "edge", "blue4");
    await openstack("router", "delete", "edge");
    assert.deepEqual(await json("router", "list"), []);
  });

  test("address scopes, subnet pools and subnets from them", async () => {
    const scope = await json("address", "scope", "create", "--ip-version", "4", "corporate");
    const bounds = ["--default-prefix-length", "24", "--min-prefix-length", "16", "--max-prefix-length", "28"];
    const prefixes = ["--pool-prefix", "10.64.0.0/17", "--pool-prefix", "10.64.128.0/17"];
    const [pool] = await Promise.all([
      json(
        "subnet",
        "pool",
        "create",
        ...prefixes,
        ...bounds,
        "--default-quota",
        "1024",
        "--address-scope",
        "corporate",
        "office",
      ),
      openstack("subnet", "pool", "create", "--pool-prefix", "fd00::/48", "--default", "--share", "six"),
      openstack("network", "create", "pooled"),
    ]);
    assert.deepEqual(
      ["prefixes", "default_prefixlen", "min_prefixlen", "max_prefixlen", "default_quota", "address_scope_id"].map(
        (name) => pool[name],
      ),
      [["10.64.0.0/16"], 24, 16, 28, 1024, scope["id"]],
    );

    const [four, six] = await Promise.all([
      json("subnet", "create", "--network", "pooled", "--subnet-pool", "office", "--prefix-length", "26", "pooled4"),
      json("subnet", "create", "--network", "pooled", "--use-default-subnet-pool", "--ip-version", "6", "pooled6"),
    ]);
    assert.deepEqual([four["cidr"], four["subnetpool_id"]], ["10.64.0.0/26", pool["id"]]);
    assert.deepEqual([six["cidr"], six["ip_version"]], ["fd00::/64", 6]);
    const [listed] = await Promise.all([
      json<Row[]>("subnet", "list", "--subnet-pool", "office"),
      openstack("subnet", "pool", "set", "--pool-prefix", "192.0.2.0/24", "--no-address-scope", "--tag", "gold", "office"),
    ]);
    assert.deepEqual(
      listed.map((row) => row["Name"]),
      ["pooled4"],
    );
    const changed = await json("subnet", "pool", "show", "office");
    assert.deepEqual(changed["prefixes"], ["10.64.0.0/16", "192.0.2.0/24"]);
    assert.deepEqual([changed["address_scope_id"], changed["tags"]], [null, ["gold"]]);
    await openstack("network", "delete", "pooled");
    await Promise.all([
      openstack("subnet", "pool", "delete", "office", "six"),
      openstack("address", "scope", "delete", "corporate"),
    ]);
    assert.deepEqual(await json("subnet", "pool", "list"), []);
  });

  test("networks of several kinds, their segments, the ranges of those, and how full they are", async () => {
    const range = ["--network-type", "vlan", "--physical-network", "east", "--minimum", "100", "--maximum", "109"];
    const ranged = await json("network", "segment", "range", "create", "--shared", ...range, "east");
    assert.deepEqual([ranged["minimum"], ranged["maximum"], ranged["shared"]], [100, 109, true]);
    const provider = ["--provider-network-type", "vlan", "--provider-physical-network", "east"];
    const [chosen, named] = [
      await json("network", "create", ...provider, "chosen"),
      await json("network", "create", ...provider, "--provider-segment", "105", "named"),
    ];
    assert.deepEqual([chosen["provider:segmentation_id"], named["provider:segmentation_id"]], [100, 105]);
    const shown = await json("network", "segment", "range", "show", "east");
    assert.match(JSON.stringify(shown["available"]), /101-104.*106-109/);

    const place = ["--network-type", "vlan", "--physical-network", "west", "--segment", "5"];
    const segment = await json("network", "segment", "create", "--network", "named", ...place, "west");
    assert.deepEqual([segment["physical_network"], segment["segmentation_id"]], ["west", 5]);
    assert.equal((await json<Row[]>("network", "segment", "list", "--network", "named")).length, 2);
    const subnet = ["--network", "named", "--network-segment", "west", "--subnet-range", "10.7.0.0/24", "--no-dhcp"];
    assert.equal((await json("subnet", "create", ...subnet, "west4"))["segment_id"], segment["id"]);
    const full = await json("ip", "availability", "show", "named");
    assert.deepEqual([full["total_ips"], full["used_ips"]], [253, 0]);
    assert.ok((await json<Row[]>("ip", "availability", "list")).some((row) => row["Network Name"] === "named"));

    await assert.rejects(openstack("network", "segment", "delete", "west"), /409/);
    await openstack("subnet", "delete", "west4");
    await openstack("network", "segment", "delete", "west");
    await openstack("network", "delete", "chosen", "named");
    await openstack("network", "segment", "range", "delete", "east");
  });
});
