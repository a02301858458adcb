// Address scopes over HTTP, on each engine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { RealApi } from "../../helpers/real-api.ts";

const blue = { "x-project-id": "blue" };
const guest = "5d3c2e1f0a9b0190b6a83c1e7f008a00";
const red = { "x-project-id": "red" };

forEachDatabase((_engine, openFresh) => {
  test("a scope is made, found, renamed and removed by its project, and is hidden from others", async () => {
    const api = new RealApi(await openFresh());
    const scope = await api.create("address_scope", { name: "office", ip_version: 4 }, blue, "address-scopes");
    assert.equal(scope["shared"], false);
    assert.equal(scope["ip_version"], 4);
    const path = `/v2.0/address-scopes/${scope.id}`;
    assert.equal(faultOf(await api.ask(path, { headers: red })).type, "AddressScopeNotFound");
    const renamed = await api.ask(path, { method: "PUT", headers: blue, body: { address_scope: { name: "lab" } } });
    assert.equal(renamed.status, 200, renamed.text);
    const listed = await api.ask("/v2.0/address-scopes?name=lab&ip_version=4&shared=false&sort_key=name", { headers: blue });
    assert.deepEqual(listed.body, { address_scopes: [{ ...scope, name: "lab", revision_number: 2, ...timesOf(listed) }] });
    assert.equal((await api.ask(path, { method: "DELETE", headers: red })).status, 404);
    assert.equal((await api.ask(path, { method: "DELETE", headers: blue })).status, 204);
    assert.equal((await api.ask(path, { headers: blue })).status, 404);
  });

  test("a shared scope is seen by all, changed by its project only, and stays shared", async () => {
    const api = new RealApi(await openFresh());
    const scope = await api.create("address_scope", { ip_version: 6, shared: true }, {}, "address-scopes");
    const path = `/v2.0/address-scopes/${scope.id}`;
    assert.equal((await api.ask(path, { headers: red })).status, 200);
    const change = { method: "PUT", headers: red, body: { address_scope: { name: "mine" } } } as const;
    assert.equal(faultOf(await api.ask(path, change)).type, "PolicyNotAuthorized");
    const unshared = await api.ask(path, { method: "PUT", body: { address_scope: { shared: false } } });
    assert.equal(faultOf(unshared).status, 400);
    assert.equal((await api.ask("/v2.0/address-scopes?shared=true", { headers: red })).text.includes(scope.id), true);
  });

  test("scopes and pools are sorted by whether they are shared with who asks, page by page", async () => {
    const api = new RealApi(await openFresh());
    for (const name of ["a", "b", "c", "d"]) {
      await api.create(
        "address_scope",
        { name, ip_version: 4, project_id: "blue", shared: name === "b" },
        {},
        "address-scopes",
      );
      const prefixes = [`10.${name.charCodeAt(0)}.0.0/16`];
      await api.create("subnetpool", { name, prefixes, project_id: "blue", shared: name === "b" });
    }
    for (const [type, path, key] of [
      ["address_scope", "address-scopes", "address_scopes"],
      ["subnetpool", "subnetpools", "subnetpools"],
    ] as const) {
      const [scope] = await api.list(path, "?name=a", {}, key);
      const sharing = { object_type: type, object_id: scope?.id, action: "access_as_shared", target_project: guest };
      await api.create("rbac_policy", sharing, {}, "rbac-policies");
      const names = async (query: string, headers = {}) =>
        (await api.list(path, `?${query}`, headers, key)).map((one) => one["name"]).join("");

      assert.equal(await names("sort_key=shared&sort_key=name", blue), "acdb");
      assert.equal(await names("sort_key=shared&sort_dir=desc&sort_key=name&sort_dir=asc", blue), "bacd");
      assert.equal(await names("sort_key=shared&sort_key=name", { "x-project-id": guest }), "ab");
      assert.equal(await names("sort_key=shared&sort_key=name", { "x-project-id": guest, "x-roles": "admin" }), "cdab");
      const idOf = async (name: string) => (await api.list(path, `?name=${name}`, {}, key))[0]?.id;
      const after = `sort_key=shared&sort_key=name&limit=2&marker=${await idOf("c")}`;
      assert.equal(await names(after, blue), "db");
      assert.equal(await names(`${after}&page_reverse=true`, blue), "a");
      const down = `sort_key=shared&sort_dir=desc&sort_key=name&sort_dir=desc&marker=${await idOf("b")}`;
      assert.equal(await names(down, blue), "dca");
    }
  });
});

/** Changed in the meantime, if the clock ticked. */
function timesOf({ body }: { readonly body: Record<string, unknown> }): { readonly updated_at: unknown } {
  const [scope] = body["address_scopes"] as readonly { readonly updated_at: unknown }[];
  return { updated_at: scope?.updated_at };
}
