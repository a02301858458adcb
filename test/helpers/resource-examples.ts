// One good body for each resource, and one good value for each attribute: what tests of all resources at once send.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { type Body, RealApi } from "./real-api.ts";

export type Wish = Readonly<Record<string, unknown>>;

/** Who asks, as `auth: none` takes it. All but the stranger, the administrator and the service are of project blue. */
export const callers = {
  admin: { "x-project-id": "operators", "x-roles": "admin" },
  manager: { "x-project-id": "blue", "x-roles": "manager" },
  member: { "x-project-id": "blue", "x-roles": "member" },
  reader: { "x-project-id": "blue", "x-roles": "reader" },
  service: { "x-project-id": "services", "x-roles": "service" },
  stranger: { "x-project-id": "red", "x-roles": "member" },
} as const;
export type CallerName = keyof typeof callers;

interface Example {
  /** A body that is accepted; another one each time. */
  readonly body: () => Promise<Wish> | Wish;
  /** Where its own collection makes none: another way to one, whose id it answers. */
  readonly make?: () => Promise<string>;
  /** It refers to objects of project blue, so that others cannot make it. */
  readonly dependsOnProject?: true;
  /** Values of attributes that are not in `commonValues`; a function answers what else of the body has to change for it. */
  readonly values?: Readonly<Record<string, unknown>>;
  readonly onCreate?: Readonly<Record<string, () => Promise<Wish> | Wish>>;
  readonly onUpdate?: Readonly<Record<string, () => Promise<Wish> | Wish>>;
}

/** Of attributes that mean the same everywhere. */
const commonValues: Wish = {
  ...{ name: "a name", description: "some text", admin_state_up: false, shared: true, is_default: false },
  ...{ project_id: "blue", tenant_id: "blue", availability_zone_hints: [], qos_policy_id: null, mtu: 1400 },
  ...{ dns_name: "", dns_domain: "", port_security_enabled: true, direction: "egress", ha: false, tags: ["a"] },
  // What has no effect here takes only the value that asks for nothing.
  ...{ vlan_transparent: false, qinq: false, pvlan: false, project_default: false, flavor_id: null },
  ...{ service_type_id: null, evpn_vni: null, enable_default_route_ecmp: null, enable_default_route_bfd: null },
  ...{ enable_ndp_proxy: null, propagate_uplink_status: false, numa_affinity_policy: null, device_profile: null, hints: null },
  ...{ hardware_offload_type: null, trusted: false, pvlan_type: null, pvlan_community: null, remote_address_group_id: null },
};

export class Scene {
  readonly api: RealApi;
  readonly blue: Body;
  readonly subnet: Body;
  readonly pool: Body;
  readonly outside: Body;
  readonly examples: Readonly<Record<string, Example>>;
  /** Ids of the objects that collections are below. */
  readonly parents: Readonly<Record<string, string>>;
  #last = 0;

  private constructor(
    api: RealApi,
    made: Readonly<Record<"blue" | "subnet" | "pool" | "outside" | "group", Body>>,
    parents: Scene["parents"],
    web: Body,
  ) {
    this.api = api;
    this.blue = made.blue;
    this.subnet = made.subnet;
    this.pool = made.pool;
    this.outside = made.outside;
    this.parents = parents;
    this.examples = { ...this.#networking(), ...this.#routing(web), ...this.#rules(made.group), ...this.#operators() };
  }

  static async open(emptyApi?: RealApi): Promise<Scene> {
    const api = emptyApi ?? (await RealApi.open());
    const { admin, member } = callers;
    const range = { network_type: "vxlan", minimum: 2_000_000, maximum: 2_100_000 };
    await api.create("network_segment_range", range, admin, "network_segment_ranges");
    const blue = await api.create("network", { name: "blue" }, member);
    const subnet = await api.create("subnet", { network_id: blue.id, ip_version: 4, cidr: "10.128.0.0/16" }, member);
    const outside = await api.create("network", { name: "outside", "router:external": true }, admin);
    await api.create("subnet", { network_id: outside.id, ip_version: 4, cidr: "203.0.0.0/16", enable_dhcp: false }, admin);
    const pool = await api.create("subnetpool", { name: "pool", prefixes: ["10.200.0.0/14"], default_prefixlen: 28 }, member);
    const router = await api.create("router", { external_gateway_info: { network_id: outside.id } }, member);
    const join = { method: "PUT", body: { subnet_id: subnet.id }, headers: member } as const;
    assert.equal((await api.ask(`/v2.0/routers/${router.id}/add_router_interface`, join)).status, 200);
    const web = await api.create("port", { network_id: blue.id, fixed_ips: [{ ip_address: "10.128.0.5" }] }, member);
    const floating = await api.create("floatingip", { floating_network_id: outside.id }, member);
    const group = await api.create("security_group", { name: "web" }, member, "security-groups");
    const policies = await api.ask("/v2.0/qos/policies", { method: "POST", body: { policy: { name: "p" } }, headers: member });
    const policy = (policies.body["policy"] as Body | undefined)?.id ?? "";
    const parents = { floatingips: floating.id, routers: router.id, ports: web.id, policies: policy, "qos/policies": policy };
    return new Scene(api, { blue, subnet, pool, outside, group }, parents, web);
  }

  /** Small, and another one each time. */
  next = (): number => {
    this.#last += 1;
    return this.#last;
  };

  exampleOf(resource: string): Example {
    const example = this.examples[resource];
    assert.ok(example !== undefined, `test/helpers/resource-examples.ts has no example of a ${resource}`);
    return example;
  }

  /** A good value of one attribute, with all else that it needs. */
  async wishFor(resource: string, attribute: string, action: "create" | "update"): Promise<Wish> {
    const example = this.exampleOf(resource);
    const special = (action === "create" ? example.onCreate : example.onUpdate)?.[attribute];
    if (special !== undefined) return special();
    const values = { ...commonValues, ...example.values };
    assert.ok(Object.hasOwn(values, attribute), `test/helpers/resource-examples.ts has no value for ${resource}.${attribute}`);
    return { [attribute]: values[attribute] };
  }

  readonly #freshPort = async (): Promise<string> =>
    (await this.api.create("port", { network_id: this.blue.id, fixed_ips: [] }, callers.member)).id;

  #networking(): Record<string, Example> {
    const cidr = (): string => {
      const n = this.next();
      return `10.${n >> 8}.${n & 255}.0/24`;
    };
    const mac = (): string =>
      `fa:16:3e:00:${(this.next() >> 8).toString(16).padStart(2, "0")}:${(this.next() & 255).toString(16).padStart(2, "0")}`;
    const address = (): string => {
      const n = this.next();
      return `10.128.${10 + (n >> 8)}.${n & 255}`;
    };
    const vxlan = (): Wish => ({ "provider:network_type": "vxlan", "provider:segmentation_id": 1000 + this.next() });
    const flat = (): Wish => ({ "provider:network_type": "flat", "provider:physical_network": `phys${this.next()}` });
    const six = { ip_version: 6, cidr: "fd00::/64", ipv6_ra_mode: "slaac", ipv6_address_mode: "slaac" };
    const networkValues = {
      "router:external": true,
      "provider:network_type": "local",
      dns_domain: "example.org.",
      shared: true,
    };
    return {
      network: {
        body: () => ({}),
        values: networkValues,
        onCreate: {
          "provider:segmentation_id": vxlan,
          "provider:physical_network": flat,
          segments: () => ({ segments: [vxlan()] }),
        },
        onUpdate: {
          "provider:segmentation_id": vxlan,
          "provider:physical_network": flat,
          segments: () => ({ segments: [vxlan()] }),
        },
      },
      subnet: {
        body: () => ({ network_id: this.blue.id, ip_version: 4, cidr: cidr() }),
        dependsOnProject: true,
        values: {
          enable_dhcp: true,
          gateway_ip: null,
          allocation_pools: [],
          dns_nameservers: ["9.9.9.9"],
          host_routes: [],
          ip_version: 4,
          service_types: ["compute:nova"],
          segment_id: null,
          dns_publish_fixed_ip: false,
          use_default_subnetpool: false,
        },
        onCreate: {
          network_id: () => ({ network_id: this.blue.id }),
          cidr: () => ({ cidr: cidr() }),
          allocation_pools: () => {
            const [network] = cidr().split(".0/");
            return { cidr: `${network}.0/24`, allocation_pools: [{ start: `${network}.9`, end: `${network}.20` }] };
          },
          ipv6_ra_mode: () => six,
          ipv6_address_mode: () => six,
          subnetpool_id: () => this.#fromPool({}),
          prefixlen: () => this.#fromPool({ prefixlen: 29 }),
        },
      },
      subnetpool: {
        body: () => ({ name: "p", prefixes: [`10.${208 + (this.next() & 7)}.0.0/16`] }),
        values: { default_quota: 5000, default_prefixlen: 24, min_prefixlen: 8, max_prefixlen: 30, address_scope_id: null },
        onCreate: { prefixes: () => ({ prefixes: ["10.220.0.0/16"] }) },
        onUpdate: { prefixes: () => ({ prefixes: ["10.208.0.0/12"] }) },
      },
      port: {
        body: () => ({ network_id: this.blue.id, fixed_ips: undefined }),
        dependsOnProject: true,
        values: {
          device_id: "an instance",
          device_owner: "compute:one",
          "binding:vnic_type": "normal",
          "binding:host_id": "host-1",
          "binding:profile": { a: 1 },
          allowed_address_pairs: [{ ip_address: "192.0.2.9" }],
          data_plane_status: "ACTIVE",
          extra_dhcp_opts: [{ opt_name: "mtu", opt_value: "1400" }],
          dns_name: "web",
          security_groups: [],
        },
        onCreate: {
          network_id: () => ({ network_id: this.blue.id }),
          mac_address: () => ({ mac_address: mac() }),
          fixed_ips: () => ({ fixed_ips: [{ ip_address: address() }] }),
        },
        onUpdate: {
          mac_address: () => ({ mac_address: mac() }),
          fixed_ips: () => ({ fixed_ips: [{ ip_address: address() }] }),
        },
      },
    };
  }

  async #fromPool(more: Wish): Promise<Wish> {
    // Subnets of one family of a network are all of one pool, so it is on a network of its own.
    const { id } = await this.api.create("network", {}, callers.member);
    return { ...more, cidr: undefined, subnetpool_id: this.pool.id, network_id: id };
  }

  #routing(web: Body): Record<string, Example> {
    const forwarding = (): Wish => {
      const external_port = 1000 + this.next();
      return { protocol: "tcp", external_port, internal_port: external_port };
    };
    const range = (): Wish => {
      const first = 10_000 + 10 * this.next();
      const both = `${first}:${first + 5}`;
      return { external_port: undefined, internal_port: undefined, external_port_range: both, internal_port_range: both };
    };
    return {
      router: { body: () => ({}), values: { external_gateway_info: null, routes: [], distributed: false } },
      floatingip: {
        body: () => ({ floating_network_id: this.outside.id }),
        values: { subnet_id: null, port_id: null, distributed: null },
        onCreate: {
          floating_network_id: () => ({ floating_network_id: this.outside.id }),
          floating_ip_address: () => ({ floating_ip_address: `203.0.${100 + (this.next() >> 8)}.${this.next() & 255}` }),
          fixed_ip_address: () => ({ fixed_ip_address: null }),
        },
        onUpdate: { fixed_ip_address: () => ({ port_id: null, fixed_ip_address: null }) },
      },
      port_forwarding: {
        body: () => ({ ...forwarding(), internal_port_id: web.id, internal_ip_address: "10.128.0.5" }),
        dependsOnProject: true,
        values: { internal_ip_address: "10.128.0.5", internal_port_id: web.id, protocol: "tcp" },
        onCreate: {
          external_port: forwarding,
          internal_port: forwarding,
          external_port_range: range,
          internal_port_range: range,
        },
        onUpdate: {
          external_port: forwarding,
          internal_port: forwarding,
          external_port_range: range,
          internal_port_range: range,
        },
      },
      conntrack_helper: {
        body: () => ({ protocol: "udp", port: 1000 + this.next(), helper: "tftp" }),
        dependsOnProject: true,
        values: { protocol: "udp", helper: "tftp" },
        onCreate: { port: () => ({ port: 1000 + this.next() }) },
        onUpdate: { port: () => ({ port: 1000 + this.next() }) },
      },
      trunk: {
        body: async () => ({ port_id: await this.#freshPort() }),
        dependsOnProject: true,
        values: { sub_ports: [] },
        onCreate: { port_id: async () => ({ port_id: await this.#freshPort() }) },
      },
    };
  }

  #rules(group: Body): Record<string, Example> {
    const rule = (): Wish => {
      const port = 1 + this.next();
      return { direction: "ingress", protocol: "tcp", port_range_min: port, port_range_max: port };
    };
    const ruleValues = {
      direction: "ingress",
      ethertype: "IPv4",
      protocol: "tcp",
      remote_group_id: null,
      remote_ip_prefix: "10.9.0.0/16",
      used_in_default_sg: true,
      used_in_non_default_sg: true,
    };
    const ports = { port_range_min: rule, port_range_max: rule };
    return {
      security_group: { body: () => ({ name: `group ${this.next()}` }), values: { stateful: false } },
      security_group_rule: {
        body: () => ({ ...rule(), security_group_id: group.id }),
        dependsOnProject: true,
        values: { ...ruleValues, security_group_id: group.id },
        onCreate: ports,
      },
      default_security_group_rule: { body: rule, values: ruleValues, onCreate: ports },
      security_groups_default_statefulness: {
        body: () => ({ project_id: `project-${this.next()}` }),
        dependsOnProject: true,
        values: { stateful: false },
      },
      address_group: { body: () => ({ name: "g" }), values: { addresses: ["192.0.2.0/24"] } },
      address_scope: { body: () => ({ ip_version: 4 }), values: { ip_version: 4 } },
      policy: { body: () => ({ name: "slow" }) },
      binding: { body: () => ({ host: `host-${this.next()}` }), dependsOnProject: true },
      rbac_policy: {
        body: () => ({
          object_type: "network",
          object_id: this.blue.id,
          action: "access_as_shared",
          target_project: randomUUID(),
        }),
        dependsOnProject: true,
        values: { object_type: "network", object_id: this.blue.id, action: "access_as_shared" },
        onCreate: {
          target_tenant: () => ({ target_project: undefined, target_tenant: randomUUID() }),
          target_project: () => ({ target_project: randomUUID() }),
        },
        onUpdate: {
          target_tenant: () => ({ target_tenant: randomUUID() }),
          target_project: () => ({ target_project: randomUUID() }),
        },
      },
    };
  }

  #operators(): Record<string, Example> {
    const bounds = (): Wish => {
      const minimum = 100_000 + 10 * this.next();
      return { minimum, maximum: minimum + 5 };
    };
    const range = { network_type: "vxlan" };
    return {
      segment: {
        body: () => ({ network_id: this.blue.id, network_type: "vxlan" }),
        values: { network_id: this.blue.id, network_type: "vxlan" },
        onCreate: {
          segmentation_id: () => ({ segmentation_id: 500_000 + this.next() }),
          physical_network: () => ({
            network_type: "vlan",
            physical_network: "phys",
            segmentation_id: 1 + (this.next() % 4000),
          }),
        },
      },
      network_segment_range: {
        body: () => ({ ...range, shared: true, ...bounds() }),
        values: { ...range, shared: true },
        onCreate: {
          project_id: () => ({ shared: false, project_id: "blue" }),
          tenant_id: () => ({ shared: false, tenant_id: "blue" }),
          physical_network: () => ({ network_type: "vlan", physical_network: `vl${this.next()}`, minimum: 5, maximum: 9 }),
          minimum: bounds,
          maximum: bounds,
        },
        onUpdate: { minimum: bounds, maximum: bounds },
      },
      agent: { body: () => ({}), make: () => this.api.registerDhcpAgent(`host-${this.next()}`) },
      ...this.#qosRules(),
    };
  }

  /** Of each type, below their policy and by their own ids. */
  #qosRules(): Record<string, Example> {
    const values = {
      max_kbps: 100,
      max_burst_kbps: 10,
      min_kbps: 100,
      max_kpps: 10,
      max_burst_kpps: 1,
      min_kpps: 10,
      dscp_mark: 10,
    };
    const least = {
      bandwidth_limit: "max_kbps",
      minimum_bandwidth: "min_kbps",
      packet_rate_limit: "max_kpps",
      minimum_packet_rate: "min_kpps",
      dscp_marking: "dscp_mark",
    };
    const ruleOf = (type: string, attribute: string): readonly (readonly [string, Example])[] => {
      const body = (): Wish => ({ [attribute]: 10 });
      const path = `qos/policies/${this.parents["policies"]}/${type}_rules`;
      const make = async (): Promise<string> => (await this.api.create(`${type}_rule`, body(), callers.member, path)).id;
      const name = `${type}_rule`;
      return [
        [name, { body, values, dependsOnProject: true }],
        [`alias_${name}`, { body, values, make }],
      ];
    };
    return Object.fromEntries(Object.entries(least).flatMap(([type, attribute]) => ruleOf(type, attribute)));
  }
}
