// What the commands of each kind of object have of their own: words for people, columns, examples.
import type { ResourceDeclaration } from "../../types/resources/declaration.ts";
import { type ResourceName, resourceNames } from "../api-client.ts";

/** What a kind has that nothing else says of it. */
interface Particulars {
  readonly about: string;
  /** As in "create a …"; the kind when absent. */
  readonly title?: string;
  /** How somebody would call one, in examples. */
  readonly example: string;
  readonly columns: readonly string[];
  /** Behind `netloom <kind> create`. */
  readonly createExample: string;
  /** Behind `netloom <kind> set`; without it there is nothing to change about one. */
  readonly setExample?: string;
  /** Options of `list` that name another object → filter of the API. */
  readonly listFilters?: Readonly<Partial<Record<"network" | "port" | "router" | "security-group", string>>>;
  /** Attributes that have options of other commands. */
  readonly hidden?: readonly string[];
  /** Done only for the commands that need it: that takes longer than most commands run. */
  readonly load: () => Promise<ResourceDeclaration>;
}

export interface Description extends Required<Omit<Particulars, "setExample">> {
  /** Objects without names are told by something else of theirs. */
  readonly isNamed: boolean;
  /** Whole, as `createExample` is. */
  readonly setExample: string | undefined;
  /** Object that a command names, in the API. */
  readonly resource: ResourceName;
  /** What to give for `<kind>` on the command line, and for several of them. */
  readonly handle: string;
  readonly handles: string;
}

/** As the server gives them, in examples. */
export const anId = "0190b6a8-3c1e-4f00-8a00-5d3c2e1f0a9b";

const ruleColumns = (...more: readonly string[]): readonly string[] => [
  ...["id", "direction", "ethertype", "protocol", "port_range_min", "port_range_max"],
  ...["remote_ip_prefix", "remote_group_id", "remote_address_group_id", ...more],
];

/** In the order of the help. */
const particulars = {
  network: {
    about: "layer-2 networks of a project",
    example: "blue",
    columns: ["id", "name", "status", "mtu", "subnets"],
    createExample: "blue --mtu 1450",
    setExample: "blue --dns-domain blue.example.",
    load: async () => (await import("../../types/resources/networks.ts")).networkResource,
  },
  subnet: {
    about: "blocks of addresses on networks",
    example: "blue",
    columns: ["id", "name", "network_id", "cidr", "gateway_ip", "enable_dhcp"],
    createExample: "blue-v4 --network blue --cidr 10.0.0.0/24 --dns-nameserver 192.0.2.53",
    setExample: "blue-v4 --gateway-ip none --host-route destination=10.9.0.0/16,nexthop=10.0.0.9",
    listFilters: { network: "network_id" },
    // What the person has already said in other words; see subnet-version.ts.
    hidden: ["ip_version"],
    load: async () => (await import("../../types/resources/subnets.ts")).subnetResource,
  },
  subnetpool: {
    about: "addresses that blocks for subnets are taken from",
    title: "subnet pool",
    example: "office",
    columns: ["id", "name", "prefixes", "default_prefixlen", "address_scope_id", "is_default", "shared"],
    createExample: "office --prefix 10.0.0.0/16 --default-prefixlen 24",
    setExample: "office --address-scope corporate --default-quota 1024",
    load: async () => (await import("../../types/resources/subnet-pools.ts")).subnetPoolResource,
  },
  "address-scope": {
    about: "scopes in which addresses are unique, and routers forward without translation",
    example: "corporate",
    columns: ["id", "name", "ip_version", "shared"],
    createExample: "corporate --ip-version 4",
    setExample: "corporate --shared true",
    load: async () => (await import("../../types/resources/address-scopes.ts")).addressScopeResource,
  },
  segment: {
    about: "what carries networks from host to host",
    example: "west-wing",
    columns: ["id", "name", "network_id", "network_type", "physical_network", "segmentation_id"],
    createExample: "west-wing --network blue --network-type vlan --physical-network west",
    setExample: "west-wing --description 'of the west wing'",
    listFilters: { network: "network_id" },
    load: async () => (await import("../../types/resources/segments.ts")).segmentResource,
  },
  "network-segment-range": {
    about: "segment ids that networks may be given",
    example: "west",
    columns: ["id", "name", "network_type", "physical_network", "minimum", "maximum", "default", "shared", "project_id"],
    createExample: "west --network-type vlan --physical-network west --minimum 100 --maximum 199",
    setExample: "west --maximum 299",
    load: async () => (await import("../../types/resources/network-segment-ranges.ts")).networkSegmentRangeResource,
  },
  port: {
    about: "places on a network that devices are plugged into",
    example: "blue",
    columns: ["id", "name", "mac_address", "fixed_ips", "status", "device_owner"],
    createExample: "web --network blue --fixed-ip subnet=blue-v4,ip-address=10.0.0.5",
    setExample: "web --dns-name web --extra-dhcp-opt opt-name=mtu,opt-value=1400",
    listFilters: { network: "network_id" },
    load: async () => (await import("../../types/resources/ports.ts")).portResource,
  },
  router: {
    about: "routers between subnets, and to the outside",
    example: "edge",
    columns: ["id", "name", "status", "admin_state_up", "external_gateway_info"],
    createExample: "edge --external-gateway public",
    setExample: "edge --route destination=10.9.0.0/16,nexthop=10.0.0.9",
    hidden: ["external_gateway_info"],
    load: async () => (await import("../../types/resources/routers.ts")).routerResource,
  },
  floatingip: {
    about: "addresses outside that lead to ports inside",
    title: "floating IP",
    example: "203.0.113.9",
    columns: ["id", "floating_ip_address", "fixed_ip_address", "port_id", "router_id", "status"],
    createExample: "--network public --port web",
    setExample: "203.0.113.9 --port web",
    listFilters: { network: "floating_network_id", port: "port_id", router: "router_id" },
    load: async () => (await import("../../types/resources/floating-ips.ts")).floatingIpResource,
  },
  rbac: {
    about: "which projects may use objects of others",
    title: "policy",
    example: anId,
    columns: ["id", "object_type", "object_id", "action", "target_project"],
    createExample:
      "--object-type network --object-id 0190b6a8-3c1e-7f00-8a00-5d3c2e1f0a9b --action access_as_shared --target-project 5d3c2e1f0a9b0190b6a83c1e7f008a00",
    setExample: `${anId} --target-project 5d3c2e1f0a9b0190b6a83c1e7f008a01`,
    load: async () => (await import("../../types/resources/rbac-policies.ts")).rbacPolicyResource,
  },
  "qos-policy": {
    about: "rules of quality of service that networks, ports and floating IPs have; kept, and not applied",
    title: "QoS policy",
    example: "slow",
    columns: ["id", "name", "shared", "is_default", "project_id"],
    createExample: "slow",
    setExample: "slow --is-default true",
    load: async () => (await import("../../types/resources/qos-policies.ts")).qosPolicyResource,
  },
  trunk: {
    about: "ports that carry others, told apart by VLAN ids; kept, and not applied",
    example: "uplink",
    columns: ["id", "name", "port_id", "status", "admin_state_up", "sub_ports"],
    createExample: "uplink --port parent --sub-port port=blue,segmentation-type=vlan,segmentation-id=101",
    setExample: "uplink --admin-state-up false",
    listFilters: { port: "port_id" },
    load: async () => (await import("../../types/resources/trunks.ts")).trunkResource,
  },
  "security-group": {
    about: "rules of what ports may send and receive; kept, and not enforced",
    example: "web",
    columns: ["id", "name", "project_id", "stateful", "description"],
    createExample: "web --description 'of web servers'",
    setExample: "web --stateful false",
    load: async () => (await import("../../types/resources/security-groups.ts")).securityGroupResource,
  },
  "security-group-rule": {
    about: "rules of security groups",
    example: anId,
    columns: ruleColumns("security_group_id"),
    createExample: "--security-group web --direction ingress --protocol tcp --port-range-min 80 --port-range-max 80",
    listFilters: { "security-group": "security_group_id" },
    load: async () => (await import("../../types/resources/security-group-rules.ts")).securityGroupRuleResource,
  },
  "default-security-group-rule": {
    about: "rules that new security groups begin with",
    example: anId,
    columns: ruleColumns("used_in_default_sg", "used_in_non_default_sg"),
    createExample: "--direction ingress --remote-group PARENT",
    load: async () => (await import("../../types/resources/security-group-rules.ts")).defaultSecurityGroupRuleResource,
  },
  "security-group-default-statefulness": {
    about: "whether new security groups of a project, or of all projects, are stateful",
    title: "default statefulness",
    example: anId,
    columns: ["id", "project_id", "stateful"],
    createExample: "--stateful false --project-id 5d3c2e1f0a9b0190b6a83c1e7f008a00",
    setExample: `${anId} --stateful true`,
    load: async () => (await import("../../types/resources/security-group-statefulness.ts")).securityGroupStatefulnessResource,
  },
  "address-group": {
    about: "addresses that rules of security groups name together",
    example: "office",
    columns: ["id", "name", "addresses", "description"],
    createExample: "office --address 192.0.2.0/24",
    setExample: "office --name offices",
    load: async () => (await import("../../types/resources/address-groups.ts")).addressGroupResource,
  },
} as const satisfies Readonly<Partial<Record<keyof typeof resourceNames, Particulars>>>;

export type Kind = keyof typeof particulars;

/** The cast: the keys are those of a constant. */
export const kinds = Object.keys(particulars) as readonly Kind[];

export function describe(kind: Kind): Description {
  const own: Particulars = particulars[kind];
  const resource: ResourceName = resourceNames[kind];
  const { handle: attribute = "name" } = resource;
  return {
    ...{ title: kind.replaceAll("-", " "), listFilters: {}, hidden: [], ...own },
    isNamed: attribute === "name",
    createExample: `netloom ${kind} create ${own.createExample}`,
    setExample: own.setExample === undefined ? undefined : `netloom ${kind} set ${own.setExample}`,
    resource,
    ...(wordsOf[attribute] ?? { handle: "address or id", handles: "addresses or ids" }),
  };
}

const wordsOf: Readonly<Record<string, Pick<Description, "handle" | "handles">>> = {
  name: { handle: "name or id", handles: "names or ids" },
  id: { handle: "id", handles: "ids" },
};
