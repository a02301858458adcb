// What must be refused, on the real services: the right status and type, and not one row of the database changed.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Ask, faultOf } from "../../helpers/fake-api.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const nowhere = "99999999-2222-4333-8444-555555555555";
const mac = "fa:16:3e:00:00:01";
const blue = { "x-project-id": "blue" };

let api: RealApi;
let ids: Readonly<Record<"network" | "other" | "shared" | "subnet" | "tiny" | "foreign" | "port" | "ipv6", string>>;

before(async () => {
  api = await RealApi.open();
  await api.registerDhcpAgent("node-1");
  const [network, other, shared] = [
    await api.create("network", { name: "main" }),
    await api.create("network", { name: "other" }),
    await api.create("network", { name: "shared", shared: true }),
  ];
  const subnetOn = (on: Body, cidr: string, more: object = {}) =>
    api.create("subnet", { network_id: on.id, ip_version: cidr.includes(":") ? 6 : 4, cidr, ...more });
  const subnet = await subnetOn(network, "10.0.0.0/24", { allocation_pools: [{ start: "10.0.0.10", end: "10.0.0.20" }] });
  const ipv6 = await subnetOn(network, "fd00::/64", { ipv6_address_mode: "slaac", ipv6_ra_mode: "slaac" });
  const tiny = await subnetOn(other, "10.9.0.0/30");
  const foreign = await subnetOn(shared, "10.8.0.0/24");
  const port = await api.create("port", { network_id: network.id, mac_address: mac, fixed_ips: [{ ip_address: "10.0.0.10" }] });
  // The gateway has .1, this one .2: nothing is left of the /30.
  await api.create("port", { network_id: other.id });
  ids = {
    network: network.id,
    other: other.id,
    shared: shared.id,
    subnet: subnet.id,
    tiny: tiny.id,
    foreign: foreign.id,
    port: port.id,
    ipv6: ipv6.id,
  };
});
after(() => api.close());

interface Case {
  readonly what: string;
  readonly path: () => string;
  readonly ask: () => Ask;
  readonly fault: readonly [number, string];
}

function create(
  kind: string,
  what: string,
  attributes: () => object,
  fault: Case["fault"],
  headers: Ask["headers"] = {},
): Case {
  return {
    what,
    path: () => `/v2.0/${kind}s`,
    ask: () => ({ method: "POST", body: { [kind]: attributes() }, headers }),
    fault,
  };
}

function change(kind: string, what: string, of: keyof typeof ids, more: Ask, fault: Case["fault"]): Case {
  return { what, path: () => `/v2.0/${kind}s/${ids[of]}`, ask: () => ({ method: "PUT", ...more }), fault };
}

const port = (attributes: object = {}) => ({ network_id: ids.network, ...attributes });
const subnet = (attributes: object = {}) => ({ network_id: ids.network, ip_version: 4, cidr: "10.1.0.0/24", ...attributes });

const cases: readonly Case[] = [
  {
    what: "a body that is not JSON",
    path: () => "/v2.0/networks",
    ask: () => ({ method: "POST", raw: '{"network": {' }),
    fault: [400, "MalformedRequestBody"],
  },
  create("network", "an unknown attribute", () => ({ colour: "red" }), [400, "HTTPBadRequest"]),
  create("network", "a read-only attribute", () => ({ status: "ACTIVE" }), [400, "HTTPBadRequest"]),
  create("network", "a wrong type", () => ({ admin_state_up: "maybe" }), [400, "HTTPBadRequest"]),
  create("network", "a name of blanks", () => ({ name: "   " }), [400, "HTTPBadRequest"]),
  create("network", "a name with a line break", () => ({ name: "a\nb" }), [400, "HTTPBadRequest"]),
  create("network", "a name with NUL", () => ({ name: "a\u0000b" }), [400, "HTTPBadRequest"]),
  create("network", "an MTU beyond all", () => ({ mtu: 70_000 }), [400, "HTTPBadRequest"]),
  create("network", "a segment of no type", () => ({ "provider:network_type": "vlan", "provider:segmentation_id": 5000 }), [
    400,
    "InvalidInput",
  ]),
  create("network", "a share by a member", () => ({ shared: true }), [403, "PolicyNotAuthorized"], blue),
  create("network", "another project by a member", () => ({ project_id: "red" }), [400, "HTTPBadRequest"], blue),
  change("network", "a changed project", "network", { body: { network: { project_id: "red" } } }, [400, "HTTPBadRequest"]),
  change("network", "an MTU too small for IPv6", "network", { body: { network: { mtu: 1000 } } }, [
    409,
    "NetworkMTUSubnetConflict",
  ]),
  change("network", "a network of others", "network", { body: { network: { name: "x" } }, headers: blue }, [
    404,
    "NetworkNotFound",
  ]),
  change("network", "a shared network of others", "shared", { body: { network: { name: "x" } }, headers: blue }, [
    403,
    "PolicyNotAuthorized",
  ]),
  change(
    "network",
    "a stale revision",
    "network",
    { body: { network: { name: "x" } }, headers: { "if-match": "revision_number=4711" } },
    [412, "RevisionNumberConstraintFailed"],
  ),
  change(
    "network",
    "two revisions",
    "network",
    { body: { network: { name: "x" } }, headers: { "if-match": "revision_number=1, revision_number=2" } },
    [400, "BadRequest"],
  ),
  change("network", "deletion with ports", "network", { method: "DELETE" }, [409, "NetworkInUse"]),
  change("network", "deletion with a body", "network", { method: "DELETE", raw: "{}" }, [400, "HTTPBadRequest"]),

  create("subnet", "no network", () => ({ ip_version: 4, cidr: "10.1.0.0/24" }), [400, "HTTPBadRequest"]),
  create("subnet", "an unknown network", () => subnet({ network_id: nowhere }), [404, "NetworkNotFound"]),
  create("subnet", "a network of others", () => subnet(), [404, "NetworkNotFound"], blue),
  create("subnet", "a shared network of others", () => subnet({ network_id: ids.shared }), [403, "PolicyNotAuthorized"], blue),
  create("subnet", "an overlap", () => subnet({ cidr: "10.0.0.128/25" }), [400, "InvalidInput"]),
  create("subnet", "the same block", () => subnet({ cidr: "10.0.0.7/24" }), [400, "InvalidInput"]),
  create("subnet", "a block around", () => subnet({ cidr: "10.0.0.0/8" }), [400, "InvalidInput"]),
  create("subnet", "a block without length", () => subnet({ cidr: "10.1.0.0" }), [400, "HTTPBadRequest"]),
  create("subnet", "everything as a block", () => subnet({ cidr: "0.0.0.0/0" }), [400, "InvalidInput"]),
  create("subnet", "the other family", () => subnet({ ip_version: 6 }), [400, "InvalidInput"]),
  create("subnet", "DHCP on a /31", () => subnet({ cidr: "10.1.0.0/31" }), [400, "InvalidInput"]),
  create("subnet", "a pool outside", () => subnet({ allocation_pools: [{ start: "10.2.0.1", end: "10.2.0.9" }] }), [
    400,
    "OutOfBoundsAllocationPool",
  ]),
  create("subnet", "a pool backwards", () => subnet({ allocation_pools: [{ start: "10.1.0.9", end: "10.1.0.2" }] }), [
    400,
    "InvalidAllocationPool",
  ]),
  create(
    "subnet",
    "pools that overlap",
    () =>
      subnet({
        allocation_pools: [
          { start: "10.1.0.2", end: "10.1.0.9" },
          { start: "10.1.0.9", end: "10.1.0.10" },
        ],
      }),
    [409, "OverlappingAllocationPools"],
  ),
  create(
    "subnet",
    "a pool with the gateway",
    () => subnet({ gateway_ip: "10.1.0.5", allocation_pools: [{ start: "10.1.0.2", end: "10.1.0.9" }] }),
    [409, "GatewayConflictWithAllocationPools"],
  ),
  create("subnet", "six name servers", () => subnet({ dns_nameservers: [1, 2, 3, 4, 5, 6].map((n) => `9.9.9.${n}`) }), [
    400,
    "DNSNameServersExhausted",
  ]),
  create(
    "subnet",
    "twenty-one routes",
    () =>
      subnet({
        host_routes: Array.from({ length: 21 }, (_unused, n) => ({ destination: `172.16.${n}.0/24`, nexthop: "10.1.0.9" })),
      }),
    [400, "HostRoutesExhausted"],
  ),
  create("subnet", "IPv6 modes on IPv4", () => subnet({ ipv6_ra_mode: "slaac" }), [400, "InvalidInput"]),
  create(
    "subnet",
    "modes that differ",
    () => subnet({ ip_version: 6, cidr: "fd01::/64", ipv6_ra_mode: "slaac", ipv6_address_mode: "dhcpv6-stateful" }),
    [400, "InvalidInput"],
  ),
  change("subnet", "another block", "subnet", { body: { subnet: { cidr: "10.3.0.0/24" } } }, [400, "HTTPBadRequest"]),
  change("subnet", "a gateway inside the pool", "subnet", { body: { subnet: { gateway_ip: "10.0.0.15" } } }, [
    409,
    "GatewayConflictWithAllocationPools",
  ]),
  change("subnet", "DHCP off under SLAAC", "ipv6", { body: { subnet: { enable_dhcp: false } } }, [400, "InvalidInput"]),
  change("subnet", "deletion in use", "subnet", { method: "DELETE" }, [409, "SubnetInUse"]),

  create("port", "no network", () => ({}), [400, "HTTPBadRequest"]),
  create("port", "an unknown network", () => port({ network_id: nowhere }), [404, "NetworkNotFound"]),
  create("port", "a network of others", () => port(), [404, "NetworkNotFound"], blue),
  create("port", "a MAC that is taken, spelled otherwise", () => port({ mac_address: "FA-16-3E-00-00-01" }), [
    409,
    "MacAddressInUse",
  ]),
  create("port", "a MAC that is none", () => port({ mac_address: "xx" }), [400, "HTTPBadRequest"]),
  create("port", "an address that is taken", () => port({ fixed_ips: [{ ip_address: "10.0.0.10" }] }), [
    409,
    "IpAddressAlreadyAllocated",
  ]),
  create("port", "an address on no subnet", () => port({ fixed_ips: [{ ip_address: "10.77.0.1" }] }), [
    400,
    "InvalidIpForNetwork",
  ]),
  create(
    "port",
    "an address of another subnet",
    () => port({ fixed_ips: [{ subnet_id: ids.ipv6, ip_address: "10.0.0.11" }] }),
    [400, "InvalidIpForSubnet"],
  ),
  create("port", "the network address", () => port({ fixed_ips: [{ ip_address: "10.0.0.0" }] }), [400, "InvalidIpForSubnet"]),
  create("port", "a chosen SLAAC address", () => port({ fixed_ips: [{ subnet_id: ids.ipv6, ip_address: "fd00::5" }] }), [
    400,
    "AllocationOnAutoAddressSubnet",
  ]),
  create("port", "an unknown subnet", () => port({ fixed_ips: [{ subnet_id: nowhere }] }), [404, "SubnetNotFound"]),
  create("port", "a subnet of another network", () => port({ fixed_ips: [{ subnet_id: ids.tiny }] }), [400, "InvalidInput"]),
  create("port", "an address twice", () => port({ fixed_ips: [{ ip_address: "10.0.0.12" }, { ip_address: "10.0.0.12" }] }), [
    400,
    "HTTPBadRequest",
  ]),
  create("port", "an address that is none", () => port({ fixed_ips: [{ ip_address: "10.0.0.999" }] }), [400, "HTTPBadRequest"]),
  create("port", "an exhausted pool", () => port({ network_id: ids.other }), [409, "IpAddressGenerationFailure"]),
  create(
    "port",
    "a DHCP option with a line break",
    () => port({ extra_dhcp_opts: [{ opt_name: "67", opt_value: "x\ndhcp-script=/bin/sh" }] }),
    [400, "HTTPBadRequest"],
  ),
  create("port", "a DNS name with a line break", () => port({ dns_name: "a\nb" }), [400, "HTTPBadRequest"]),
  create(
    "port",
    "eleven address pairs",
    () => port({ allowed_address_pairs: Array.from({ length: 11 }, (_unused, n) => ({ ip_address: `10.5.0.${n}` })) }),
    [400, "AllowedAddressPairExhausted"],
  ),
  create(
    "port",
    "an address pair without an address",
    () => port({ allowed_address_pairs: [{ mac_address: "fa:16:3e:00:00:09" }] }),
    [400, "AllowedAddressPairsMissingIP"],
  ),
  create(
    "port",
    "an address pair twice",
    () => port({ allowed_address_pairs: [{ ip_address: "::1" }, { ip_address: "0::1" }] }),
    [400, "DuplicateAddressPairInRequest"],
  ),
  create(
    "port",
    "a chosen address by a guest",
    () => port({ network_id: ids.shared, fixed_ips: [{ ip_address: "10.8.0.9" }] }),
    [403, "PolicyNotAuthorized"],
    blue,
  ),
  create(
    "port",
    "a trusted owner by a guest",
    () => port({ network_id: ids.shared, device_owner: "network:dhcp" }),
    [403, "PolicyNotAuthorized"],
    blue,
  ),
  create(
    "port",
    "a host by a member",
    () => port({ network_id: ids.shared, "binding:host_id": "node-1" }),
    [403, "PolicyNotAuthorized"],
    blue,
  ),
  change("port", "another network", "port", { body: { port: { network_id: nowhere } } }, [400, "HTTPBadRequest"]),
  change(
    "port",
    "an address that is the gateway's subnet's broadcast",
    "port",
    { body: { port: { fixed_ips: [{ ip_address: "10.0.0.255" }] } } },
    [400, "InvalidIpForSubnet"],
  ),
  change("port", "a port of others", "port", { body: { port: { name: "x" } }, headers: blue }, [404, "PortNotFound"]),
  {
    what: "a bulk whose last port cannot be",
    path: () => "/v2.0/ports",
    ask: () => ({ method: "POST", body: { ports: [port(), port(), port({ mac_address: mac })] } }),
    fault: [409, "MacAddressInUse"],
  },
  {
    what: "a bulk with one MAC that is none",
    path: () => "/v2.0/ports",
    ask: () => ({ method: "POST", body: { ports: [port({ mac_address: "fa:16:3e:0:0:9" }), port()] } }),
    fault: [400, "HTTPBadRequest"],
  },
  {
    what: "a bulk larger than what is free",
    path: () => "/v2.0/ports",
    ask: () => ({ method: "POST", body: { ports: Array.from({ length: 11 }, () => port()) } }),
    fault: [409, "IpAddressGenerationFailure"],
  },
  {
    what: "a bulk of subnets that overlap one another",
    path: () => "/v2.0/subnets",
    ask: () => ({ method: "POST", body: { subnets: [subnet(), subnet({ cidr: "10.1.0.0/25" })] } }),
    fault: [400, "InvalidInput"],
  },
  {
    what: "an unknown agent",
    path: () => `/v2.0/agents/${nowhere}`,
    ask: () => ({ method: "PUT", body: { agent: { admin_state_up: false } } }),
    fault: [404, "AgentNotFound"],
  },
  {
    what: "a network for an unknown agent",
    path: () => `/v2.0/agents/${nowhere}/dhcp-networks`,
    ask: () => ({ method: "POST", body: { network_id: ids.network } }),
    fault: [404, "InvalidDHCPAgent"],
  },
];

for (const { what, path, ask, fault } of cases) {
  const [status, type] = fault;
  test(`${what} is refused with ${status} ${type}, and nothing changes`, async () => {
    const before = await api.dump();

    const answer = await api.ask(path(), ask());

    const { status: gotStatus, type: gotType, message } = faultOf(answer);
    assert.deepEqual([gotStatus, gotType], [status, type], message);
    assert.equal(await api.dump(), before);
  });
}

for (const [collection, type] of [
  ["networks", "NetworkNotFound"],
  ["subnets", "SubnetNotFound"],
  ["ports", "PortNotFound"],
] as const) {
  test(`an unknown id of ${collection} is ${type} for every verb, and nothing changes`, async () => {
    const kind = collection.slice(0, -1);
    const before = await api.dump();

    const answers = await Promise.all([
      api.ask(`/v2.0/${collection}/${nowhere}`),
      api.ask(`/v2.0/${collection}/${nowhere}`, { method: "PUT", body: { [kind]: { name: "x" } } }),
      api.ask(`/v2.0/${collection}/${nowhere}`, { method: "DELETE" }),
      api.ask(`/v2.0/${collection}?limit=2&marker=${nowhere}`),
    ]);

    for (const answer of answers) assert.equal(faultOf(answer).type, type);
    assert.equal(await api.dump(), before);
  });
}
