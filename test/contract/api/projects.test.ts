// What members of a project see and may do, on the real services.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const blue = { "x-project-id": "blue" };
const red = { "x-project-id": "red" };

let api: RealApi;
let own: Body;
let shared: Body;
before(async () => {
  api = await RealApi.open();
  own = await api.create("network", { name: "blue's" }, blue);
  await api.create("network", { name: "red's" }, red);
  shared = await api.create("network", { name: "everybody's", shared: true });
  for (const [network, cidr] of [
    [own, "10.0.0.0/24"],
    [shared, "10.1.0.0/24"],
  ] as const) {
    await api.create("subnet", { network_id: network.id, ip_version: 4, cidr });
  }
});
after(() => api.close());

const names = (items: readonly Body[]) =>
  items.map(({ name }) => String(name)).toSorted((left, right) => left.localeCompare(right));

test("a member sees its own and the shared networks, and none of the administrators' attributes", async () => {
  const networks = await api.list("networks", "", blue);

  assert.deepEqual(names(networks), ["blue's", "everybody's"]);
  assert.deepEqual(
    Object.keys(networks[0] ?? {}).filter((name) => name.startsWith("provider:")),
    [],
  );
  assert.deepEqual(names(await api.list("networks", "?name=red's", blue)), []);
  assert.deepEqual([own["project_id"], own["tenant_id"]], ["blue", "blue"]);
});

test("a member makes ports with plain wishes on its own and on shared networks, and sees only its own on the latter", async () => {
  await api.create("port", { network_id: own.id, name: "mine" }, blue);
  await api.create("port", { network_id: shared.id, name: "guest" }, blue);
  await api.create("port", { network_id: shared.id, name: "other guest" }, red);

  assert.deepEqual(names(await api.list("ports", "", blue)), ["guest", "mine"]);
  const [port] = await api.list("ports", "?name=guest", blue);
  assert.deepEqual(
    Object.keys(port ?? {}).filter((name) => name.startsWith("binding:")),
    ["binding:vnic_type"],
  );
});

test("the owner of a network sees every port on it", async () => {
  await api.create("port", { network_id: own.id, name: "theirs", project_id: "red" });

  assert.ok(names(await api.list("ports", `?network_id=${own.id}`, blue)).includes("theirs"));
});
