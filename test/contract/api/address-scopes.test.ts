// Address scopes over HTTP, on each engine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { RealApi } from "../../helpers/real-api.ts";

const blue = { "x-project-id": "blue" };
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
});

/** Changed in the meantime, if the clock ticked. */
function timesOf({ body }: { readonly body: Record<string, unknown> }): { readonly updated_at: unknown } {
  const [scope] = body["address_scopes"] as readonly { readonly updated_at: unknown }[];
  return { updated_at: scope?.updated_at };
}
