// Ports on networks whose subnets belong to segments: their addresses depend on the host. Over HTTP, on each engine.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Store } from "../../../src/server/store/database.ts";
import { forEachDatabase } from "../../helpers/databases.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const segment = (physical: string) => ({
  "provider:network_type": "vlan",
  "provider:physical_network": physical,
  "provider:segmentation_id": 5,
});

/** One network with a subnet on each of two segments, one host on each, one on both, one on neither. */
async function scene(store: Store) {
  const api = new RealApi(store);
  await api.registerDhcpAgent("node-east", { physical_networks: ["east"] });
  await api.registerDhcpAgent("node-west", { bridge_mappings: { west: "br-west" } });
  await api.registerDhcpAgent("node-both", { bridge_mappings: { west: "br-west" }, physical_networks: ["east"] });
  await api.registerDhcpAgent("node-alone");
  const network = await api.create("network", { segments: [segment("east"), segment("west")] });
  const [east, west] = await api.list("segments", "?sort_key=physical_network");
  const place = { network_id: network.id, ip_version: 4 };
  const eastern = await api.create("subnet", { ...place, cidr: "10.0.0.0/24", segment_id: east?.id });
  const western = await api.create("subnet", { ...place, cidr: "10.0.1.0/24", segment_id: west?.id });
  const create = (wish: object = {}) => api.create("port", { network_id: network.id, ...wish });
  const ask = async (method: string, path: string, port: object) =>
    api.ask(`/v2.0/${path}`, { method, body: { port: { ...(method === "POST" ? { network_id: network.id } : {}), ...port } } });
  const change = async (id: string, port: object) => {
    const answer = await ask("PUT", `ports/${id}`, port);
    assert.equal(answer.status, 200, answer.text);
    return answer.body["port"] as Body;
  };
  const refused = async (method: string, path: string, port: object) => {
    const { status, type } = faultOf(await ask(method, path, port));
    return `${status} ${type}`;
  };
  const show = async (id: string) => (await api.ask(`/v2.0/ports/${id}`)).body["port"] as Body;
  return { api, network, east, west, eastern, western, create, change, refused, show };
}

const allocation = (port: Body) => [
  port["ip_allocation"],
  (port["fixed_ips"] as readonly { readonly subnet_id: string }[]).map((ip) => ip.subnet_id),
];

forEachDatabase((_engine, openFresh) => {
  test("a port without a host waits for its addresses, and gets them of the segment of its host", async () => {
    const { api, eastern, western, create, change, show } = await scene(await openFresh());
    const port = await create();
    const other = await create();
    assert.deepEqual(allocation(port), ["deferred", []]);
    assert.deepEqual(
      (await api.list("ports", "?ip_allocation=deferred")).map((one) => one.id).sort(),
      [port.id, other.id].sort(),
    );
    assert.deepEqual(allocation(await change(port.id, { name: "still nowhere" })), ["deferred", []]);

    const bound = await change(port.id, { "binding:host_id": "node-west" });

    assert.deepEqual(allocation(bound), ["immediate", [western.id]]);
    assert.deepEqual(allocation(await show(port.id)), ["immediate", [western.id]]);
    assert.deepEqual(allocation(await change(other.id, { "binding:host_id": "node-east" })), ["immediate", [eastern.id]]);
    assert.deepEqual(allocation(await change(port.id, { "binding:host_id": null })), ["immediate", [western.id]]);
  });

  test("a port that has its host from the beginning has its addresses, too", async () => {
    const { eastern, western, create } = await scene(await openFresh());

    assert.deepEqual(allocation(await create({ "binding:host_id": "node-east" })), ["immediate", [eastern.id]]);
    assert.deepEqual(allocation(await create({ "binding:host_id": "node-west" })), ["immediate", [western.id]]);
    assert.deepEqual(allocation(await create({ fixed_ips: [] })), ["none", []]);
    assert.deepEqual(allocation(await create({ fixed_ips: [{ subnet_id: western.id }] })), ["immediate", [western.id]]);
    const wish = { fixed_ips: [{ ip_address: "10.0.0.77" }], "binding:host_id": "node-east" };
    assert.deepEqual((await create(wish))["fixed_ips"], [{ subnet_id: eastern.id, ip_address: "10.0.0.77" }]);
    const service = { device_owner: "network:dhcp", fixed_ips: [{ subnet_id: eastern.id }, { subnet_id: western.id }] };
    assert.deepEqual(allocation(await create(service)), ["immediate", [eastern.id, western.id]]);
  });

  test("a host that is on no segment, on two, or on another one than the addresses is refused", async () => {
    const { api, eastern, western, create, change, refused, show } = await scene(await openFresh());
    const on = (host: string, more: object = {}) => ({ "binding:host_id": host, ...more });

    assert.equal(await refused("POST", "ports", on("node-alone")), "409 HostNotConnectedToAnySegment");
    assert.equal(await refused("POST", "ports", on("node-unheard-of")), "409 HostNotConnectedToAnySegment");
    assert.equal(await refused("POST", "ports", on("node-both")), "409 HostConnectedToMultipleSegments");
    const foreign = on("node-east", { fixed_ips: [{ subnet_id: western.id }] });
    assert.equal(await refused("POST", "ports", foreign), "400 InvalidInput");
    const address = on("node-east", { fixed_ips: [{ ip_address: "10.0.1.9" }] });
    assert.equal(await refused("POST", "ports", address), "400 InvalidIpForNetwork");
    assert.deepEqual(await api.list("ports"), []);

    const waiting = await create();
    assert.equal(await refused("PUT", `ports/${waiting.id}`, on("node-alone")), "409 HostNotConnectedToAnySegment");
    const after = await show(waiting.id);
    assert.deepEqual([...allocation(after), after["binding:host_id"]], ["deferred", [], ""]);
    const placed = await create(on("node-east"));
    assert.equal(await refused("PUT", `ports/${placed.id}`, on("node-west")), "409 HostNotCompatibleWithFixedIps");
    const moved = await change(placed.id, on("node-west", { fixed_ips: [{ subnet_id: western.id }] }));
    assert.deepEqual([...allocation(moved), moved["binding:host_id"]], ["immediate", [western.id], "node-west"]);
    const back = on("node-east", { fixed_ips: [{ subnet_id: western.id, delete_subnet: true }, { subnet_id: eastern.id }] });
    assert.deepEqual(allocation(await change(placed.id, back)), ["immediate", [eastern.id]]);
  });

  test("a binding that is activated brings the addresses, and one elsewhere stays as it is", async () => {
    const { api, western, create, show } = await scene(await openFresh());
    const port = await create({ device_owner: "compute:nova" });
    const path = `/v2.0/ports/${port.id}/bindings`;
    for (const host of ["node-west", "node-east"]) {
      const made = await api.ask(path, { method: "POST", body: { binding: { host } } });
      assert.equal(made.status, 201, made.text);
    }
    assert.deepEqual(allocation(await show(port.id)), ["deferred", []]);

    const activated = await api.ask(`${path}/node-west/activate`, { method: "PUT" });

    assert.equal(activated.status, 200, activated.text);
    assert.deepEqual(allocation(await show(port.id)), ["immediate", [western.id]]);
    const elsewhere = await api.ask(`${path}/node-east/activate`, { method: "PUT" });
    assert.equal(faultOf(elsewhere).type, "HostNotCompatibleWithFixedIps");
    assert.equal((await show(port.id))["binding:host_id"], "node-west");
  });

  test("what carries a network without a physical network is on every host that is known", async () => {
    const { api, create, change, network } = await scene(await openFresh());
    const plain = await api.create("network", {});
    const [only] = await api.list("segments", `?network_id=${plain.id}`);
    const place = { network_id: plain.id, ip_version: 4, cidr: "10.0.0.0/24" };
    const subnet = await api.create("subnet", { ...place, segment_id: only?.id });
    const port = await create({ network_id: plain.id });

    assert.deepEqual(allocation(port), ["deferred", []]);
    assert.deepEqual(allocation(await change(port.id, { "binding:host_id": "node-alone" })), ["immediate", [subnet.id]]);
    const unknown = await api.ask("/v2.0/ports", {
      method: "POST",
      body: { port: { network_id: plain.id, "binding:host_id": "node-unheard-of" } },
    });
    assert.equal(faultOf(unknown).type, "HostNotConnectedToAnySegment");
    assert.notEqual(network.id, plain.id);
  });

  test("a self-addressed subnet on one segment gives addresses only to ports whose host is there", async () => {
    const { api, network, east, eastern, western, create, show } = await scene(await openFresh());
    const waiting = await create();
    const near = await create({ "binding:host_id": "node-east" });
    const far = await create({ "binding:host_id": "node-west", fixed_ips: [] });
    const modes = { ipv6_ra_mode: "slaac", ipv6_address_mode: "slaac" };
    const place = { network_id: network.id, ip_version: 6, cidr: "2001:db8::/64", segment_id: east?.id };

    const auto = await api.create("subnet", { ...place, ...modes });

    assert.deepEqual(allocation(await show(waiting.id)), ["deferred", []]);
    assert.deepEqual(allocation(await show(near.id)), ["immediate", [eastern.id, auto.id]]);
    assert.deepEqual(allocation(await show(far.id)), ["none", []]);
    assert.deepEqual(allocation(await create({ "binding:host_id": "node-west" })), ["immediate", [western.id]]);
    assert.deepEqual(allocation(await create({ "binding:host_id": "node-east" })), ["immediate", [eastern.id, auto.id]]);
  });

  test("a floating IP of several segments has to say of which", async () => {
    const { api, network, eastern } = await scene(await openFresh());
    const external = await api.ask(`/v2.0/networks/${network.id}`, {
      method: "PUT",
      body: { network: { "router:external": true } },
    });
    assert.equal(external.status, 200, external.text);
    const body = { floatingip: { floating_network_id: network.id } };

    const { status, type } = faultOf(await api.ask("/v2.0/floatingips", { method: "POST", body }));

    assert.deepEqual([status, type], [400, "ExternalIpAddressExhausted"]);
    const chosen = await api.create("floatingip", { floating_network_id: network.id, subnet_id: eastern.id });
    assert.match(String(chosen["floating_ip_address"]), /^10\.0\.0\./);
    assert.equal((await api.list("floatingips")).length, 1);
  });
});
