// The declarations against the real services: whatever is declared works, and whatever a service shows is declared.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { addressScopeResource } from "../../../src/types/resources/address-scopes.ts";
import { agentResource } from "../../../src/types/resources/agents.ts";
import type { FilterType, ResourceDeclaration } from "../../../src/types/resources/declaration.ts";
import { leaseResource } from "../../../src/types/resources/leases.ts";
import { floatingIpResource } from "../../../src/types/resources/floating-ips.ts";
import { networkResource } from "../../../src/types/resources/networks.ts";
import { portForwardingResource } from "../../../src/types/resources/port-forwardings.ts";
import { addressGroupResource } from "../../../src/types/resources/address-groups.ts";
import { portResource } from "../../../src/types/resources/ports.ts";
import {
  defaultSecurityGroupRuleResource,
  securityGroupRuleResource,
} from "../../../src/types/resources/security-group-rules.ts";
import { securityGroupResource } from "../../../src/types/resources/security-groups.ts";
import { routerResource } from "../../../src/types/resources/routers.ts";
import { subnetPoolResource } from "../../../src/types/resources/subnet-pools.ts";
import { subnetResource } from "../../../src/types/resources/subnets.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const resources = [
  ...[networkResource, subnetResource, portResource, agentResource, leaseResource],
  ...[routerResource, floatingIpResource, portForwardingResource],
  ...[addressScopeResource, subnetPoolResource],
  ...[securityGroupResource, securityGroupRuleResource, defaultSecurityGroupRuleResource, addressGroupResource],
];
/** A network with one segment tells it as provider:*, and only the parent of a trunk tells its subports, as clients expect. */
const onlyOfSome = new Set(["segments", "trunk_details"]);
/** Port forwardings are below a floating IP. */
let forwardingPath = "";
const pathOf = ({ collection, path }: ResourceDeclaration): string =>
  collection === "port_forwardings" ? forwardingPath : (path ?? collection);
const nowhere = "99999999-2222-4333-8444-555555555555";
const pairs = (params: [string, string][]) => new URLSearchParams(params).toString();

let api: RealApi;
before(async () => {
  api = await RealApi.open();
  await api.registerDhcpAgent("node-1");
  await api.registerDhcpAgent("node-2");
  for (const [index, name] of ["b", "a", "b", "c", "a"].entries()) {
    const network = await api.create("network", {
      name,
      "provider:network_type": "vxlan",
      "provider:segmentation_id": 100 + index,
    });
    const cidr = `10.0.${index}.0/24`;
    await api.create("subnet", {
      name,
      network_id: network.id,
      ip_version: 4,
      cidr,
      ...(index === 1 ? { gateway_ip: null } : {}),
    });
    await api.create("port", { name, network_id: network.id, "binding:host_id": `node-${index % 2}`, dns_name: name });
    await api.create("router", { name, description: `router ${index}` });
    const scope = await api.create("address_scope", { name, ip_version: 4, shared: index === 2 }, {}, "address-scopes");
    await api.create("subnetpool", {
      name,
      prefixes: [`172.${16 + index}.0.0/16`],
      default_quota: index === 1 ? null : index,
      address_scope_id: index === 3 ? null : scope.id,
      is_default: index === 4,
      shared: index === 0,
    });
    const lease = {
      ip_address: `10.0.${index}.5`,
      id: `${network.id}_10.0.${index}.5`,
      ip_key: `0a000${index}05`,
      mac_address: null,
      hostname: name,
      host: "node-1",
    };
    const expires_at = index === 2 ? null : `2030-01-0${index + 1}T00:00:00Z`;
    const last_seen_at = "2029-01-01T00:00:00Z";
    await api.store.db
      .insertInto("leases")
      .values({ ...lease, network_id: network.id, port_id: null, expires_at, last_seen_at })
      .execute();
  }
  await addRouters();
  await addSecurityGroups();
});
after(() => api.close());

async function addSecurityGroups(): Promise<void> {
  const addresses = ["192.0.2.0/24", "2001:db8::1"];
  for (const name of ["b", "a"]) await api.create("address_group", { name, addresses }, {}, "address-groups");
  const statefulness = "security_groups_default_statefulness";
  for (const project of [{}, { project_id: "blue" }, { project_id: "green" }]) {
    await api.create(statefulness, { ...project, stateful: true }, {}, "security-groups-default-statefulness");
  }
  const [blocks] = await api.list("address-groups", "", {}, "address_groups");
  const group = await api.create("security_group", { name: "web", stateful: false }, {}, "security-groups");
  const wishes = [
    { protocol: "tcp", port_range_min: 80, port_range_max: 443, remote_ip_prefix: "10.9.0.5/16" },
    { protocol: "icmp", ethertype: "IPv6", remote_group_id: group.id, description: "ping" },
    { protocol: 6, remote_address_group_id: blocks?.id, port_range_min: 22, port_range_max: 22 },
  ];
  for (const wish of wishes) {
    const rule = { direction: "ingress", ...wish };
    await api.create("security_group_rule", { ...rule, security_group_id: group.id }, {}, "security-group-rules");
    await api.create("default_security_group_rule", rule, {}, "default-security-group-rules");
  }
}

async function addRouters(): Promise<void> {
  const outside = await api.create("network", { name: "outside", "router:external": true });
  await api.create("subnet", { network_id: outside.id, ip_version: 4, cidr: "203.0.113.0/24", enable_dhcp: false });
  const [router] = await api.list("routers");
  const gateway = { router: { external_gateway_info: { network_id: outside.id } } };
  await api.ask(`/v2.0/routers/${router?.id}`, { method: "PUT", body: gateway });
  const [, subnet] = await api.list("subnets", "?name=b&name=c&sort_key=cidr");
  const join = { method: "PUT", body: { subnet_id: subnet?.id } } as const;
  assert.equal((await api.ask(`/v2.0/routers/${router?.id}/add_router_interface`, join)).status, 200);
  const inside = { network_id: subnet?.["network_id"] };
  for (const n of [50, 51]) {
    const port = await api.create("port", { ...inside, fixed_ips: [{ ip_address: `10.0.2.${n}` }] });
    const floating = await api.create("floatingip", {
      floating_network_id: outside.id,
      ...(n === 50 ? { port_id: port.id } : {}),
      description: `to ${n}`,
    });
    forwardingPath = `floatingips/${floating.id}/port_forwardings`;
    for (const external_port of n === 50 ? [] : [80, 81, 82]) {
      const body = { protocol: external_port === 82 ? "udp" : "tcp", external_port, internal_port: external_port };
      const target = { internal_port_id: port.id, internal_ip_address: "10.0.2.51", description: `to ${external_port}` };
      const made = await api.ask(`/v2.0/${forwardingPath}`, {
        method: "POST",
        body: { port_forwarding: { ...body, ...target } },
      });
      assert.equal(made.status, 201, made.text);
    }
  }
}

const sample: Readonly<Record<FilterType, string>> = {
  text: "no such text'; --",
  uuid: nowhere,
  integer: "4711",
  boolean: "false",
  mac: "02:00:00:00:00:09",
  ip: "203.0.113.9",
  cidr: "203.0.113.0/24",
  "fixed-ips": "ip_address=203.0.113.9",
};

const sortable = (resource: ResourceDeclaration) =>
  Object.entries(resource.attributes).flatMap(([name, { sort }]) => (sort === true ? [name] : []));

for (const resource of resources) {
  const { collection } = resource;
  const list = (query = "") => api.list(pathOf(resource), query, {}, collection);

  test(`every attribute that a ${resource.name} has in an answer is declared, and the other way round`, async () => {
    const [item] = await list();

    const visible = Object.entries(resource.attributes).flatMap(([name, { visible: isVisible }]) =>
      isVisible && !onlyOfSome.has(name) ? [name] : [],
    );
    assert.deepEqual(Object.keys(item ?? {}).sort(), visible.sort());
  });

  test(`every declared filter of ${collection} works, and finds what has the value`, async () => {
    const items = await list();
    for (const [name, { filter, visible }] of Object.entries(resource.attributes)) {
      if (filter === undefined) continue;
      await list(`?${pairs([[name, sample[filter]]])}`);
      // A list is found by each of its items.
      const has = (item: Body, wanted: unknown) => [item[name]].flat().includes(wanted);
      const [value] = items.flatMap((item) => item[name] ?? []);
      if (!visible || filter === "fixed-ips" || value === undefined || value === null) continue;

      const found = await list(`?${pairs([[name, textOf(value)]])}`);

      assert.deepEqual(
        found.map(({ id }) => id).sort(),
        items
          .filter((item) => has(item, value))
          .map(({ id }) => id)
          .sort(),
        name,
      );
    }
  });

  test(`every declared sort key of ${collection} works both ways, and pages walk through the same order`, async () => {
    const all = await list();
    for (const key of sortable(resource)) {
      for (const direction of ["asc", "desc"]) {
        const sort = `sort_key=${encodeURIComponent(key)}&sort_dir=${direction}`;
        const ordered = await list(`?${sort}`);
        assert.equal(ordered.length, all.length, key);
        assertOrdered(ordered, key, direction);
        assert.deepEqual(await walk(resource, `limit=2&${sort}`, "next"), ordered, `${key} ${direction}`);
        assert.deepEqual(
          await walk(resource, `limit=2&page_reverse=true&${sort}`, "previous"),
          ordered,
          `${key} ${direction} back`,
        );
      }
    }
  });
}

/** "" for what is not there: null comes first. */
function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function assertOrdered(items: readonly Body[], key: string, direction: string): void {
  const values = items.map((item) => item[key]);
  const rank = (value: unknown) => (typeof value === "number" ? textOf(value).padStart(12, "0") : textOf(value));
  const sorted = [...values].sort((left, right) => (rank(left) < rank(right) ? -1 : rank(left) > rank(right) ? 1 : 0));
  assert.deepEqual(values, direction === "asc" ? sorted : sorted.reverse(), `${key} ${direction}`);
}

/** All items by following links, in the order of the list. */
async function walk(resource: ResourceDeclaration, query: string, rel: "next" | "previous"): Promise<readonly Body[]> {
  const { collection } = resource;
  let items: readonly Body[] = [];
  for (let url: string | undefined = `/v2.0/${pathOf(resource)}?${query}`; url !== undefined; ) {
    const { body, status, text } = await api.ask(url);
    assert.equal(status, 200, text);
    const page = body[collection] as readonly Body[];
    items = rel === "next" ? [...items, ...page] : [...page, ...items];
    const links = (body[`${collection}_links`] ?? []) as readonly { readonly rel: string; readonly href: string }[];
    url = links.find((link) => link.rel === rel)?.href.replace(/^https?:\/\/[^/]+/, "");
  }
  return items;
}

test("ports are found by subnet, by address and by part of an address", async () => {
  const [port] = await api.list("ports", "?name=c");
  const [fixedIp] = (port?.["fixed_ips"] ?? []) as readonly { readonly subnet_id: string; readonly ip_address: string }[];
  const subnetId = fixedIp?.subnet_id ?? "";

  for (const filter of [`subnet_id=${subnetId}`, `ip_address=${fixedIp?.ip_address}`, "ip_address_substr=0.3."]) {
    const found = await api.list("ports", `?${pairs([["fixed_ips", filter]])}`);
    assert.deepEqual(
      found.map(({ name }) => name),
      ["c"],
      filter,
    );
  }
  assert.deepEqual(
    await api.list(
      "ports",
      `?${pairs([
        ["fixed_ips", `subnet_id=${subnetId}`],
        ["name", "a"],
      ])}`,
    ),
    [],
  );
});

test("changed_since keeps what changed later and drops what did not", async () => {
  assert.equal((await api.list("networks", "?changed_since=2020-01-01")).length, 6);
  assert.deepEqual(await api.list("networks", "?changed_since=2100-01-01"), []);
});

test("a change moves the revision by one and If-Match follows it", async () => {
  const network = await api.create("network", { name: "revised" });
  const put = (revision: unknown) =>
    api.ask(`/v2.0/networks/${network.id}`, {
      method: "PUT",
      body: { network: { description: `after ${String(revision)}` } },
      headers: { "if-match": `revision_number=${String(revision)}` },
    });
  const first = Number(network["revision_number"]);

  assert.equal((await put(first)).status, 200);
  assert.equal((await put(first)).status, 412);
  const again = await put(first + 1);
  assert.equal((again.body["network"] as Body)["revision_number"], first + 2);
});

test("an agent is switched off and on, described and removed", async () => {
  const id = await api.registerDhcpAgent("node-9");
  const put = (agent: object) => api.ask(`/v2.0/agents/${id}`, { method: "PUT", body: { agent } });

  const off = (await put({ admin_state_up: "false", description: "spare" })).body["agent"] as Body;
  assert.deepEqual([off["admin_state_up"], off["description"]], [false, "spare"]);
  const on = (await put({ admin_state_up: true, description: null })).body["agent"] as Body;
  assert.deepEqual([on["admin_state_up"], on["description"]], [true, null]);
  assert.equal((await api.ask(`/v2.0/agents/${id}`, { method: "DELETE" })).status, 204);
  assert.equal((await api.ask(`/v2.0/agents/${id}`)).status, 404);
});

test("a network is moved between agents by hand", async () => {
  const [network] = await api.list("networks", "?name=c");
  const hosting = async () => (await api.ask(`/v2.0/networks/${network?.id}/dhcp-agents`)).body["agents"] as readonly Body[];
  const [from] = await hosting();
  const to = (await api.list("agents")).find(({ id }) => id !== from?.id);
  const body = { network_id: network?.id };

  assert.equal((await api.ask(`/v2.0/agents/${from?.id}/dhcp-networks/${network?.id}`, { method: "DELETE" })).status, 204);
  const added = await api.ask(`/v2.0/agents/${to?.id}/dhcp-networks`, { method: "POST", body });
  assert.deepEqual([added.status, added.text], [201, "null"]);
  assert.deepEqual(
    (await hosting()).map(({ id }) => id),
    [to?.id],
  );
  assert.equal((await api.ask(`/v2.0/agents/${to?.id}/dhcp-networks`, { method: "POST", body })).status, 409);
  const networks = (await api.ask(`/v2.0/agents/${to?.id}/dhcp-networks`)).body["networks"] as readonly Body[];
  assert.ok(networks.some(({ id }) => id === network?.id));
});
