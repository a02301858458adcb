// What the commands of each kind of object have of their own: words for people, columns, examples.
import { resourceNames } from "../api-client.ts";

export const kinds = ["network", "subnet", "subnetpool", "address-scope", "port", "router", "floatingip"] as const;
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
  readonly listFilters: Readonly<Partial<Record<"network" | "port" | "router", string>>>;
  /** Attributes that have options of other commands. */
  readonly hidden: readonly string[];
}

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
  port: {
    about: "places on a network that devices are plugged into",
    title: "port",
    isNamed: true,
    example: "blue",
    columns: ["id", "name", "mac_address", "fixed_ips", "status", "device_owner"],
    createExample: "netloom port create web --network blue --fixed-ip subnet=blue-v4,ip-address=10.0.0.5",
    setExample: "netloom port set web --dns-name web --extra-dhcp-opt opt-name=mtu,opt-value=1400",
    listFilters: { network: "network_id" },
    hidden: [],
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
    hidden: ["external_gateway_info"],
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
  if (kind === "router") return (await import("../../types/resources/routers.ts")).routerResource;
  return (await import("../../types/resources/floating-ips.ts")).floatingIpResource;
}

/** What to give for `<kind>` on the command line. */
export const handleOf = (kind: Kind): string => (descriptions[kind].isNamed ? "name or id" : "address or id");

/** Object that a command names, in the API. */
export const resourceOf = (kind: Kind) => resourceNames[kind];
