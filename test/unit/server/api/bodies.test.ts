// Bodies as bytes and envelopes, bulk, and what happens when a body is not what it should be.
import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { FakeApi, faultOf, type Ask } from "../../../helpers/fake-api.ts";

const id = "11111111-2222-3333-4444-555555555555";
const api = new FakeApi();
after(() => api.close());
beforeEach(() => {
  api.ports.calls.length = 0;
  api.networks.calls.length = 0;
});

const post = (ask: Ask) => api.ask("/v2.0/ports", { method: "POST", ...ask });
const valid = JSON.stringify({ port: { network_id: id } });

const bad: readonly (readonly [string, Ask, number, string])[] = [
  ["is not JSON", { raw: "{bad" }, 400, "MalformedRequestBody"],
  ["ends too early", { raw: valid.slice(0, -1) }, 400, "MalformedRequestBody"],
  ["is not UTF-8", { raw: Buffer.from([0x7b, 0xff, 0x7d]) }, 400, "MalformedRequestBody"],
  ["is nested a hundred thousand levels deep", { raw: "[".repeat(1e5) + "]".repeat(1e5) }, 400, "MalformedRequestBody"],
  ["hides depth in an attribute", { raw: `{"port":${'{"a":'.repeat(40)}1${"}".repeat(40)}}` }, 400, "MalformedRequestBody"],
  [
    "has a form's content type",
    { raw: valid, headers: { "content-type": "application/x-www-form-urlencoded" } },
    415,
    "HTTPUnsupportedMediaType",
  ],
  [
    "has a content type that only looks right",
    { raw: valid, headers: { "content-type": "application/jsonp" } },
    415,
    "HTTPUnsupportedMediaType",
  ],
  ...[
    { origin: "http://evil.example" },
    { origin: "null" },
    { referer: "http://evil.example/" },
    { cookie: "a=b" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-mode": "no-cors" },
  ].map(
    (headers) =>
      [
        `has no content type and comes from a browser with ${JSON.stringify(headers)}`,
        { raw: valid, isTypeless: true, headers },
        415,
        "HTTPUnsupportedMediaType",
      ] as const,
  ),
  ["has an empty content type", { raw: valid, headers: { "content-type": "" } }, 415, "HTTPUnsupportedMediaType"],
  ["has a malformed content type", { raw: valid, headers: { "content-type": "json" } }, 415, "HTTPUnsupportedMediaType"],
  ...["utf-16", "UTF-16LE", '"utf-16"', "iso-8859-1", "", "utf-8; charset=utf-16"].map(
    (charset) =>
      [
        `says charset=${charset}`,
        { raw: valid, headers: { "content-type": `application/json; charset=${charset}` } },
        415,
        "HTTPUnsupportedMediaType",
      ] as const,
  ),
  ["is too large", { raw: JSON.stringify({ port: { name: "x".repeat(5 * 1024 * 1024) } }) }, 413, "HTTPRequestEntityTooLarge"],
  ["is absent", {}, 400, "HTTPBadRequest"],
  ["is empty", { raw: "" }, 400, "HTTPBadRequest"],
  ["is null", { raw: "null" }, 400, "HTTPBadRequest"],
  ["is a list", { body: [{ network_id: id }] }, 400, "HTTPBadRequest"],
  ["is a number", { raw: "1e999" }, 400, "HTTPBadRequest"],
  ["has no envelope", { body: { network_id: id } }, 400, "HTTPBadRequest"],
  ["has another resource's envelope", { body: { network: {} } }, 400, "HTTPBadRequest"],
  ["has two envelopes", { body: { port: { network_id: id }, ports: [] } }, 400, "HTTPBadRequest"],
  ["has something beside the envelope", { body: { port: { network_id: id }, extra: 1 } }, 400, "HTTPBadRequest"],
  ["has an envelope around a list", { body: { port: [{ network_id: id }] } }, 400, "HTTPBadRequest"],
  ["has an envelope around null", { body: { port: null } }, 400, "HTTPBadRequest"],
  ["is an empty bulk", { body: { ports: [] } }, 400, "HTTPBadRequest"],
  ["is a bulk that is no list", { body: { ports: { network_id: id } } }, 400, "HTTPBadRequest"],
  ["is a bulk of null", { body: { ports: [null] } }, 400, "HTTPBadRequest"],
  ["is a bulk of 1001", { body: { ports: Array.from({ length: 1001 }, () => ({ network_id: id })) } }, 400, "HTTPBadRequest"],
  ["has prototypes for keys", { raw: '{"__proto__": {"network_id": 1}}' }, 400, "HTTPBadRequest"],
];

for (const [what, ask, status, type] of bad) {
  test(`a body that ${what} is answered with ${status} ${type} and reaches no service`, async () => {
    const fault = faultOf(await post(ask));

    assert.deepEqual([fault.status, fault.type], [status, type]);
    assert.ok(fault.message.length < 400, fault.message);
    assert.deepEqual(api.ports.calls, []);
  });
}

test("a body that says nothing of itself is JSON, as clients beside browsers may send it", async () => {
  assert.equal((await post({ raw: valid, isTypeless: true })).status, 201);
});

test("JSON with a charset, a BOM or blanks is JSON", async () => {
  for (const raw of [`\ufeff${valid}`, ` \n${valid}\n`]) {
    for (const parameters of ["charset=UTF-8", 'charset="utf-8"', "version=1;charset = utf8 ", "charset=us-ascii", ""]) {
      const type = `Application/JSON; ${parameters}`;
      assert.equal((await post({ raw, headers: { "content-type": type } })).status, 201, type);
    }
  }
});

test("a bulk takes bare and wrapped items, keeps their order and is one call of the service", async () => {
  const ports = [{ network_id: id, name: "a" }, { port: { network_id: id, name: "b" } }, { network_id: id, name: "c" }];

  const answer = await post({ body: { ports } });

  assert.equal(answer.status, 201);
  assert.deepEqual(
    (answer.body["ports"] as readonly { name: string }[]).map(({ name }) => name),
    ["a", "b", "c"],
  );
  assert.equal(api.ports.calls.length, 1);
});

test("one bad item of a bulk is named, and nothing is created", async () => {
  const fault = faultOf(await post({ body: { ports: [{ network_id: id }, { network_id: id, mac_address: "xx" }] } }));

  assert.deepEqual(
    [fault.status, fault.message],
    [400, "Invalid input for mac_address. Reason: 'xx' is not a valid MAC address. (item 1 of the request)"],
  );
  assert.deepEqual(api.ports.calls, []);
});

test("what a message repeats of the client is short and on one line", async () => {
  const evil = `x\r\n\u0000\u2028${"y".repeat(10_000)}`;

  const faults = await Promise.all([
    post({ body: { port: { network_id: evil } } }),
    post({ body: { port: { [evil]: 1 } } }),
    post({ body: { port: Object.fromEntries(Array.from({ length: 5000 }, (_unused, index) => [`key${index}`, 1])) } }),
    api.ask(`/v2.0/ports?${new URLSearchParams({ [evil]: "1" }).toString()}`),
    api.ask(`/v2.0/ports?${new URLSearchParams({ limit: evil }).toString()}`),
  ]);

  for (const { message } of faults.map(faultOf)) assert.match(message, /^[^\u0000-\u001f]{10,500}$/);
});

test("DELETE takes no body, but a content type without one is fine", async () => {
  const withBody = await api.ask(`/v2.0/ports/${id}`, { method: "DELETE", raw: "{}" });
  assert.equal(faultOf(withBody).status, 400);
  assert.deepEqual(api.ports.calls, []);

  const without = await api.ask(`/v2.0/ports/${id}`, { method: "DELETE", headers: { "content-type": "application/json" } });
  assert.deepEqual([without.status, without.text], [204, ""]);
});

test("PUT without attributes is passed on, without its envelope refused", async () => {
  assert.equal((await api.ask(`/v2.0/ports/${id}`, { method: "PUT", body: { port: {} } })).status, 200);
  assert.equal((await api.ask(`/v2.0/ports/${id}`, { method: "PUT", body: {} })).status, 400);
  assert.equal((await api.ask(`/v2.0/ports/${id}`, { method: "PUT", body: { ports: [{}] } })).status, 400);
});
