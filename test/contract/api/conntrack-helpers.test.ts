// Conntrack helpers of routers over HTTP, on each engine; and attributes that would have no effect.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const blue = { "x-project-id": "blue" };
const red = { "x-project-id": "red" };

forEachDatabase((_engine, openFresh) => {
  const open = async () => new RealApi(await openFresh());

  test("a router gets helpers, which it tells, and loses them", async () => {
    const api = await open();
    const router = await api.create("router", {}, blue);
    const path = `routers/${router.id}/conntrack_helpers`;
    const helper = await api.create("conntrack_helper", { protocol: "udp", port: "69", helper: "tftp" }, blue, path);
    assert.deepEqual(helper, { id: helper.id, protocol: "udp", port: 69, helper: "tftp" });
    const show = async () => (await api.ask(`/v2.0/routers/${router.id}`, { headers: blue })).body["router"] as Body;
    assert.deepEqual((await show())["conntrack_helpers"], [{ protocol: "udp", port: 69, helper: "tftp" }]);
    assert.equal((await show())["revision_number"], Number(router["revision_number"]) + 1);
    const ask = (method: string, below: string, body?: object, headers = blue) =>
      api.ask(`/v2.0/${path}${below}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body: { conntrack_helper: body } }),
      });
    assert.equal((await ask("PUT", `/${helper.id}`, { port: 6969 })).status, 200);
    assert.equal((await api.list(path, "?port=6969&sort_key=helper", blue, "conntrack_helpers")).length, 1);
    assert.equal(faultOf(await ask("POST", "", { protocol: "udp", port: 6969, helper: "tftp" })).type, "BadRequest");
    assert.equal(
      faultOf(await ask("POST", "", { protocol: "tcp", port: 69, helper: "tftp" })).type,
      "ConntrackHelperNotAllowed",
    );
    for (const wrong of [{ port: 0 }, { port: 65_536 }, { helper: "smtp" }, { protocol: "gre" }]) {
      assert.equal((await ask("POST", "", { protocol: "udp", port: 1, helper: "tftp", ...wrong })).status, 400);
    }
    assert.equal(faultOf(await ask("GET", "", undefined, red)).type, "RouterNotFound");
    assert.equal(faultOf(await ask("DELETE", `/${helper.id}`, undefined, red)).type, "RouterNotFound");
    assert.equal((await ask("DELETE", `/${helper.id}`)).status, 204);
    assert.equal(faultOf(await ask("GET", `/${helper.id}`)).type, "ConntrackHelperNotFound");
    await api.create("conntrack_helper", { protocol: "tcp", port: 21, helper: "ftp" }, blue, path);
    assert.equal((await api.ask(`/v2.0/routers/${router.id}`, { method: "DELETE", headers: blue })).status, 204);
  });

  test("what could have no effect takes only the value that asks for nothing", async () => {
    const api = await open();
    const network = await api.create("network", {}, blue);
    const refused = {
      propagate_uplink_status: true,
      numa_affinity_policy: "required",
      device_profile: "gpu",
      hints: { openvswitch: {} },
      hardware_offload_type: "switchdev",
      trusted: true,
      pvlan_type: "isolated",
      pvlan_community: "red",
    };
    for (const [name, value] of Object.entries(refused)) {
      const body = { port: { network_id: network.id, [name]: value } };
      const fault = faultOf(await api.ask("/v2.0/ports", { method: "POST", headers: blue, body }));
      assert.match(fault.message, /this server has no /, name);
    }
    const none = { propagate_uplink_status: false, numa_affinity_policy: null, trusted: "false", hints: null };
    const port = await api.create("port", { network_id: network.id, dns_domain: "Example.ORG", ...none }, blue);
    assert.deepEqual([port["trusted"], port["hints"], port["dns_domain"]], [false, null, "example.org"]);
    assert.deepEqual(await api.list("ports", "?pvlan_type=isolated", blue), []);
    for (const wish of [{ flavor_id: port.id }, { enable_ndp_proxy: true }, { evpn_vni: 5 }, { service_type_id: port.id }]) {
      const answer = await api.ask("/v2.0/routers", { method: "POST", headers: blue, body: { router: wish } });
      assert.equal(answer.status, 400, JSON.stringify(wish));
    }
    const router = await api.create("router", { enable_ndp_proxy: null, flavor_id: null }, blue);
    assert.deepEqual([router["enable_ndp_proxy"], router["external_gateways"]], [false, []]);
    assert.equal((await api.list("routers", "?enable_ndp_proxy=false&sort_key=flavor_id", blue)).length, 1);
    assert.deepEqual(await api.list("routers", "?enable_ndp_proxy=true", blue), []);
  });

  test("an operator says how the data plane of a port is, and everybody reads it", async () => {
    const api = await open();
    const network = await api.create("network", {}, blue);
    const port = await api.create("port", { network_id: network.id }, blue);
    assert.equal(port["data_plane_status"], null);
    const say = (data_plane_status: unknown, headers: Record<string, string> = {}) =>
      api.ask(`/v2.0/ports/${port.id}`, { method: "PUT", headers, body: { port: { data_plane_status } } });
    const member = { ...blue, "x-roles": "member" };
    assert.equal((await say("DOWN", member)).status, 403);
    assert.equal((await say("BROKEN")).status, 400);
    assert.equal((await say("DOWN")).status, 200);
    const shown = await api.ask(`/v2.0/ports/${port.id}`, { headers: member });
    assert.equal((shown.body["port"] as Body)["data_plane_status"], "DOWN");
    assert.equal(((await say(null)).body["port"] as Body)["data_plane_status"], null);
  });
});
