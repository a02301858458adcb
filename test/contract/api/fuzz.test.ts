// Whatever a client sends to whatever there is: an answer in the form of the API, never a 500, and nothing in the database is
// another when the answer is a refusal or the question was only a question.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import fc from "fast-check";
import type { ResourceDeclaration } from "../../../src/types/resources/declaration.ts";
import type { Answer, Ask } from "../../helpers/fake-api.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";
import { callers } from "../../helpers/example-scene.ts";
import { Scene } from "../../helpers/resource-examples.ts";

const directory = await mkdtemp(join(tmpdir(), "netloom-fuzz-"));
const file = join(directory, "netloom.db");
const scene = await Scene.open(await RealApi.open(`sqlite:${file}`));
const { api } = scene;
/** Another connection: it is told by SQLite when somebody else has committed something. */
const watcher = new DatabaseSync(file, { readOnly: true });
const version = watcher.prepare("pragma data_version");
const commits = (): unknown => version.get()?.["data_version"];
after(async () => {
  watcher.close();
  await api.close();
  await rm(directory, { recursive: true, force: true });
});

interface Case extends Ask {
  readonly url: string;
}

/** No 5xx but for what is not implemented and for what has run out. */
const meant = new Set([501, 503]);
/** Who looks here is given what a project always has: its default group, its topology. */
const makers = /^\/v2\.0\/(security-group(s|-rules)|auto-allocated-topology)\b/;
const seen = new Map<number, number>();

async function check({ url, ...ask }: Case): Promise<Answer> {
  const before = commits();
  const answer = await api.ask(url, ask);
  const { status, body, text } = answer;
  seen.set(status, (seen.get(status) ?? 0) + 1);
  assert.ok(status < 500 || meant.has(status), `${ask.method} ${url}: ${status} ${text.slice(0, 300)}`);
  if (status >= 400 || ((ask.method ?? "GET") === "GET" && !makers.test(url))) {
    assert.equal(commits(), before, `${ask.method} ${url} was answered with ${status} and something was written`);
  }
  if (status === 201 && ask.method === "POST")
    assert.notEqual(commits(), before, `POST ${url} was answered with 201 and nothing was written`);
  if (status < 400 || status === 501) return answer;
  assert.deepEqual(Object.keys(body), ["NeutronError"], text.slice(0, 300));
  assert.deepEqual(Object.keys(body["NeutronError"] as object), ["type", "message", "detail"]);
  return answer;
}

interface Served {
  readonly resource: ResourceDeclaration;
  readonly url: string;
}

const params = (url: string): string =>
  url.replace(/\/([^/]+)\/:parentId/, (_all, parent: string) => `/${parent}/${scene.parents[parent] ?? nowhere}`);
const nowhere = "99999999-2222-4333-8444-555555555555";

const collections: readonly Served[] = api.app.routes.flatMap(({ method, url, operation }) =>
  method === "GET" && operation !== undefined && "verb" in operation && operation.verb === "list"
    ? [{ resource: operation.resource, url: params(url) }]
    : [],
);
const writable = collections.filter(({ resource: { canCreate, canUpdate } }) => canCreate || canUpdate);
const names = [...new Set(collections.flatMap(({ resource: { attributes } }) => Object.keys(attributes)))];

/** Ids of what there is, by the name of the resource; some are gone when they are used. */
const ids = new Map<string, readonly string[]>();
async function lookAround(): Promise<void> {
  for (const { resource, url } of collections) {
    const { body } = await api.ask(`${url}?limit=4`);
    ids.set(
      resource.name,
      ((body[resource.collection] ?? []) as readonly Body[]).map(({ id }) => id),
    );
  }
}
await api.registerDhcpAgent("node-1");
for (const caller of [callers.member, callers.admin, callers.stranger]) {
  await api.create("network", { name: "one" }, caller);
  await api.create("router", { name: "one" }, caller);
  await api.create("port", { network_id: (await api.create("network", {}, caller)).id }, caller);
}
await lookAround();

const anyId = fc.constantFrom(nowhere, ...[...ids.values()].flat());
const caller = fc.constantFrom(...Object.values(callers), {});
const plausible = fc.oneof(
  anyId,
  fc.uuid(),
  fc.ipV4(),
  fc.ipV6(),
  fc.boolean(),
  fc.integer(),
  fc.nat({ max: 40 }),
  fc.constantFrom(
    ...["10.0.0.0/24", "fd00::/64", "0.0.0.0/0", "fa:16:3e:00:00:01", "*", "default", "tcp", "vxlan", "vlan", ""],
  ),
  fc.constantFrom(null, -1, 4, 6, 2 ** 31, 2 ** 53, 1e300, "dhcpv6-stateful", "slaac", "network:dhcp", "compute:x", "80:90"),
);
const innerNames = [
  ...[
    "ip_address",
    "subnet_id",
    "mac_address",
    "opt_name",
    "opt_value",
    "start",
    "end",
    "destination",
    "nexthop",
    "network_id",
  ],
  ...["external_fixed_ips", "enable_snat", "port_id", "segmentation_id", "segmentation_type", "__proto__", "delete_subnet"],
];
const inner = fc.dictionary(fc.constantFrom(...innerNames), plausible, { maxKeys: 3 });
const value = fc.oneof(
  { weight: 6, arbitrary: plausible },
  { weight: 2, arbitrary: fc.array(fc.oneof(plausible, inner), { maxLength: 3 }) },
  { weight: 1, arbitrary: inner },
  { weight: 1, arbitrary: fc.jsonValue() },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 300 }) },
);

/** Mostly names that may be sent, so that a good part of the bodies reaches the rules. */
function wishes({ attributes }: ResourceDeclaration, isUpdate: boolean) {
  const sendable = Object.keys(attributes).filter((name) =>
    isUpdate ? attributes[name]?.put === true : attributes[name]?.post === true,
  );
  const own = fc.constantFrom(...sendable, "name");
  const other = fc.oneof(fc.constantFrom(...names, "__proto__", "constructor", "toString"), fc.string());
  const name = fc.oneof({ weight: 20, arbitrary: own }, { weight: 1, arbitrary: other });
  return fc.dictionary(name, value, { maxKeys: 3 });
}

const bodyCase = fc.tuple(fc.constantFrom(...writable), fc.boolean()).chain(([{ resource, url }, wantsUpdate]) => {
  const isUpdate = resource.canCreate ? wantsUpdate && resource.canUpdate : true;
  const id = fc.constantFrom(...(ids.get(resource.name) ?? []), nowhere);
  return fc.record({
    resource: fc.constant(resource),
    url: fc.constant(url),
    isUpdate: fc.constant(isUpdate),
    wish: wishes(resource, isUpdate),
    id,
    headers: caller,
    isBulk: fc.constantFrom(false, false, false, true),
  });
});

test("any object as a body of any collection", async () => {
  let accepted = 0;
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(bodyCase, async ({ resource, url, isUpdate, wish, id, headers, isBulk }) => {
      runs += 1;
      if (runs % 500 === 0) await lookAround();
      if (isUpdate) {
        const { status } = await check({ url: `${url}/${id}`, method: "PUT", body: { [resource.name]: wish }, headers });
        if (status === 200) accepted += 1;
        return;
      }
      const good = await scene.exampleOf(resource.name).body();
      const item = { ...good, ...wish };
      const body = isBulk ? { [resource.collection]: [item, good] } : { [resource.name]: item };
      const answer = await check({ url, method: "POST", body, headers });
      if (answer.status !== 201) return;
      accepted += 1;
      const made = (answer.body[resource.name] ? [answer.body[resource.name]] : answer.body[resource.collection]) as Body[];
      // Bindings are known by their host.
      for (const each of made) await check({ url: `${url}/${each.id ?? String(each["host"])}`, method: "DELETE" });
    }),
    { numRuns: 9000 },
  );
  assert.ok(accepted > 500, `only ${accepted} of 9000 bodies were accepted: this test looks at too little`);
});

test("any JSON and any text as a body", async () => {
  const raw = fc.oneof(
    fc.json(),
    fc.string({ unit: "binary" }),
    fc.json().map((text) => `{"port":${text}}`),
    fc.json().map((text) => `{"ports":[${text}]}`),
    fc
      .array(fc.constantFrom("{", "}", "[", "]", '"port"', ":", ",", "null", "1e999"), { maxLength: 8 })
      .map((all) => all.join("")),
  );
  const verb = fc.constantFrom("POST", "PUT", "DELETE", "PATCH");
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...collections), raw, verb, async ({ url }, text, method) => {
      await check({ url: method === "POST" ? url : `${url}/${nowhere}`, method, raw: text });
    }),
    { numRuns: 2000 },
  );
});

/** Actions: whatever changes something and is none of the verbs of a collection. */
const actions = api.app.routes.flatMap(({ method, url, operation }) =>
  method !== "GET" && url.startsWith("/v2.0/") && !(operation !== undefined && "verb" in operation) ? [{ method, url }] : [],
);

test("any body and any ids in the paths of actions", async () => {
  const part = fc.oneof({ weight: 8, arbitrary: anyId }, fc.constantFrom("blue", "a-tag", "node-1", "%00", "..", "project"));
  const keys = fc.constantFrom(
    ...[
      "router",
      "subnet_id",
      "port_id",
      "routes",
      "network_id",
      "router_id",
      "addresses",
      "prefixes",
      "tags",
      "quota",
      "address_group",
    ],
    ...["sub_ports", "binding", "subnetpool", "project_id", "force", "network", "port"],
  );
  const body = fc.oneof(
    fc.dictionary(keys, value, { maxKeys: 2 }),
    fc.dictionary(keys, fc.dictionary(fc.oneof(keys, fc.constantFrom(...names)), value, { maxKeys: 2 }), { maxKeys: 1 }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...actions),
      fc.array(part, { minLength: 3, maxLength: 3 }),
      fc.option(body, { nil: undefined }),
      caller,
      async ({ method, url }, parts, wish, headers) => {
        let n = 0;
        const path = url.replace(/:\w+/g, () => parts[n++ % parts.length] ?? "");
        await check({ url: path, method: String(method), body: wish, headers });
      },
    ),
    { numRuns: 2500 },
  );
});

test("any query of any collection", async () => {
  const instruction = fc.constantFrom(
    ...[
      "sort_key",
      "sort_dir",
      "limit",
      "marker",
      "page_reverse",
      "changed_since",
      "fixed_ips",
      "fields",
      "tags",
      "not-tags-any",
    ],
  );
  const wanted = fc.oneof(
    plausible.map(String),
    fc.string({ unit: "binary" }),
    fc.constantFrom("asc", "desc", "name", "id", "subnet_id=", "ip_address=::", "ip_address_substr=1", "2026-01-01T00:00:00Z"),
  );
  const query = ({ resource }: Served) => {
    const key = fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom(...Object.keys(resource.attributes)) },
      { weight: 3, arbitrary: instruction },
      { weight: 1, arbitrary: fc.oneof(fc.constantFrom(...names, "__proto__"), fc.string()) },
    );
    return fc.oneof(
      fc
        .array(fc.tuple(key, wanted), { maxLength: 5 })
        .map((pairs) =>
          new URLSearchParams(pairs.map(([k, v]): [string, string] => [k.toWellFormed(), v.toWellFormed()])).toString(),
        ),
      fc.string({ unit: fc.constantFrom(..."& = % + ; [ ] ? / : 0 a F".split(" ")) }),
    );
  };
  const one = fc
    .constantFrom(...collections)
    .chain((each) => fc.record({ url: fc.constant(each.url), text: query(each), headers: caller }));
  await fc.assert(
    fc.asyncProperty(one, async ({ url, text, headers }) => {
      await check({ url: `${url}?${text}`, headers });
    }),
    { numRuns: 4000 },
  );
});

test("any header", async () => {
  const name = fc.constantFrom(
    ...["if-match", "content-type", "content-length", "x-project-id", "x-roles", "x-user-id", "traceparent", "accept"],
    ...[
      "x-openstack-request-id",
      "transfer-encoding",
      "host",
      "x-forwarded-proto",
      "x-auth-token",
      "expect",
      "content-encoding",
    ],
  );
  const printable = fc.string({ maxLength: 300 }).map((text) => text.replaceAll(/[^\x20-\x7e]/g, "?"));
  const likely = fc.constantFrom(
    ...[
      "revision_number=1",
      "revision_number=",
      "*",
      "application/json",
      "text/plain",
      "admin",
      "reader,admin",
      "0",
      "gzip",
      "chunked",
    ],
    ...["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "req-x", "application/json; charset=utf-16", "https", "-1"],
  );
  const headers = fc.dictionary(name, fc.oneof(printable, likely), { maxKeys: 4 });
  const target = fc.constantFrom(...writable);
  await fc.assert(
    fc.asyncProperty(
      target,
      headers,
      fc.constantFrom("GET", "PUT", "DELETE", "POST"),
      async ({ resource, url }, sent, method) => {
        const path = method === "POST" ? url : `${url}/${nowhere}`;
        const body = method === "PUT" || method === "POST" ? { [resource.name]: { nothing: 1 } } : undefined;
        const answer = await api.ask(path, { method, body, headers: sent });
        assert.ok(answer.status < 500 || meant.has(answer.status), `${answer.status} ${answer.text}`);
      },
    ),
    { numRuns: 1000 },
  );
});

test("any path", async () => {
  const part = fc.oneof(
    fc.constantFrom("v2.0", "networks", "ports", "agents", "tags", "quotas", "dhcp-networks", "extensions", "", ".json"),
    anyId,
    fc.webPath(),
  );
  const verb = fc.constantFrom("GET", "PUT", "POST", "DELETE");
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 6 }), verb, caller, async (parts, method, headers) => {
      await check({ url: `/${parts.join("/")}`, method, headers });
    }),
    { numRuns: 1500 },
  );
});

test("the cases met every kind of answer", () => {
  for (const status of [200, 201, 204, 400, 403, 404, 405, 409])
    assert.ok((seen.get(status) ?? 0) > 0, `no ${status} in all cases`);
});
