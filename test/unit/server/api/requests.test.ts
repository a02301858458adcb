// Everything around a route: verbs, unknown paths, identity, traces, logs, errors, conditions, health.
import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { NetloomError } from "../../../../src/base/errors.ts";
import { currentTrace } from "../../../../src/base/trace-context.ts";
import { defaultProjectId } from "../../../../src/server/identity/header-identity.ts";
import { ApiFault } from "../../../../src/types/api-faults.ts";
import { FakeApi, faultOf } from "../../../helpers/fake-api.ts";

const id = "11111111-2222-3333-4444-555555555555";
const api = new FakeApi(async () => "netloom_up 1\n");
after(() => api.close());
beforeEach(() => {
  api.lines.length = 0;
  for (const service of [api.networks, api.ports, api.agents.resource]) {
    service.calls.length = 0;
    service.failure = undefined;
  }
});

test("the root names the version and /v2.0 the resources, with and without a slash", async () => {
  const root = await api.ask("/", { headers: { host: "localhost:1", "x-project-id": "nobody" } });
  const link = [{ rel: "self", href: "http://localhost:1/v2.0/" }];
  assert.deepEqual(root.body, { versions: [{ id: "v2.0", status: "CURRENT", links: link }] });

  for (const path of ["/v2.0", "/v2.0/"]) {
    const { resources } = (await api.ask(path, { headers: { host: "localhost:1" } })).body;
    assert.deepEqual((resources as readonly unknown[])[0], {
      name: "network",
      collection: "networks",
      links: [{ rel: "self", href: "http://localhost:1/v2.0/networks" }],
    });
  }
});

test("extensions are listed and shown; other verbs do not exist there", async () => {
  const { extensions } = (await api.ask("/v2.0/extensions")).body as { readonly extensions: readonly { alias: string }[] };
  const aliases = extensions.map(({ alias }) => alias);
  assert.ok(aliases.includes("agent") && new Set(aliases).size === aliases.length);

  // Attributes that are kept and have no effect yet: nothing filters addresses, nothing carries frames between hosts.
  for (const alias of ["allowed-address-pairs", "port-security", "provider"]) assert.ok(!aliases.includes(alias), alias);
  const shown = await api.ask("/v2.0/extensions/agent.json");
  assert.deepEqual(Object.keys(shown.body["extension"] as object), ["alias", "name", "description", "updated", "links"]);
  assert.equal(faultOf(await api.ask("/v2.0/extensions/nonsense")).type, "ExtensionsNotFound");
  for (const path of ["/v2.0/extensions", "/v2.0/extensions/agent"]) {
    assert.equal(faultOf(await api.ask(path, { method: "POST", body: {} })).type, "HTTPNotFound");
  }
});

const wrongVerbs: readonly (readonly [string, string, string])[] = [
  ["POST", "/", "GET"],
  ["DELETE", "/v2.0/", "GET"],
  ["PATCH", "/v2.0/networks", "GET, POST"],
  ["HEAD", "/v2.0/networks", "GET, POST"],
  ["PUT", "/v2.0/networks", "GET, POST"],
  ["PROPFIND", "/v2.0/ports.json", "GET, POST"],
  ["POST", `/v2.0/ports/${id}`, "GET, PUT, DELETE"],
  ["POST", "/v2.0/agents", "GET"],
  ["POST", "/v2.0/leases", "GET"],
  ["DELETE", `/v2.0/leases/${id}_10.0.0.1`, "GET"],
  ["PUT", `/v2.0/agents/${id}/dhcp-networks`, "GET, POST"],
  ["POST", `/v2.0/agents/${id}/status`, "GET"],
];

for (const [method, path, allow] of wrongVerbs) {
  test(`${method} ${path} is 405 and says what is allowed, whatever the body`, async () => {
    const answer = await api.ask(path, { method, raw: "{not json" });

    assert.deepEqual([answer.status, answer.headers["allow"]], [405, allow]);
    if (method !== "HEAD") assert.equal(faultOf(answer).type, "HTTPMethodNotAllowed");
  });
}

for (const path of [
  "/v2.0/colours",
  "/v2.0/ports/x/y",
  "/v3",
  "//v2.0/networks",
  "/v2.0/networks/..%2fports/z",
  "/V2.0/networks",
]) {
  test(`${path} is 404`, async () => {
    const fault = faultOf(await api.ask(path, { method: "POST", raw: "{not json" }));

    assert.deepEqual([fault.status, fault.type], [404, "HTTPNotFound"]);
  });
}

test("a URL that cannot be decoded is 400", async () => {
  const undecodable = await api.ask("/v2.0/ports/%zz");
  assert.equal(faultOf(undecodable).status, 400);
  assert.match(String(undecodable.headers["x-openstack-request-id"]), /^req-[0-9a-f-]{36}$/);
});

test("an id that is none names no object, whatever its text; upper case is the same id", async () => {
  for (const wrong of ["x", "%00", "..%2f..", "null", `${id}0`, `'%20or%201=1`, "x".repeat(400)]) {
    for (const method of ["GET", "DELETE"]) {
      const fault = faultOf(await api.ask(`/v2.0/ports/${wrong}`, { method }));
      assert.deepEqual([fault.status, fault.type], [404, "PortNotFound"]);
    }
  }
  assert.equal(api.ports.calls.length, 0);

  await api.ask("/v2.0/ports/AAAAAAAA-2222-3333-4444-555555555555");
  assert.deepEqual(api.ports.calls.at(-1)?.arguments, ["aaaaaaaa-2222-3333-4444-555555555555"]);
});

test("who asks is in the headers; whoever names no project is the administrator of the default one", async () => {
  const identities: readonly (readonly [Record<string, string>, string, boolean])[] = [
    [{}, defaultProjectId, true],
    [{ "x-project-id": " " }, defaultProjectId, true],
    [{ "x-project-id": "blue" }, "blue", false],
    [{ "x-tenant-id": "blue" }, "blue", false],
    [{ "x-project-id": "blue", "x-roles": "member, ADMIN" }, "blue", true],
    [{ "x-project-id": "blue", "x-roles": "administrator" }, "blue", false],
  ];
  for (const [headers, projectId, isAdmin] of identities) {
    await api.ask("/v2.0/networks", { headers });
    const context = api.networks.calls.at(-1)?.context;
    assert.deepEqual([context?.projectId, context?.isAdmin], [projectId, isAdmin], JSON.stringify(headers));
  }
});

test("agents are for administrators; for others there are none", async () => {
  const headers = { "x-project-id": "blue" };
  api.agents.resource.items = [{ id }];

  assert.deepEqual((await api.ask("/v2.0/agents", { headers })).body, { agents: [] });
  for (const [method, path] of [
    ["GET", `agents/${id}`],
    ["DELETE", `agents/${id}`],
    ["GET", `agents/${id}/dhcp-networks`],
    ["GET", `agents/${id}/status`],
    ["POST", `agents/${id}/dhcp-networks`],
    ["DELETE", `agents/${id}/dhcp-networks/${id}`],
    ["GET", `networks/${id}/dhcp-agents`],
  ] as const) {
    assert.equal((await api.ask(`/v2.0/${path}`, { method, headers })).status, 404, `${method} ${path}`);
  }
  assert.deepEqual(api.agents.resource.calls, []);
});

test("the status of an agent's networks is shown below the agent", async () => {
  const answer = await api.ask(`/v2.0/agents/${id}/status`);

  assert.equal(answer.status, 200);
  assert.deepEqual(answer.body, { status: { agent_id: id, networks: [] } });
  assert.equal((await api.ask("/v2.0/agents/none/status")).status, 404);
});

test("a network is given to an agent, shown on both sides and taken away", async () => {
  const network = "99999999-2222-3333-4444-555555555555";
  const path = `/v2.0/agents/${id}/dhcp-networks`;

  const added = await api.ask(path, { method: "POST", body: { network_id: network } });
  assert.deepEqual([added.status, added.text, api.agents.hosting], [201, "null", [`${id} ${network}`]]);

  api.agents.networks = [{ id: network, name: "n" }];
  assert.deepEqual((await api.ask(`${path}?fields=id`)).body, { networks: [{ id: network }] });
  api.agents.resource.items = [{ id, host: "node-1" }];
  assert.deepEqual((await api.ask(`/v2.0/networks/${network}/dhcp-agents`)).body, { agents: [{ id, host: "node-1" }] });

  assert.equal((await api.ask(`${path}/${network}`, { method: "DELETE" })).status, 204);
  assert.deepEqual(api.agents.hosting, []);
  for (const body of [{}, { network_id: "x" }, { network_id: network, more: 1 }, { network: {} }, []]) {
    assert.equal(faultOf(await api.ask(path, { method: "POST", body })).status, 400);
  }
});

test("the trace of a request reaches the service and the access log; without one it gets its own", async () => {
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  let seen: string | undefined;
  api.networks.meanwhile = async () => {
    // Not only in the first turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    seen = currentTrace()?.traceId;
  };

  const answer = await api.ask("/v2.0/networks?name=secret", { headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` } });
  assert.equal(seen, traceId);
  const [line] = api.lines;
  assert.deepEqual(
    [line?.level, line?.["method"], line?.["path"], line?.["status"], line?.["traceId"], line?.["requestId"]],
    ["info", "GET", "/v2.0/networks", 200, traceId, answer.headers["x-openstack-request-id"]],
  );
  assert.match(String(line?.["requestId"]), /^req-[0-9a-f]{8}-/);

  await api.ask("/v2.0/networks", { headers: { traceparent: "nonsense" } });
  assert.match(seen ?? "", /^[0-9a-f]{32}$/);
  assert.notEqual(seen, traceId);
  api.networks.meanwhile = async () => {};
});

test("a fault of a service is answered with its type, without a word in the error log", async () => {
  api.ports.failure = { thrown: new ApiFault("MacAddressInUse", "taken") };

  const fault = faultOf(await api.ask("/v2.0/ports", { method: "POST", body: { port: { network_id: id } } }));

  assert.deepEqual(fault, { status: 409, type: "MacAddressInUse", message: "taken" });
  assert.deepEqual(
    api.lines.map(({ level }) => level),
    ["info"],
  );
});

for (const failure of [
  new TypeError("secret table missing"),
  "a thrown text",
  undefined,
  Object.assign(new Error("secret"), { statusCode: "x" }),
]) {
  test(`an unknown error (${String(failure)}) tells the client a reference and the log everything`, async () => {
    api.ports.failure = { thrown: failure };

    const answer = await api.ask(`/v2.0/ports/${id}`);

    const fault = faultOf(answer);
    const reference = String(answer.headers["x-openstack-request-id"]);
    assert.deepEqual([fault.status, fault.type], [500, "HTTPInternalServerError"]);
    assert.ok(fault.message.includes(reference) && !answer.text.includes("secret"));
    const logged = api.lines.find(({ level }) => level === "error");
    assert.equal(logged?.["requestId"], reference);
    assert.match(String(logged?.["stack"]), /Error/);
  });
}

test("errors of the insides have their status", async () => {
  for (const [code, status] of [
    ["NOT_FOUND", 404],
    ["INVALID", 400],
    ["CONFLICT", 409],
    ["FORBIDDEN", 403],
    ["UNAVAILABLE", 503],
    ["TIMEOUT", 503],
    ["COMMAND_FAILED", 500],
  ] as const) {
    api.ports.failure = { thrown: new NetloomError(code, "text") };
    assert.equal(faultOf(await api.ask(`/v2.0/ports/${id}`)).status, status, code);
  }
});

test("If-Match carries one revision to the service, on PUT and DELETE", async () => {
  for (const tag of ["revision_number=7", '"revision_number=7"', " revision_number=7 "]) {
    await api.ask(`/v2.0/ports/${id}`, { method: "PUT", body: { port: { name: "x" } }, headers: { "if-match": tag } });
    assert.deepEqual(api.ports.calls.at(-1)?.arguments, [id, { name: "x" }, 7]);
  }
  await api.ask(`/v2.0/ports/${id}`, { method: "DELETE", headers: { "if-match": "revision_number=8" } });
  assert.deepEqual(api.ports.calls.at(-1)?.arguments, [id, 8]);
});

test("a condition that cannot be judged is refused, never ignored", async () => {
  for (const tag of ["revision_number=x", "revision_number=1, revision_number=2", "*", '"abc"', "", "revision_number=-1"]) {
    const ask = { method: "DELETE", headers: { "if-match": tag } };
    assert.equal(faultOf(await api.ask(`/v2.0/ports/${id}`, ask)).type, "BadRequest", tag);
  }
  const onAgent = await api.ask(`/v2.0/agents/${id}`, { method: "DELETE", headers: { "if-match": "revision_number=1" } });
  assert.equal(faultOf(onAgent).type, "BadRequest");
  assert.deepEqual([...api.ports.calls, ...api.agents.resource.calls], []);
});

test("health says alive, readiness says why not, metrics are text", async () => {
  assert.deepEqual((await api.ask("/healthz")).body, { status: "ok", version: "1.2.3" });

  api.checks = [{ check: "database", ok: true }];
  assert.equal((await api.ask("/readyz")).status, 200);
  api.checks = [...api.checks, { check: "nats", ok: false, reason: "not connected" }];
  const notReady = await api.ask("/readyz");
  assert.deepEqual([notReady.status, notReady.body["checks"]], [503, api.checks]);

  const metrics = await api.ask("/metrics");
  assert.deepEqual([metrics.status, metrics.text], [200, "netloom_up 1\n"]);
  assert.match(String(metrics.headers["content-type"]), /^text\/plain/);
});
