// Who may what, by role, on the real services: a table of wishes, and for each role the status that it is answered with.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { callers as knownCallers } from "../../helpers/example-scene.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

/** As `auth: none` takes them; with a token they come from where the token comes from. */
const callers = {
  ...knownCallers,
  stranger: { "x-project-id": "red", "x-roles": "member,advsvc" },
} as const;

type Caller = keyof typeof callers;

let api: RealApi;
let own: Body;
let shared: Body;
let outside: Body;
let ports: Readonly<Record<"own" | "guest" | "theirs", Body>>;
let router: Body;

before(async () => {
  api = await RealApi.open();
  own = await api.create("network", { name: "own" }, callers.member);
  shared = await api.create("network", { name: "shared", shared: true }, callers.admin);
  outside = await api.create("network", { name: "outside", "router:external": true }, callers.admin);
  for (const [network, cidr] of [
    [own, "10.0.0.0/24"],
    [shared, "10.1.0.0/24"],
    [outside, "203.0.113.0/24"],
  ] as const) {
    await api.create("subnet", { network_id: network.id, ip_version: 4, cidr, project_id: network["project_id"] });
  }
  ports = {
    own: await api.create("port", { network_id: own.id }, callers.member),
    guest: await api.create("port", { network_id: shared.id }, callers.member),
    theirs: await api.create("port", { network_id: shared.id }, callers.stranger),
  };
  router = await api.create("router", {}, callers.member);
});
after(() => api.close());

type Statuses = Readonly<Record<Caller, number>>;

interface Row {
  readonly what: string;
  readonly method: "GET" | "POST" | "PUT";
  readonly path: () => string;
  readonly body?: () => object;
  readonly statuses: Statuses;
}

const statusesOf = (text: string): Statuses => {
  const [admin, manager, member, reader, service, stranger] = text.trim().split(/\s+/).map(Number);
  return { admin, manager, member, reader, service, stranger } as Statuses;
};

let addresses = 100;
/** One that no other wish has. */
const address = (prefix: string): string => {
  addresses += 1;
  return `${prefix}.${addresses}`;
};
const mac = (): string => {
  addresses += 1;
  return `fa:16:3e:00:00:${addresses.toString(16)}`;
};

const get = (what: string, path: () => string, statuses: string): Row => ({
  what,
  method: "GET",
  path,
  statuses: statusesOf(statuses),
});
const create = (what: string, kind: string, body: () => object, statuses: string): Row => ({
  what: `a new ${kind} ${what}`,
  method: "POST",
  path: () => `/v2.0/${kind}s`,
  body: () => ({ [kind]: body() }),
  statuses: statusesOf(statuses),
});
const change = (what: string, of: () => readonly [string, Body], body: () => object, statuses: string): Row => ({
  what: `a change of ${what}`,
  method: "PUT",
  path: () => `/v2.0/${of()[0]}s/${of()[1].id}`,
  body: () => ({ [of()[0]]: body() }),
  statuses: statusesOf(statuses),
});

const port = (which: keyof typeof ports) => (): readonly [string, Body] => ["port", ports[which]];
const onOwn = (more: () => object) => () => ({ network_id: own.id, project_id: undefined, ...more() });
const onShared = (more: () => object) => () => ({ network_id: shared.id, ...more() });

// Columns:                                                                       admin manager member reader service stranger
const rows: readonly Row[] = [
  get("somebody's network", () => `/v2.0/networks/${own.id}`, "                   200   200     200    200    200     404"),
  get("a shared network", () => `/v2.0/networks/${shared.id}`, "                  200   200     200    200    200     200"),
  get("an external network", () => `/v2.0/networks/${outside.id}`, "              200   200     200    200    200     200"),
  get("somebody's port", () => `/v2.0/ports/${ports.own.id}`, "                   200   200     200    200    200     404"),
  get("a stranger's port", () => `/v2.0/ports/${ports.theirs.id}`, "              200   404     404    404    200     200"),
  get("somebody's router", () => `/v2.0/routers/${router.id}`, "                  200   200     200    200    404     404"),
  get("ports by their host", () => "/v2.0/ports?binding:host_id=x", "             200   400     400    400    200     400"),
  get("networks by their segment", () => "/v2.0/networks?provider:network_type=vlan", " 200 400  400    400    400     400"),

  create("", "network", () => ({}), "                                             201   201     201    403    403     201"),
  create("that is shared", "network", () => ({ shared: true }), "                 201   403     403    403    403     403"),
  create("that is external", "network", () => ({ "router:external": true }), "    201   403     403    403    403     403"),
  create("of a type", "network", () => ({ "provider:network_type": "local" }), "  201   403     403    403    403     403"),
  create("of another project", "network", () => ({ project_id: "green" }), "      201   400     400    403    403     400"),
  change(
    "somebody's network",
    () => ["network", own],
    () => ({ name: "n" }),
    "   200   200     200    403    403     404",
  ),
  change(
    "a shared network",
    () => ["network", shared],
    () => ({ name: "n" }),
    "  200   403     403    403    403     403",
  ),

  create(
    "on a network",
    "port",
    onOwn(() => ({})),
    "                             201   201     201    403    201     404",
  ),
  create(
    "for another project",
    "port",
    onOwn(() => ({ project_id: "green" })),
    " 201   400     400    403    201     400",
  ),
  create(
    "with MAC",
    "port",
    onOwn(() => ({ mac_address: mac() })),
    "             201   201     201    403    201     404",
  ),
  create(
    "with address",
    "port",
    onOwn(() => ({ fixed_ips: [{ ip_address: address("10.0.0") }] })),
    "201 201 201 403 403 404",
  ),
  create(
    "of the network's own",
    "port",
    onOwn(() => ({ device_owner: "network:x" })),
    "201 201 201 403    201     404",
  ),
  create(
    "with host",
    "port",
    onOwn(() => ({ "binding:host_id": "h" })),
    "        201   403     403    403    201     403",
  ),
  create(
    "with profile",
    "port",
    onOwn(() => ({ "binding:profile": { a: 1 } })),
    "201   403     403    403    201     403",
  ),
  create(
    "unguarded",
    "port",
    onOwn(() => ({ port_security_enabled: false })),
    "  201   201     201    403    403     404",
  ),
  create(
    "on a shared one",
    "port",
    onShared(() => ({ allowed_address_pairs: [] })),
    "201 201   201    403    201     201",
  ),
  create(
    "there, with MAC",
    "port",
    onShared(() => ({ mac_address: mac() })),
    "   201   403     403    403    201     403",
  ),
  create(
    "there, with address",
    "port",
    onShared(() => ({ fixed_ips: [{ ip_address: address("10.1.0") }] })),
    "201 403 403 403 403 403",
  ),
  create(
    "there, trusted",
    "port",
    onShared(() => ({ device_owner: "network:x" })),
    "201 403    403    403    201     403",
  ),
  create(
    "there, unguarded",
    "port",
    onShared(() => ({ port_security_enabled: false })),
    "201 403 403   403    403     403",
  ),
  create("on an external one", "port", () => ({ network_id: outside.id }), "      201   403     403    403    201     403"),

  change("somebody's port", port("own"), () => ({ name: "p" }), "                 200   200     200    403    200     404"),
  change("a stranger's port", port("theirs"), () => ({ name: "p" }), "            200   404     404    403    200     200"),
  change("a port's MAC", port("own"), () => ({ mac_address: mac() }), "           200   403     403    403    200     404"),
  change("a port's host", port("own"), () => ({ "binding:host_id": "h" }), "      200   403     403    403    200     404"),
  change(
    "a port's addresses",
    port("own"),
    () => ({ fixed_ips: [{ ip_address: address("10.0.0") }] }),
    "200 200 200 403 403 404",
  ),
  change("a guest's addresses", port("guest"), () => ({ fixed_ips: [] }), "       200   403     403    403    403     404"),
  change("a guest's pairs", port("guest"), () => ({ allowed_address_pairs: [] }), "200  403     403    403    403     404"),

  create(
    "on a network",
    "subnet",
    () => ({ network_id: own.id, ip_version: 4, cidr: `10.${(addresses += 1)}.0.0/24` }),
    "201 201 201 403 403 404",
  ),
  create(
    "with an address",
    "floatingip",
    () => ({ floating_network_id: outside.id, floating_ip_address: address("203.0.113") }),
    "201 201 403 403 403 403",
  ),
  create("", "floatingip", () => ({ floating_network_id: outside.id }), "         201   201     201    403    403     201"),
  create("that is distributed", "router", () => ({ distributed: false }), "       201   403     403    403    403     403"),
  change(
    "somebody's router",
    () => ["router", router],
    () => ({ name: "r" }),
    "  200   200     200    403    403     404",
  ),
  change(
    "a router's outer address",
    () => ["router", router],
    () => ({ external_gateway_info: { network_id: outside.id, external_fixed_ips: [{ ip_address: "203.0.113.99" }] } }),
    "                                                                             200   403     403    403    403     404",
  ),
];

for (const { what, method, path, body, statuses } of rows) {
  test(`${method} ${what}: each role is answered with its status`, async () => {
    const answered: Record<string, number> = {};
    for (const [caller, headers] of Object.entries(callers)) {
      const answer = await api.ask(path(), { method, headers, ...(body === undefined ? {} : { body: body() }) });
      answered[caller] = answer.status;
      if (answer.status === 403) assert.match(answer.text, /"type":"PolicyNotAuthorized"/);
    }

    assert.deepEqual(answered, statuses);
  });
}

test("what a change by a reader meets is no change, whatever the path", async () => {
  const before = await api.dump();
  const headers = callers.reader;
  for (const [method, path, body] of [
    ["DELETE", `ports/${ports.own.id}`, undefined],
    ["DELETE", `networks/${own.id}`, undefined],
    ["PUT", `routers/${router.id}/add_router_interface`, { subnet_id: own.id }],
    ["PUT", `routers/${router.id}/add_extraroutes`, { router: { routes: [] } }],
    ["POST", `agents/${own.id}/dhcp-networks`, { network_id: own.id }],
  ] as const) {
    const answer = await api.ask(`/v2.0/${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
    assert.deepEqual([answer.status, answer.body["NeutronError"] !== undefined], [403, true], path);
  }
  assert.equal(await api.dump(), before);
});

test("the compute side sees how ports are bound, and of networks what members see", async () => {
  const [bound] = await api.list("ports", `?id=${ports.own.id}`, callers.service);
  const [network] = await api.list("networks", `?id=${own.id}`, callers.service);

  assert.ok(Object.hasOwn(bound ?? {}, "binding:host_id") && Object.hasOwn(bound ?? {}, "binding:vif_type"));
  assert.ok(network !== undefined && !Object.hasOwn(network, "provider:network_type"));
});

test("lists leave out what somebody may not see", async () => {
  const idsOf = async (caller: Caller) => (await api.list("ports", "", callers[caller])).map(({ id }) => id);

  assert.ok(!(await idsOf("stranger")).includes(ports.own.id) && (await idsOf("stranger")).includes(ports.theirs.id));
  assert.ok(!(await idsOf("reader")).includes(ports.theirs.id) && (await idsOf("reader")).includes(ports.guest.id));
  assert.ok((await idsOf("service")).includes(ports.theirs.id));
});
