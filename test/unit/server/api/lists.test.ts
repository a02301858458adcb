import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { FakeApi, faultOf } from "../../../helpers/fake-api.ts";

const id = "11111111-2222-3333-4444-555555555555";
const member = { "x-project-id": "blue" };
const api = new FakeApi();
after(() => api.close());
beforeEach(() => {
  api.ports.calls.length = 0;
  api.ports.items = [];
});

const filterCases: readonly (readonly [string, readonly unknown[]])[] = [
  ["name=a&name=b", [{ attribute: "name", values: ["a", "b"] }]],
  [
    "name=a&status=DOWN",
    [
      { attribute: "name", values: ["a"] },
      { attribute: "status", values: ["DOWN"] },
    ],
  ],
  ["name=", [{ attribute: "name", values: [""] }]],
  ["name=%C3%A9%20%2B+x", [{ attribute: "name", values: ["é + x"] }]],
  ["admin_state_up=True&admin_state_up=0", [{ attribute: "admin_state_up", values: [true, false] }]],
  ["revision_number=4", [{ attribute: "revision_number", values: [4] }]],
  ["mac_address=FA-16-3E-00-00-01", [{ attribute: "mac_address", values: ["fa:16:3e:00:00:01"] }]],
  ["tenant_id=red", [{ attribute: "project_id", values: ["red"] }]],
  ["tenant_id=red&project_id=red", [{ attribute: "project_id", values: ["red"] }]],
  [
    "network_id=11111111-AAAA-3333-4444-555555555555",
    [{ attribute: "network_id", values: ["11111111-aaaa-3333-4444-555555555555"] }],
  ],
  ["fixed_ips=subnet_id%3D11111111-2222-3333-4444-555555555555", [{ attribute: "fixed_ips.subnet_id", values: [id] }]],
  [
    "fixed_ips=ip_address=FD00::0001&fixed_ips=ip_address=10.0.0.1&fixed_ips=ip_address_substr=10.0",
    [
      { attribute: "fixed_ips.ip_address", values: ["fd00::1", "10.0.0.1"] },
      { attribute: "fixed_ips.ip_address_substr", values: ["10.0"] },
    ],
  ],
];

for (const [query, filters] of filterCases) {
  test(`?${query} becomes filters with converted values`, async () => {
    assert.equal((await api.ask(`/v2.0/ports?${query}`)).status, 200);

    assert.deepEqual(api.ports.lastQuery?.filters, filters);
  });
}

for (const query of [
  "id=not-a-uuid",
  "name=%00",
  "network_id=",
  "fixed_ips=ip_address_substr=%25",
  "mac_address=",
  "name=%ED%A0%80&id=x",
]) {
  test(`?${query} can match nothing, so the answer is empty without asking`, async () => {
    const answer = await api.ask(`/v2.0/ports?${query}`);

    assert.deepEqual([answer.status, answer.body], [200, { ports: [] }]);
    assert.deepEqual(api.ports.calls, []);
  });
}

const badQueries: readonly (readonly [string, string])[] = [
  ["colour=red", "HTTPBadRequest"],
  ["__proto__=x", "HTTPBadRequest"],
  ["constructor=x", "HTTPBadRequest"],
  ["extra_dhcp_opts=x", "HTTPBadRequest"],
  ["created_at=2024-01-01T00:00:00Z", "HTTPBadRequest"],
  ["=x", "HTTPBadRequest"],
  ["admin_state_up=maybe", "InvalidInput"],
  ["admin_state_up=", "InvalidInput"],
  ["revision_number=x", "InvalidInput"],
  ["mac_address=xx", "InvalidInput"],
  ["fixed_ips=10.0.0.1", "HTTPBadRequest"],
  ["fixed_ips=colour=red", "HTTPBadRequest"],
  ["fixed_ips=ip_address=10.0.0.01", "InvalidInput"],
  ["tenant_id=a&project_id=b", "TenantIdProjectIdFilterConflict"],
  ["project_id=b&tenant_id=a", "TenantIdProjectIdFilterConflict"],
  ["limit=-1", "HTTPBadRequest"],
  ["limit=x", "HTTPBadRequest"],
  ["limit=1.5", "HTTPBadRequest"],
  ["limit=99999999999999999999", "HTTPBadRequest"],
  ["page_reverse=perhaps", "HTTPBadRequest"],
  ["sort_key=colour", "HTTPBadRequest"],
  ["sort_key=fixed_ips", "HTTPBadRequest"],
  ["sort_key=name&sort_dir=up", "HTTPBadRequest"],
  ["sort_key=name&sort_key=id&sort_dir=asc", "HTTPBadRequest"],
  ["sort_dir=asc", "HTTPBadRequest"],
  ["changed_since=yesterday", "InvalidInput"],
  ["changed_since=2024-13-01T00:00:00Z", "InvalidInput"],
  ["changed_since=", "InvalidInput"],
];

for (const [query, type] of badQueries) {
  test(`?${query} is a ${type}`, async () => {
    const fault = faultOf(await api.ask(`/v2.0/ports?${query}`));

    assert.deepEqual([fault.status, fault.type], [400, type]);
    assert.deepEqual(api.ports.calls, []);
  });
}

test("subnets can be looked for by pool, and not by what they do not have", async () => {
  assert.equal((await api.ask(`/v2.0/subnets?subnetpool_id=${id}`)).status, 200);
  assert.deepEqual(api.subnets.lastQuery?.filters, [{ attribute: "subnetpool_id", values: [id] }]);
  assert.equal(faultOf(await api.ask(`/v2.0/subnets?router_id=${id}`)).type, "HTTPBadRequest");
});

test("members cannot guess what they may not see by filtering or sorting", async () => {
  assert.equal((await api.ask("/v2.0/ports?binding:host_id=a")).status, 200);
  assert.equal((await api.ask("/v2.0/ports?binding:host_id=a", { headers: member })).status, 400);
});

test("sort keys and directions are pairs; keys alone ascend", async () => {
  await api.ask("/v2.0/ports?sort_key=name&sort_key=tenant_id&sort_dir=desc&sort_dir=asc");
  assert.deepEqual(api.ports.lastQuery?.sorts, [
    { key: "name", direction: "desc" },
    { key: "project_id", direction: "asc" },
  ]);

  await api.ask("/v2.0/ports?sort_key=name");
  assert.deepEqual(api.ports.lastQuery?.sorts, [{ key: "name", direction: "asc" }]);
});

test("a sort key that comes again is passed over, so that nobody can ask for thousands", async () => {
  await api.ask("/v2.0/ports?sort_key=tenant_id&sort_key=name&sort_key=project_id&sort_dir=desc&sort_dir=asc&sort_dir=asc");

  assert.deepEqual(api.ports.lastQuery?.sorts, [
    { key: "project_id", direction: "desc" },
    { key: "name", direction: "asc" },
  ]);
});

for (const [sent, moment] of [
  ["2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"],
  ["2024-01-02T03:04:05.999%2B01:00", "2024-01-02T02:04:05Z"],
  ["2024-01-02T03:04:05", "2024-01-02T03:04:05Z"],
  ["2024-01-02%2003:04", "2024-01-02T03:04:00Z"],
  ["2024-01-02", "2024-01-02T00:00:00Z"],
] as const) {
  test(`changed_since=${sent} is ${moment}, whatever the zone of this machine`, async () => {
    await api.ask(`/v2.0/ports?changed_since=${sent}`);

    assert.equal(api.ports.lastQuery?.changedSince, moment);
  });
}

test("fields leave out everything else, in answers to lists and to single objects", async () => {
  api.ports.items = [{ id, name: "a", project_id: "p", mac_address: "m" }];

  const list = await api.ask("/v2.0/ports?fields=id&fields=tenant_id&fields=nonsense&fields=__proto__");
  const one = await api.ask(`/v2.0/ports/${id}?fields=name`);

  assert.deepEqual(list.body, { ports: [{ id, tenant_id: "p" }] });
  assert.deepEqual(one.body, { port: { name: "a" } });
});

test("attributes that a service adds and nobody declared stay inside", async () => {
  api.ports.items = [{ id, dhcp_ready_revision: 4, constructor: "x" }];

  assert.deepEqual((await api.ask("/v2.0/ports")).body, { ports: [{ id }] });
});

const three = ["a", "b", "c"].map((name) => ({ id: `${name}${id.slice(1)}`, name }));
type Links = readonly { readonly rel: string; readonly href: string }[];

test("without a limit there are no links", async () => {
  api.ports.items = three;

  for (const query of ["", "?limit=0", "?limit="]) {
    assert.deepEqual(Object.keys((await api.ask(`/v2.0/ports${query}`)).body), ["ports"]);
  }
});

test("a full page links to the next and the previous one, and keeps the rest of the query", async () => {
  api.ports.items = three;

  const answer = await api.ask(`/v2.0/ports.json?limit=2&name=a&name=b&fields=name&marker=${id}`, {
    headers: { host: "api.example.org:8443", "x-forwarded-proto": "https" },
  });

  assert.deepEqual(api.ports.lastQuery, {
    filters: [{ attribute: "name", values: ["a", "b"] }],
    sorts: [],
    pageReverse: false,
    limit: 2,
    marker: id,
  });
  const page = "https://api.example.org:8443/v2.0/ports?limit=2&name=a&name=b&fields=name";
  assert.deepEqual(answer.body["ports_links"], [
    { rel: "next", href: `${page}&marker=${three[1]?.id}` },
    { rel: "previous", href: `${page}&marker=${three[0]?.id}&page_reverse=True` },
  ]);
});

test("a short page is the last one in its direction", async () => {
  api.ports.items = three;
  const rels = async (query: string) =>
    ((await api.ask(`/v2.0/ports?${query}`)).body["ports_links"] as Links).map(({ rel }) => rel);

  assert.deepEqual(await rels("limit=5"), ["previous"]);
  assert.deepEqual(await rels("limit=5&page_reverse=true"), ["next"]);
  assert.equal(api.ports.lastQuery?.pageReverse, true);
  assert.deepEqual(await rels("limit=3&page_reverse=true"), ["next", "previous"]);
});

test("a marker that cannot be an id names no object", async () => {
  const fault = faultOf(await api.ask("/v2.0/ports?limit=1&marker=%00"));

  assert.deepEqual([fault.status, fault.type], [404, "PortNotFound"]);
});

test("a scheme that is none does not reach the links", async () => {
  api.ports.items = three;

  const answer = await api.ask("/v2.0/ports?limit=1", { headers: { host: "localhost", "x-forwarded-proto": "javascript" } });

  assert.match((answer.body["ports_links"] as Links)[0]?.href ?? "", /^http:\/\/localhost\/v2\.0\/ports\?/);
});

test("a prefix that is set is what links begin with, whatever the client called the API", async () => {
  const behind = new FakeApi(undefined, undefined, "https://cloud.example.org/network");
  after(() => behind.close());
  behind.ports.items = three;

  const answer = await behind.ask("/v2.0/ports?limit=1", { headers: { host: "localhost", "x-forwarded-proto": "http" } });

  assert.match((answer.body["ports_links"] as Links)[0]?.href ?? "", /^https:\/\/cloud\.example\.org\/network\/v2\.0\/ports\?/);
});

test("leases are listed by what they have", async () => {
  api.leases.items = [{ id: `${id}_fd00::1`, network_id: id, ip_address: "fd00::1", expires_at: null }];

  const list = await api.ask(`/v2.0/leases?ip_address=FD00::1&sort_key=expires_at&sort_dir=desc`);
  const one = await api.ask(`/v2.0/leases/${id}_fd00::1`);

  assert.deepEqual([list.status, (list.body["leases"] as readonly object[])[0]], [200, api.leases.items[0]]);
  assert.deepEqual([one.status, api.leases.calls.at(-1)?.arguments], [200, [`${id}_fd00::1`]]);
});
