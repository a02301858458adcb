// Address groups over HTTP, on each engine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const blue = { "x-project-id": "blue" };
const red = { "x-project-id": "red" };

forEachDatabase((_engine, openFresh) => {
  test("addresses come and go by actions of their own, and one form is stored", async () => {
    const api = new RealApi(await openFresh());
    const group = await api.create(
      "address_group",
      {
        name: "office",
        description: "d".repeat(1024),
        addresses: ["2001:DB8::7/32", "10.0.0.5", "10.0.0.9/24", "10.0.0.5/32"],
      },
      blue,
      "address-groups",
    );
    assert.deepEqual(group["addresses"], ["10.0.0.0/24", "10.0.0.5/32", "2001:db8::/32"]);
    const path = `/v2.0/address-groups/${group.id}`;
    const act = (verb: string, body: object, headers = blue) =>
      api.ask(`${path}/${verb}_addresses`, { method: "PUT", headers, body });

    const added = await act("add", { addresses: ["192.0.2.1", "9.0.0.0/8"] });
    assert.equal(added.status, 200, added.text);
    const wrapped = await act("remove", { address_group: { addresses: ["10.0.0.0/24"] } });

    const after = wrapped.body["address_group"] as Body;
    assert.deepEqual(after["addresses"], ["9.0.0.0/8", "10.0.0.5/32", "192.0.2.1/32", "2001:db8::/32"]);
    assert.equal(after["revision_number"], 3);
    const again = await act("add", { addresses: ["192.0.2.1/32"] });
    assert.deepEqual([again.status, faultOf(again).type], [400, "AddressesAlreadyExist"]);
    assert.equal(faultOf(await act("remove", { addresses: ["192.0.2.2"] })).type, "AddressesNotFound");
    for (const body of [{ addresses: ["10.0.0.256/24"] }, { addresses: "10.0.0.1" }, { addresses: [], name: "x" }, {}, []]) {
      assert.equal((await act("add", body)).status, 400, JSON.stringify(body));
    }
    assert.equal((await act("add", { addresses: [] }, red)).status, 404);
    const put = await api.ask(path, { method: "PUT", headers: blue, body: { address_group: { addresses: [] } } });
    assert.equal(put.status, 400);
    assert.deepEqual((await api.ask(path, { headers: blue })).body["address_group"], after);
  });

  test("many who add at the same time all have their addresses in it", async () => {
    const api = new RealApi(await openFresh());
    const group = await api.create("address_group", {}, blue, "address-groups");
    const path = `/v2.0/address-groups/${group.id}/add_addresses`;
    const add = (n: number) => api.ask(path, { method: "PUT", headers: blue, body: { addresses: [`10.0.0.${n}`] } });

    const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => add(n)));

    assert.ok(answers.every(({ status }) => status === 200));
    const [after] = await api.list("address-groups", "", blue, "address_groups");
    assert.deepEqual([((after?.["addresses"] ?? []) as string[]).length, after?.["revision_number"]], [12, 13]);
  });

  test("a group that a rule names stays; others use one that is shared", async () => {
    const api = new RealApi(await openFresh());
    const group = await api.create("address_group", { addresses: ["10.0.0.0/8"] }, blue, "address-groups");
    const own = await api.create("security_group", { name: "web" }, red, "security-groups");
    const rule = { security_group_id: own.id, direction: "ingress", remote_address_group_id: group.id };
    const post = () =>
      api.ask("/v2.0/security-group-rules", { method: "POST", headers: red, body: { security_group_rule: rule } });
    assert.equal(faultOf(await post()).type, "AddressGroupNotFound");
    const policy = { object_type: "address_group", object_id: group.id, action: "access_as_shared", target_project: "*" };
    await api.store.db
      .insertInto("rbac_policies")
      .values({ id: group.id, project_id: "blue", ...policy })
      .execute();
    const made = (await post()).body["security_group_rule"] as Body;
    assert.equal(made["remote_address_group_id"], group.id);
    const [seen] = await api.list("address-groups", "?shared=true", red, "address_groups");
    assert.deepEqual([seen?.id, seen?.["shared"]], [group.id, true]);

    const path = `/v2.0/address-groups/${group.id}`;
    const refused = faultOf(await api.ask(path, { method: "DELETE", headers: blue }));
    assert.deepEqual([refused.status, refused.type], [409, "AddressGroupInUse"]);
    await api.ask(`/v2.0/security-group-rules/${made.id}`, { method: "DELETE", headers: red });
    assert.equal((await api.ask(path, { method: "DELETE", headers: blue })).status, 204);
  });
});
