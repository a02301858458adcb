// Bindings of ports over HTTP, on each engine: an instance's port is prepared on a second host and moves there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const member = { "x-project-id": "blue", "x-roles": "member" };
const service = { "x-project-id": "services", "x-roles": "service" };

async function scene(api: RealApi, wish: object = { device_owner: "compute:nova", "binding:host_id": "node-1" }) {
  for (const host of ["node-1", "node-2", "node-3"]) await api.registerDhcpAgent(host);
  const network = await api.create("network", { project_id: "blue" });
  const port = await api.create("port", { network_id: network.id, project_id: "blue", ...wish });
  const path = `ports/${port.id}/bindings`;
  const ask = (method: string, below = "", binding?: object, headers: Record<string, string> = service) =>
    api.ask(`/v2.0/${path}${below}`, { method, headers, ...(binding === undefined ? {} : { body: { binding } }) });
  const show = async () => (await api.ask(`/v2.0/ports/${port.id}`)).body["port"] as Body;
  const list = (query = "") => api.list(path, query, service, "bindings");
  return { port, ask, show, list };
}

forEachDatabase((_engine, openFresh) => {
  const open = async () => new RealApi(await openFresh());

  test("a port is prepared on another host, moves there, and can go back", async () => {
    const { port, ask, show, list } = await scene(await open());
    const made = await ask("POST", "", { host: "node-2", profile: { slot: 1 } });
    assert.equal(made.status, 201, made.text);
    const waiting = made.body["binding"] as Body;
    assert.deepEqual(
      [waiting["host"], waiting["status"], waiting["vif_type"], waiting["vnic_type"], waiting["profile"]],
      ["node-2", "INACTIVE", "bridge", "normal", { slot: 1 }],
    );
    assert.deepEqual(
      (await list()).map((one) => [one["host"], one["status"]]),
      [
        ["node-1", "ACTIVE"],
        ["node-2", "INACTIVE"],
      ],
    );
    assert.equal((await show())["revision_number"], Number(port["revision_number"]) + 1);
    assert.equal((await show())["binding:host_id"], "node-1");

    const activated = await ask("PUT", "/node-2/activate");

    assert.deepEqual([activated.status, activated.body["status"]], [200, "ACTIVE"], activated.text);
    const moved = await show();
    assert.deepEqual([moved["binding:host_id"], moved["binding:profile"]], ["node-2", { slot: 1 }]);
    assert.deepEqual(
      (await list("?status=INACTIVE")).map((one) => [one["host"], one["vif_type"]]),
      [["node-1", "unbound"]],
    );
    assert.equal(faultOf(await ask("PUT", "/node-2/activate")).type, "PortBindingAlreadyActive");
    assert.equal((await ask("PUT", "/node-1/activate")).status, 200);
    assert.equal((await show())["binding:host_id"], "node-1");
    assert.equal((await ask("DELETE", "/node-2")).status, 204);
    assert.deepEqual((await list()).length, 1);
  });

  test("bindings are one for each host, of hosts that there are, and of ports of instances", async () => {
    const { ask } = await scene(await open());
    assert.equal(faultOf(await ask("POST", "", { host: "node-1" })).type, "PortBindingAlreadyExists");
    assert.equal((await ask("POST", "", { host: "node-2" })).status, 201);
    assert.equal(faultOf(await ask("POST", "", { host: "node-2" })).type, "PortBindingAlreadyExists");
    assert.equal(faultOf(await ask("POST", "", { host: "nowhere" })).type, "PortBindingError");
    assert.equal((await ask("POST", "", {})).status, 400);
    for (const [method, below] of [
      ["PUT", "/node-3/activate"],
      ["DELETE", "/node-3"],
      ["GET", "/node-3"],
    ] as const) {
      assert.equal(faultOf(await ask(method, below)).type, "PortBindingNotFound", method);
    }
    const other = await scene(await open(), { "binding:host_id": "node-1" });
    assert.equal(faultOf(await other.ask("POST", "", { host: "node-2" })).type, "UnsupportedPortDeviceOwner");
  });

  test("a binding is changed, moved to another host, and removed with the port's own", async () => {
    const { ask, show, list } = await scene(await open());
    await ask("POST", "", { host: "node-2" });
    const changed = await ask("PUT", "/node-2", { profile: { a: 1 }, host: "node-3" });
    assert.deepEqual([changed.status, (changed.body["binding"] as Body)["host"]], [200, "node-3"], changed.text);
    assert.equal(faultOf(await ask("PUT", "/node-3", { host: "node-1" })).type, "PortBindingAlreadyExists");
    assert.equal((await ask("PUT", "/node-1", { profile: { b: 2 } })).status, 200);
    assert.deepEqual((await show())["binding:profile"], { b: 2 });
    assert.equal((await ask("DELETE", "/node-1")).status, 204);
    const unbound = await show();
    assert.deepEqual([unbound["binding:host_id"], unbound["binding:vif_type"], unbound["status"]], ["", "unbound", "DOWN"]);
    assert.deepEqual(
      (await list()).map((one) => one["host"]),
      ["node-3"],
    );
  });

  test("a port that is bound by itself to a host where a binding waits has that one no more", async () => {
    const api = await open();
    const { port, ask, list } = await scene(api);
    await ask("POST", "", { host: "node-2" });
    const bind = { method: "PUT", headers: service, body: { port: { "binding:host_id": "node-2" } } } as const;
    assert.equal((await api.ask(`/v2.0/ports/${port.id}`, bind)).status, 200);
    assert.deepEqual(
      (await list()).map((one) => [one["host"], one["status"]]),
      [["node-2", "ACTIVE"]],
    );
    assert.equal((await api.ask(`/v2.0/ports/${port.id}`, { method: "DELETE" })).status, 204);
    assert.equal(faultOf(await ask("GET")).type, "PortNotFound");
  });

  test("bindings are nothing for members", async () => {
    const { ask } = await scene(await open());
    for (const [method, below, body] of [
      ["GET", "", undefined],
      ["POST", "", { host: "node-2" }],
      ["PUT", "/node-1/activate", undefined],
      ["DELETE", "/node-1", undefined],
    ] as const) {
      assert.equal(faultOf(await ask(method, below, body, member)).type, "PolicyNotAuthorized", method);
    }
  });
});
