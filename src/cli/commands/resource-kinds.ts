// What the commands of each kind of object have of their own: words for people, columns, examples.
import { type ResourceName, resourceNames } from "../api-client.ts";

/** Kinds of security groups, which have no more than the commands of all. */
const securityKinds = [
  ...(["security-group", "security-group-rule", "default-security-group-rule"] as const),
  ...(["security-group-default-statefulness", "address-group"] as const),
] as const;
export const kinds = [
  "network",
  "subnet",
  "subnetpool",
  "address-scope",
  "segment",
  "network-segment-range",
  "port",
  "router",
  "floatingip",
  "rbac",
  "qos-policy",
  "trunk",
  ...securityKinds,
] as const;
export type Kind = (typeof kinds)[number];

export interface Description {
  readonly about: string;
  /** As in "create a …". */
  readonly title: string;
  /** Objects without names are told by something else of theirs. */
  readonly isNamed: boolean;
  /** How somebody would call one, in examples. */
  readonly example: string;
  readonly columns: readonly string[];
  readonly createExample: string;
  readonly setExample: string;
  /** Options of `list` that name another object → filter of the API. */
  readonly listFilters: Readonly<Partial<Record<"network" | "port" | "router" | "security-group", string>>>;
  /** Attributes that have options of other commands. */
  readonly hidden: readonly string[];
  /** There is nothing to change about one. */
  readonly isFixed?: true;
}

const ruleColumns = (...more: readonly string[]): readonly string[] => [
  ...["id", "direction", "ethertype", "protocol", "port_range_min", "port_range_max"],
  ...["remote_ip_prefix", "remote_group_id", "remote_address_group_id", ...more],
];

/** Only the value that asks for nothing is taken: there is nothing to choose. */
const portsWithoutEffect = [
  ...["propagate_uplink_status", "numa_affinity_policy", "device_profile", "hints", "hardware_offload_type"],
  ...["trusted", "pvlan_type", "pvlan_community"],
];
const routersWithoutEffect = [
  ...["flavor_id", "service_type_id", "enable_default_route_ecmp", "enable_default_route_bfd"],
  ...["enable_ndp_proxy", "evpn_vni"],
];

export const descriptions: Readonly<Record<Kind, Description>> = {
  network: {
    about: "layer-2 networks of a project",
    title: "network",
    isNamed: true,
    example: "blue",
    columns: ["id", "name", "status", "mtu", "subnets"],
    createExample: "netloom network create blue --mtu 1450",
    setExample: "netloom network set blue --dns-domain blue.example.",
    listFilters: {},
    hidden: [],
  },
  subnet: {
    about: "blocks of addresses on networks",
    title: "subnet",
    isNamed: true,
    example: "blue",
    columns: ["id", "name", "network_id", "cidr", "gateway_ip", "enable_dhcp"],
    createExample: "netloom subnet create blue-v4 --network blue --cidr 10.0.0.0/24 --dns-nameserver 192.0.2.53",
    setExample: "netloom subnet set blue-v4 --gateway-ip none --host-route destination=10.9.0.0/16,nexthop=10.0.0.9",
    listFilters: { network: "network_id" },
    // What the person has already said in other words; see subnet-version.ts.
    hidden: ["ip_version"],
  },
  subnetpool: {
    about: "addresses that blocks for subnets are taken from",
    title: "subnet pool",
    isNamed: true,
    example: "office",
    columns: ["id", "name", "prefixes", "default_prefixlen", "address_scope_id", "is_default", "shared"],
    createExample: "netloom subnetpool create office --prefix 10.0.0.0/16 --default-prefixlen 24",
    setExample: "netloom subnetpool set office --address-scope corporate --default-quota 1024",
    listFilters: {},
    hidden: [],
  },
  "address-scope": {
    about: "scopes in which addresses are unique, and routers forward without translation",
    title: "address scope",
    isNamed: true,
    example: "corporate",
    columns: ["id", "name", "ip_version", "shared"],
    createExample: "netloom address-scope create corporate --ip-version 4",
    setExample: "netloom address-scope set corporate --shared true",
    listFilters: {},
    hidden: [],
  },
  segment: {
    about: "what carries networks from host to host",
    title: "segment",
    isNamed: true,
    example: "west-wing",
    columns: ["id", "name", "network_id", "network_type", "physical_network", "segmentation_id"],
    createExample: "netloom segment create west-wing --network blue --network-type vlan --physical-network west",
    setExample: "netloom segment set west-wing --description 'of the west wing'",
    listFilters: { network: "network_id" },
    hidden: [],
  },
  "network-segment-range": {
    about: "segment ids that networks may be given",
    title: "network segment range",
    isNamed: true,
    example: "west",
    columns: ["id", "name", "network_type", "physical_network", "minimum", "maximum", "default", "shared", "project_id"],
    createExample:
      "netloom network-segment-range create west --network-type vlan --physical-network west --minimum 100 --maximum 199",
    setExample: "netloom network-segment-range set west --maximum 299",
    listFilters: {},
    hidden: [],
  },
  port: {
    about: "places on a network that devices are plugged into",
    title: "port",
    isNamed: true,
    example: "blue",
    columns: ["id", "name", "mac_address", "fixed_ips", "status", "device_owner"],
    createExample: "netloom port create web --network blue --fixed-ip subnet=blue-v4,ip-address=10.0.0.5",
    setExample: "netloom port set web --dns-name web --extra-dhcp-opt opt-name=mtu,opt-value=1400",
    listFilters: { network: "network_id" },
    hidden: portsWithoutEffect,
  },
  router: {
    about: "routers between subnets, and to the outside",
    title: "router",
    isNamed: true,
    example: "edge",
    columns: ["id", "name", "status", "admin_state_up", "external_gateway_info"],
    createExample: "netloom router create edge --external-gateway public",
    setExample: "netloom router set edge --route destination=10.9.0.0/16,nexthop=10.0.0.9",
    listFilters: {},
    hidden: ["external_gateway_info", ...routersWithoutEffect],
  },
  rbac: {
    about: "which projects may use objects of others",
    title: "policy",
    isNamed: false,
    example: "0190b6a8-3c1e-7f00-8a00-5d3c2e1f0a9b",
    columns: ["id", "object_type", "object_id", "action", "target_project"],
    createExample:
      "netloom rbac create --object-type network --object-id 0190b6a8-3c1e-7f00-8a00-5d3c2e1f0a9b --action access_as_shared --target-project 5d3c2e1f0a9b0190b6a83c1e7f008a00",
    setExample: "netloom rbac set 0190b6a8-3c1e-7f00-8a00-5d3c2e1f0a9b --target-project 5d3c2e1f0a9b0190b6a83c1e7f008a01",
    listFilters: {},
    hidden: [],
  },
  floatingip: {
    about: "addresses outside that lead to ports inside",
    title: "floating IP",
    isNamed: false,
    example: "203.0.113.9",
    columns: ["id", "floating_ip_address", "fixed_ip_address", "port_id", "router_id", "status"],
    createExample: "netloom floatingip create --network public --port web",
    setExample: "netloom floatingip set 203.0.113.9 --port web",
    listFilters: { network: "floating_network_id", port: "port_id", router: "router_id" },
    hidden: ["distributed"],
  },
  "qos-policy": {
    about: "rules of quality of service that networks, ports and floating IPs have; kept, and not applied",
    title: "QoS policy",
    isNamed: true,
    example: "slow",
    columns: ["id", "name", "shared", "is_default", "project_id"],
    createExample: "netloom qos-policy create slow",
    setExample: "netloom qos-policy set slow --is-default true",
    listFilters: {},
    hidden: [],
  },
  trunk: {
    about: "ports that carry others, told apart by VLAN ids; kept, and not applied",
    title: "trunk",
    isNamed: true,
    example: "uplink",
    columns: ["id", "name", "port_id", "status", "admin_state_up", "sub_ports"],
    createExample: "netloom trunk create uplink --port parent --sub-port port=blue,segmentation-type=vlan,segmentation-id=101",
    setExample: "netloom trunk set uplink --admin-state-up false",
    listFilters: { port: "port_id" },
    hidden: [],
  },
  "security-group": {
    about: "rules of what ports may send and receive; kept, and not enforced",
    title: "security group",
    isNamed: true,
    example: "web",
    columns: ["id", "name", "project_id", "stateful", "description"],
    createExample: "netloom security-group create web --description 'of web servers'",
    setExample: "netloom security-group set web --stateful false",
    listFilters: {},
    hidden: [],
  },
  "security-group-rule": {
    about: "rules of security groups",
    title: "security group rule",
    isNamed: false,
    isFixed: true,
    example: "0190b6a8-3c1e-4f00-8a00-5d3c2e1f0a9b",
    columns: ruleColumns("security_group_id"),
    createExample:
      "netloom security-group-rule create --security-group web --direction ingress --protocol tcp --port-range-min 80 --port-range-max 80",
    setExample: "",
    listFilters: { "security-group": "security_group_id" },
    hidden: [],
  },
  "default-security-group-rule": {
    about: "rules that new security groups begin with",
    title: "default security group rule",
    isNamed: false,
    isFixed: true,
    example: "0190b6a8-3c1e-4f00-8a00-5d3c2e1f0a9b",
    columns: ruleColumns("used_in_default_sg", "used_in_non_default_sg"),
    createExample: "netloom default-security-group-rule create --direction ingress --remote-group PARENT",
    setExample: "",
    listFilters: {},
    hidden: [],
  },
  "security-group-default-statefulness": {
    about: "whether new security groups of a project, or of all projects, are stateful",
    title: "default statefulness",
    isNamed: false,
    example: "0190b6a8-3c1e-4f00-8a00-5d3c2e1f0a9b",
    columns: ["id", "project_id", "stateful"],
    createExample:
      "netloom security-group-default-statefulness create --stateful false --project-id 5d3c2e1f0a9b0190b6a83c1e7f008a00",
    setExample: "netloom security-group-default-statefulness set 0190b6a8-3c1e-4f00-8a00-5d3c2e1f0a9b --stateful true",
    listFilters: {},
    hidden: [],
  },
  "address-group": {
    about: "addresses that rules of security groups name together",
    title: "address group",
    isNamed: true,
    example: "office",
    columns: ["id", "name", "addresses", "description"],
    createExample: "netloom address-group create office --address 192.0.2.0/24",
    setExample: "netloom address-group set office --name offices",
    listFilters: {},
    hidden: [],
  },
};

/** Loaded only for the commands that need it: that takes longer than most commands run. */
export async function loadDeclaration(kind: Kind) {
  if (kind === "network") return (await import("../../types/resources/networks.ts")).networkResource;
  if (kind === "subnet") return (await import("../../types/resources/subnets.ts")).subnetResource;
  if (kind === "port") return (await import("../../types/resources/ports.ts")).portResource;
  if (kind === "subnetpool") return (await import("../../types/resources/subnet-pools.ts")).subnetPoolResource;
  if (kind === "address-scope") return (await import("../../types/resources/address-scopes.ts")).addressScopeResource;
  if (kind === "segment") return (await import("../../types/resources/segments.ts")).segmentResource;
  if (kind === "network-segment-range")
    return (await import("../../types/resources/network-segment-ranges.ts")).networkSegmentRangeResource;
  if (kind === "router") return (await import("../../types/resources/routers.ts")).routerResource;
  if (kind === "rbac") return (await import("../../types/resources/rbac-policies.ts")).rbacPolicyResource;
  if (kind === "qos-policy") return (await import("../../types/resources/qos-policies.ts")).qosPolicyResource;
  if (kind === "trunk") return (await import("../../types/resources/trunks.ts")).trunkResource;
  const rules = await loadSecurity(kind);
  if (rules !== undefined) return rules;
  return (await import("../../types/resources/floating-ips.ts")).floatingIpResource;
}

async function loadSecurity(kind: Kind) {
  if (kind === "security-group") return (await import("../../types/resources/security-groups.ts")).securityGroupResource;
  if (kind === "address-group") return (await import("../../types/resources/address-groups.ts")).addressGroupResource;
  if (kind === "security-group-default-statefulness")
    return (await import("../../types/resources/security-group-statefulness.ts")).securityGroupStatefulnessResource;
  if (!kind.endsWith("-rule")) return undefined;
  const rules = await import("../../types/resources/security-group-rules.ts");
  return kind === "security-group-rule" ? rules.securityGroupRuleResource : rules.defaultSecurityGroupRuleResource;
}

/** What to give for `<kind>` on the command line. */
export function handleOf(kind: Kind): string {
  if (descriptions[kind].isNamed) return "name or id";
  return resourceOf(kind).handle === "id" ? "id" : "address or id";
}

/** Object that a command names, in the API. */
export const resourceOf = (kind: Kind): ResourceName => resourceNames[kind];
