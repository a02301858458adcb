// What of the API needs to know who asks, and how it answers those who do not say.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type Authenticator, tokenOf, Unauthenticated } from "../../../../src/server/identity/authenticator.ts";
import { type Role, rolesOf } from "../../../../src/types/roles.ts";
import { FakeApi, faultOf } from "../../../helpers/fake-api.ts";

/** A token is the roles of its owner. */
const authenticator: Authenticator = {
  async identify(headers) {
    const token = tokenOf(headers);
    if (token === undefined) throw new Unauthenticated('Test realm="x"');
    return { userId: "u", projectId: token === "unscoped" ? "" : "blue", roles: rolesOf(token.split("+")) };
  },
};

const api = new FakeApi(async () => "netloom_up 1\n", authenticator);
after(() => api.close());

const id = "11111111-2222-3333-4444-555555555555";
const as = (token: string) => ({ headers: { "x-auth-token": token } });

test("without a token every collection, action and list of names is 401, before a body is looked at", async () => {
  const paths = ["/v2.0", "/v2.0/extensions", "/v2.0/networks", `/v2.0/ports/${id}`, "/v2.0/agents", "/v2.0/networks.json"];
  const asked = [
    ...paths.map((path) => api.ask(path)),
    api.ask("/v2.0/networks", { method: "POST", raw: "{not json" }),
    api.ask(`/v2.0/routers/${id}/add_router_interface`, { method: "PUT", raw: "x".repeat(100) }),
    api.ask(`/v2.0/ports/${id}`, { method: "DELETE" }),
    api.ask("/v2.0/networks", { headers: { "x-project-id": "blue", "x-roles": "admin" } }),
    api.ask("/v2.0/networks", as("with blank")),
  ];

  for (const { status, headers, body } of await Promise.all(asked)) {
    assert.deepEqual([status, headers["www-authenticate"]], [401, 'Test realm="x"']);
    const message = "The request you have made requires authentication.";
    assert.deepEqual(body, { error: { code: 401, title: "Unauthorized", message } });
  }
  assert.deepEqual([api.networks.calls, api.ports.calls], [[], []]);
});

test("versions, health and unknown paths need no token", async () => {
  const statuses: number[] = [];
  for (const path of ["/", "/healthz", "/readyz", "/v2.0/colours"]) statuses.push((await api.ask(path)).status);

  assert.deepEqual(statuses, [200, 200, 200, 404]);
  assert.equal((await api.ask("/v2.0/networks", { method: "PATCH" })).status, 405);
});

test("metrics are for this machine, and from elsewhere for administrators", async () => {
  const elsewhere = { "x-forwarded-for": "192.0.2.1" };
  const from = (address: string, headers = {}) => api.app.inject({ url: "/metrics", remoteAddress: address, headers });

  assert.equal((await from("127.0.0.1")).statusCode, 200);
  assert.equal((await from("::ffff:127.0.0.1")).statusCode, 200);
  assert.equal((await from("192.0.2.7")).statusCode, 401);
  assert.equal((await from("127.0.0.1", elsewhere)).statusCode, 401);
  assert.equal((await from("192.0.2.7", { "x-auth-token": "member" })).statusCode, 403);
  assert.equal((await from("192.0.2.7", { "x-auth-token": "admin" })).statusCode, 200);
});

test("a token of no project, or without a role that means something, is 403", async () => {
  for (const token of ["unscoped", "advsvc", "administrator"]) {
    const fault = faultOf(await api.ask("/v2.0/networks", as(token)));
    assert.deepEqual([fault.status, fault.type], [403, "HTTPForbidden"]);
  }
});

test("services are told user, project and what the roles allow", async () => {
  const told: readonly (readonly [string, readonly Role[], readonly boolean[]])[] = [
    ["admin", ["admin", "manager", "member", "reader"], [true, true, false, true]],
    ["Manager", ["manager", "member", "reader"], [false, true, false, true]],
    ["_member_", ["member", "reader"], [false, false, false, true]],
    ["reader+other", ["reader"], [false, false, false, false]],
    ["service", ["service"], [false, false, true, false]],
    ["service+member", ["service", "member", "reader"], [false, false, true, true]],
  ];
  for (const [token, roles, [isAdmin, isManager, isService, canWrite]] of told) {
    await api.ask("/v2.0/networks", as(token));
    const { requestId: _one, roles: given, ...context } = api.networks.calls.at(-1)?.context ?? { requestId: "" };
    assert.deepEqual(context, { userId: "u", projectId: "blue", isAdmin, isManager, isService, canWrite }, token);
    assert.deepEqual(given, new Set(roles));
  }
});
