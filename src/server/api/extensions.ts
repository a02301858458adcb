// What clients may count on, by the alias that they branch on. Only what works: an alias that lies breaks a client later.

export interface Extension {
  readonly alias: string;
  readonly name: string;
  readonly description: string;
  /** Part of the format; says nothing about this server. */
  readonly updated: string;
  readonly links: readonly [];
}

export function extension(alias: string, name: string, description: string): Extension {
  return { alias, name, description, updated: "2026-01-01T00:00:00-00:00", links: [] };
}

/** Those of networks, subnets, ports, routers and floating IPs; an ApiPart brings its own. */
export const coreExtensions: readonly Extension[] = [
  extension("agent", "Agents", "Agents, their state and their administrative switch."),
  // A client looks for it by this name.
  extension("availability_zone", "Availability Zone", "Zones of agents, by what they serve."),
  extension("availability_zone_filter", "Filtering of availability zones", "By name, resource and state."),
  extension("binding", "Port binding", "The host that a port is plugged on."),
  extension("data-plane-status", "Data plane of ports", "What somebody outside says of the wires below a port."),
  extension("dhcp_agent_scheduler", "DHCP agent scheduler", "Which agents host which networks."),
  extension("dns-integration", "DNS integration", "Names of ports, answered inside their network."),
  extension("ecmp_routes", "Routes of several next hops", "Several extra routes to one destination share its traffic."),
  extension("empty-string-filtering", "Filtering by the empty text", "An empty filter value matches empty values."),
  extension("external-net", "External networks", "The mark of networks that lead out."),
  extension("ext-gw-mode", "Gateway mode", "Whether a router's way out translates addresses."),
  extension("extra_dhcp_opt", "Extra DHCP options", "DHCP options of single ports."),
  extension("extraroute", "Extra routes", "Further routes of a router."),
  extension("extraroute-atomic", "Extra routes, one by one", "Routes are added and removed without the others."),
  extension("filter-validation", "Filter validation", "Unknown filters are refused."),
  extension("fip-port-details", "Ports of floating IPs", "What a floating IP leads to."),
  extension("floating-ip-port-forwarding", "Port forwarding", "Single ports of a floating IP that lead inside."),
  extension("floating-ip-port-forwarding-description", "Descriptions of port forwardings", "Text for people."),
  extension("floating-ip-port-forwarding-detail", "Port forwardings by id", "A floating IP tells which ones it has."),
  extension("floating-ip-port-forwarding-port-ranges", "Port forwarding of ranges", "Several ports at once."),
  extension("expose-port-forwarding-in-fip", "Port forwardings of floating IPs", "In short, with each floating IP."),
  extension("ip-substring-filtering", "Filtering by part of an address", "fixed_ips=ip_address_substr=…"),
  extension("ip_allocation", "IP allocation", "When the addresses of a port were chosen."),
  extension("l3-port-ip-change-not-allowed", "Addresses of routers stay", "IPv4 addresses of router ports are not changed."),
  extension("l3-ha", "Highly available routers", "Routers that several agents host, one of which forwards."),
  extension("l3_agent_scheduler", "L3 agent scheduler", "Which agents host which routers."),
  extension("leases", "Leases", "What DHCP servers gave out; read only."),
  extension("net-mtu", "Network MTU", "The MTU of a network."),
  extension("net-mtu-writable", "Network MTU, writable", "The MTU of a network can be set."),
  extension("network_availability_zone", "Zones of networks", "Zones whose agents should serve a network."),
  extension("pagination", "Pagination", "Lists in pages."),
  extension("port-mac-address-regenerate", "New MAC addresses", "A null MAC address asks for a new one."),
  extension("project-id", "project_id", "project_id is the same as tenant_id."),
  extension("router-enable-snat", "Translation of routers", "enable_snat of a router can be seen and filtered by."),
  extension("revision-if-match", "Conditional changes", "If-Match: revision_number=N."),
  extension("router", "Routers", "Routers, their interfaces and gateways, and floating IPs."),
  extension("router_availability_zone", "Zones of routers", "Zones whose agents should serve a router."),
  extension("sort-key-validation", "Sort key validation", "Unknown sort keys are refused."),
  extension("sorting", "Sorting", "Lists in a chosen order."),
  extension("standard-attr-description", "Descriptions", "Text for people on every object."),
  extension("standard-attr-revisions", "Revisions", "A number that grows with every change."),
  extension("standard-attr-timestamp", "Timestamps", "When objects were made and changed."),
  extension("status-reason", "Reasons", "Why a router or floating IP is in ERROR."),
  extension("subnet-service-types", "Service types of subnets", "Subnets that are kept for some kinds of device."),
];
