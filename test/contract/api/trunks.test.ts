// Trunks over HTTP, on each engine: which ports may be in one, and what that means for them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const blue = { "x-project-id": "blue" };
const red = { "x-project-id": "red" };

async function scene(api: RealApi) {
  const network = await api.create("network", {}, blue);
  const port = (more: object = {}) => api.create("port", { network_id: network.id, ...more }, blue);
  const act = (trunk: string, verb: string, sub_ports: readonly object[], headers = blue) =>
    api.ask(`/v2.0/trunks/${trunk}/${verb}_subports`, { method: "PUT", headers, body: { sub_ports } });
  const post = (trunk: object) => api.ask("/v2.0/trunks", { method: "POST", headers: blue, body: { trunk } });
  return { network, port, act, post };
}

const vlan = ({ id }: Body, segmentation_id: number) => ({ port_id: id, segmentation_type: "vlan", segmentation_id });

forEachDatabase((_engine, openFresh) => {
  const open = async () => new RealApi(await openFresh());

  test("a trunk is made with subports, gets more, loses them, and its parent tells them", async () => {
    const api = await open();
    const { port, act } = await scene(api);
    const [parent, one, two] = [await port(), await port(), await port()];
    const trunk = await api.create("trunk", { port_id: parent.id, sub_ports: [vlan(one, 101)] }, blue);
    assert.deepEqual([trunk["status"], trunk["admin_state_up"], trunk["sub_ports"]], ["DOWN", true, [vlan(one, 101)]]);

    const added = await act(trunk.id, "add", [vlan(two, 100)]);

    assert.equal(added.status, 200, added.text);
    assert.deepEqual(added.body["sub_ports"], [vlan(two, 100), vlan(one, 101)]);
    assert.equal(added.body["revision_number"], 2);
    const shown = (await api.ask(`/v2.0/ports/${parent.id}`, { headers: blue })).body["port"] as Body;
    assert.deepEqual(shown["trunk_details"], {
      trunk_id: trunk.id,
      sub_ports: [
        { ...vlan(two, 100), mac_address: two["mac_address"] },
        { ...vlan(one, 101), mac_address: one["mac_address"] },
      ],
    });
    assert.equal((await act(trunk.id, "remove", [{ port_id: one.id }])).status, 200);
    const left = await api.ask(`/v2.0/trunks/${trunk.id}/get_subports`, { headers: blue });
    assert.deepEqual(left.body, { sub_ports: [vlan(two, 100)] });
    assert.equal(faultOf(await act(trunk.id, "remove", [{ port_id: one.id }])).type, "SubPortNotFound");
    assert.equal(faultOf(await api.ask(`/v2.0/trunks/${trunk.id}`, { headers: red })).type, "TrunkNotFound");
    assert.equal((await api.list("trunks", `?port_id=${parent.id}&status=DOWN&sort_key=name`, blue)).length, 1);
  });

  test("a port is in one trunk only, once, under a segmentation of its own", async () => {
    const api = await open();
    const { port, act, post } = await scene(api);
    const [parent, sub, other, free] = [await port(), await port(), await port(), await port()];
    const trunk = await api.create("trunk", { port_id: parent.id, sub_ports: [vlan(sub, 5)] }, blue);
    const second = await api.create("trunk", { port_id: other.id }, blue);
    const typeOf = async (answer: Promise<Awaited<ReturnType<typeof post>>>) => faultOf(await answer).type;

    assert.equal(await typeOf(post({ port_id: parent.id })), "PortInUseAsTrunkParent");
    assert.equal(await typeOf(post({ port_id: sub.id })), "PortInUseAsSubPort");
    assert.equal(await typeOf(act(second.id, "add", [vlan(sub, 7)])), "PortInUseAsSubPort");
    assert.equal(await typeOf(act(second.id, "add", [vlan(parent, 7)])), "PortInUseAsTrunkParent");
    assert.equal(await typeOf(act(trunk.id, "add", [vlan(free, 5)])), "DuplicateSubPort");
    assert.equal(await typeOf(post({ port_id: free.id, sub_ports: [vlan(free, 9)] })), "ParentPortInUse");
    assert.equal(await typeOf(act(trunk.id, "add", [vlan(parent, 9)])), "ParentPortInUse");
    assert.equal(await typeOf(act(trunk.id, "add", [vlan(free, 8), vlan(free, 9)])), "InvalidInput");
    for (const id of [0, 4095]) assert.equal(await typeOf(act(trunk.id, "add", [vlan(free, id)])), "InvalidInput");
    assert.equal(await typeOf(act(trunk.id, "add", [{ port_id: free.id, segmentation_type: "inherit" }])), "InvalidInput");
    // What is wrong in the list itself is told before ports are looked for.
    const nowhere = { id: "00000000-0000-4000-8000-000000000000" } as Body;
    const half = [
      { port_id: nowhere.id },
      { port_id: nowhere.id, segmentation_type: "vlan" },
      { port_id: nowhere.id, segmentation_id: 3 },
    ];
    for (const one of half) {
      assert.equal(await typeOf(act(trunk.id, "add", [one])), "HTTPBadRequest");
      assert.equal(await typeOf(post({ port_id: nowhere.id, sub_ports: [one] })), "HTTPBadRequest");
    }
    assert.equal(await typeOf(post({ port_id: nowhere.id, sub_ports: [vlan(free, 9), vlan(sub, 9)] })), "HTTPBadRequest");
    assert.equal(await typeOf(act(trunk.id, "remove", [{ port_id: nowhere.id }])), "SubPortNotFound");
    assert.equal((await act(trunk.id, "add", [{ ...vlan(free, 6), more: 1 }])).status, 400);
    for (const [id, type] of [
      [parent.id, "PortInUseAsTrunkParent"],
      [sub.id, "PortInUseAsSubPort"],
    ] as const) {
      assert.equal(await typeOf(api.ask(`/v2.0/ports/${id}`, { method: "DELETE", headers: blue })), type);
    }
    assert.equal((await api.ask(`/v2.0/trunks/${trunk.id}`, { method: "DELETE", headers: blue })).status, 204);
    assert.equal((await api.ask(`/v2.0/ports/${sub.id}`, { method: "DELETE", headers: blue })).status, 204);
  });

  test("ports in use do not join, a bound parent holds its trunk, and a disabled trunk stays as it is", async () => {
    const api = await open();
    const { network, port, act, post } = await scene(api);
    const used = await port({ device_id: "instance" });
    const [parent, sub] = [await port(), await port()];
    assert.equal(faultOf(await post({ port_id: used.id })).type, "ParentPortInUse");
    const trunk = await api.create("trunk", { port_id: parent.id, admin_state_up: false }, blue);
    const path = `/v2.0/trunks/${trunk.id}`;
    assert.equal(faultOf(await act(trunk.id, "add", [vlan(sub, 2)])).type, "TrunkDisabled");
    assert.equal(faultOf(await api.ask(path, { method: "DELETE", headers: blue })).type, "TrunkDisabled");
    await api.ask(path, { method: "PUT", headers: blue, body: { trunk: { admin_state_up: true } } });
    assert.equal(faultOf(await act(trunk.id, "add", [vlan(used, 2)])).type, "PortInUse");
    const large = await api.create("network", { mtu: Number(network["mtu"]) + 1 }, blue).catch(() => undefined);
    if (large !== undefined) {
      const wide = await api.create("port", { network_id: large.id }, blue);
      assert.equal(faultOf(await act(trunk.id, "add", [vlan(wide, 2)])).type, "SubPortMtuGreaterThanTrunkPortMtu");
    }
    const bind = (host: string | null) =>
      api.ask(`/v2.0/ports/${parent.id}`, { method: "PUT", body: { port: { "binding:host_id": host } } });
    assert.equal((await bind("node-1")).status, 200);
    assert.equal(faultOf(await api.ask(path, { method: "DELETE", headers: blue })).type, "TrunkInUse");
    assert.equal((await bind(null)).status, 200);
    assert.equal((await api.ask(path, { method: "DELETE", headers: blue })).status, 204);
  });

  test("a subport inherits the VLAN of its network, and foreign ports are not there", async () => {
    const api = await open();
    const { port, act } = await scene(api);
    const trunk = await api.create("trunk", { port_id: (await port()).id }, blue);
    const carrier = { "provider:network_type": "vlan", "provider:physical_network": "physnet1" };
    const tagged = await api.create("network", { ...carrier, "provider:segmentation_id": 77, project_id: "blue" });
    const sub = await api.create("port", { network_id: tagged.id }, blue);
    const inherited = await act(trunk.id, "add", [{ port_id: sub.id, segmentation_type: "inherit" }]);
    assert.deepEqual(inherited.body["sub_ports"], [vlan(sub, 77)], inherited.text);
    const foreign = await api.create("network", {}, red);
    const hidden = await api.create("port", { network_id: foreign.id }, red);
    assert.equal(faultOf(await act(trunk.id, "add", [vlan(hidden, 3)])).type, "PortNotFound");
  });
});
