// One good body for each resource, and one good value for each attribute: what tests of all resources at once send.
import assert from "node:assert/strict";
import { callers, type Example, type ExampleObjects, type ExampleScene, type Wish } from "./example-scene.ts";
import { networkingExamples } from "./networking-examples.ts";
import { operatorExamples } from "./operator-examples.ts";
import { type Body, RealApi } from "./real-api.ts";
import { routingExamples } from "./routing-examples.ts";
import { ruleExamples } from "./rule-examples.ts";

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

export class Scene implements ExampleScene {
  readonly api: RealApi;
  readonly blue: Body;
  readonly subnet: Body;
  readonly pool: Body;
  readonly outside: Body;
  readonly group: Body;
  readonly web: Body;
  readonly parents: Readonly<Record<string, string>>;
  readonly examples: Readonly<Record<string, Example>>;
  #last = 0;

  private constructor(api: RealApi, objects: ExampleObjects, parents: Scene["parents"]) {
    this.api = api;
    this.blue = objects.blue;
    this.subnet = objects.subnet;
    this.pool = objects.pool;
    this.outside = objects.outside;
    this.group = objects.group;
    this.web = objects.web;
    this.parents = parents;
    this.examples = {
      ...networkingExamples(this),
      ...routingExamples(this),
      ...ruleExamples(this),
      ...operatorExamples(this),
    };
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
    return new Scene(api, { blue, subnet, pool, outside, group, web }, parents);
  }

  next = (): number => {
    this.#last += 1;
    return this.#last;
  };

  exampleOf(resource: string): Example {
    const example = this.examples[resource];
    assert.ok(example !== undefined, `test/helpers has no example of a ${resource}`);
    return example;
  }

  /** A good value of one attribute, with all else that it needs. */
  async wishFor(resource: string, attribute: string, action: "create" | "update"): Promise<Wish> {
    const example = this.exampleOf(resource);
    const special = (action === "create" ? example.onCreate : example.onUpdate)?.[attribute];
    if (special !== undefined) return special();
    const values = { ...commonValues, ...example.values };
    assert.ok(Object.hasOwn(values, attribute), `test/helpers has no value for ${resource}.${attribute}`);
    return { [attribute]: values[attribute] };
  }
}
