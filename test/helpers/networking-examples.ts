// Networks, subnets, their pools, ports.
import { callers, type Example, type ExampleScene, type Wish } from "./example-scene.ts";

export function networkingExamples(scene: ExampleScene): Record<string, Example> {
  const cidr = (): string => {
    const n = scene.next();
    return `10.${n >> 8}.${n & 255}.0/24`;
  };
  const mac = (): string =>
    `fa:16:3e:00:${(scene.next() >> 8).toString(16).padStart(2, "0")}:${(scene.next() & 255).toString(16).padStart(2, "0")}`;
  const address = (): string => {
    const n = scene.next();
    return `10.128.${10 + (n >> 8)}.${n & 255}`;
  };
  const vxlan = (): Wish => ({ "provider:network_type": "vxlan", "provider:segmentation_id": 1000 + scene.next() });
  const flat = (): Wish => ({ "provider:network_type": "flat", "provider:physical_network": `phys${scene.next()}` });
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
      body: () => ({ network_id: scene.blue.id, ip_version: 4, cidr: cidr() }),
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
        network_id: () => ({ network_id: scene.blue.id }),
        cidr: () => ({ cidr: cidr() }),
        allocation_pools: () => {
          const [network] = cidr().split(".0/");
          return { cidr: `${network}.0/24`, allocation_pools: [{ start: `${network}.9`, end: `${network}.20` }] };
        },
        ipv6_ra_mode: () => six,
        ipv6_address_mode: () => six,
        subnetpool_id: () => fromPool(scene, {}),
        prefixlen: () => fromPool(scene, { prefixlen: 29 }),
      },
    },
    subnetpool: {
      body: () => ({ name: "p", prefixes: [`10.${208 + (scene.next() & 7)}.0.0/16`] }),
      values: { default_quota: 5000, default_prefixlen: 24, min_prefixlen: 8, max_prefixlen: 30, address_scope_id: null },
      onCreate: { prefixes: () => ({ prefixes: ["10.220.0.0/16"] }) },
      onUpdate: { prefixes: () => ({ prefixes: ["10.208.0.0/12"] }) },
    },
    port: {
      body: () => ({ network_id: scene.blue.id, fixed_ips: undefined }),
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
        network_id: () => ({ network_id: scene.blue.id }),
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

async function fromPool(scene: ExampleScene, more: Wish): Promise<Wish> {
  // Subnets of one family of a network are all of one pool, so it is on a network of its own.
  const { id } = await scene.api.create("network", {}, callers.member);
  return { ...more, cidr: undefined, subnetpool_id: scene.pool.id, network_id: id };
}
