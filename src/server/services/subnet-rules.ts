// A subnet's row from what a client sends: the rules that need nothing but the subnet itself.
import { addressKey, canonicalAddress, type Cidr, formatCidr, parseAddress, parseCidr } from "../../model/addresses.ts";
import type { HostRoute, Ipv6Mode } from "../../model/network.ts";
import { ApiFault } from "../../types/api-faults.ts";
import { storedCidr } from "../ipam/address-slots.ts";
import {
  type AllocationPool,
  checkDhcpCidr,
  checkedCidr,
  checkedPools,
  checkGatewayOutsidePools,
  checkIpv6Modes,
  chooseGateway,
  defaultPools,
  poolRange,
} from "../ipam/subnet-rules.ts";
import { flag, type SubnetRow } from "../store/rows.ts";
import type { Attributes, RequestContext } from "./resource-service.ts";
import { has, listJson, text, textOrNull } from "./service-deps.ts";
import { changedFlag, newNamedRow, renamed } from "./standard-rows.ts";

const maxNameservers = 5;
const maxHostRoutes = 20;

export function newSubnetRow(context: RequestContext, body: Attributes, now: string): SubnetRow {
  const cidr = askedCidr(body);
  const enableDhcp = body["enable_dhcp"] !== false;
  const raMode = mode(body["ipv6_ra_mode"]);
  const addressMode = mode(body["ipv6_address_mode"]);
  checkIpv6Modes(cidr, { raMode, addressMode }, enableDhcp);
  if (enableDhcp) checkDhcpCidr(cidr);
  const gatewayIp = chooseGateway(cidr, textOrNull(body["gateway_ip"]));
  const pools = choosePools(cidr, body["allocation_pools"], gatewayIp);
  return {
    ...newNamedRow(context, body, now),
    network_id: text(body["network_id"]) ?? "",
    subnetpool_id: text(body["subnetpool_id"]) ?? null,
    ip_version: cidr.version,
    cidr: formatCidr(cidr),
    first_key: addressKey({ version: cidr.version, value: cidr.first }),
    last_key: addressKey({ version: cidr.version, value: cidr.last }),
    gateway_ip: gatewayIp,
    enable_dhcp: flag(enableDhcp),
    ipv6_ra_mode: raMode,
    ipv6_address_mode: addressMode,
    allocation_pools: JSON.stringify(pools),
    dns_nameservers: JSON.stringify(checkedNameservers(cidr, body["dns_nameservers"])),
    host_routes: JSON.stringify(checkedRoutes(cidr, body["host_routes"])),
    service_types: listJson(body["service_types"]),
    dns_publish_fixed_ip: flag(body["dns_publish_fixed_ip"]),
    segment_id: text(body["segment_id"]) ?? null,
    next_key: addressKey({ version: cidr.version, value: firstOf(pools) ?? cidr.first }),
  };
}

/** The row as the client wants it; same revision. */
export function changedSubnetRow(before: SubnetRow, changes: Attributes): SubnetRow {
  const cidr = storedCidr(before);
  const enableDhcp = has(changes, "enable_dhcp") ? changes["enable_dhcp"] === true : before.enable_dhcp === 1;
  checkIpv6Modes(cidr, { raMode: mode(before.ipv6_ra_mode), addressMode: mode(before.ipv6_address_mode) }, enableDhcp);
  if (enableDhcp && before.enable_dhcp === 0) checkDhcpCidr(cidr);
  const gatewayIp = has(changes, "gateway_ip") ? chooseGateway(cidr, textOrNull(changes["gateway_ip"])) : before.gateway_ip;
  const asked = has(changes, "allocation_pools") ? changes["allocation_pools"] : JSON.parse(before.allocation_pools);
  const pools = choosePools(cidr, asked, gatewayIp);
  return {
    ...renamed(before, changes),
    gateway_ip: gatewayIp,
    enable_dhcp: flag(enableDhcp),
    allocation_pools: JSON.stringify(pools),
    dns_nameservers: has(changes, "dns_nameservers")
      ? JSON.stringify(checkedNameservers(cidr, changes["dns_nameservers"]))
      : before.dns_nameservers,
    host_routes: has(changes, "host_routes") ? JSON.stringify(checkedRoutes(cidr, changes["host_routes"])) : before.host_routes,
    service_types: has(changes, "service_types") ? listJson(changes["service_types"]) : before.service_types,
    dns_publish_fixed_ip: changedFlag(changes, "dns_publish_fixed_ip", before.dns_publish_fixed_ip),
    segment_id: has(changes, "segment_id") ? (textOrNull(changes["segment_id"]) ?? null) : before.segment_id,
  };
}

function askedCidr(body: Attributes): Cidr {
  const cidr = text(body["cidr"]);
  if (cidr === undefined) throw new ApiFault("BadRequest", "a subnet needs a cidr");
  return checkedCidr(cidr, body["ip_version"] === 6 ? 6 : 4);
}

/** The cast: the route has checked that it is one of the three. */
const mode = (value: unknown): Ipv6Mode | null => (text(value) ?? null) as Ipv6Mode | null;

function choosePools(cidr: Cidr, asked: unknown, gatewayIp: string | null): readonly AllocationPool[] {
  if (asked === undefined || asked === null) return defaultPools(cidr, gatewayIp);
  // The cast: the route has checked the shape.
  const pools = checkedPools(cidr, asked as readonly AllocationPool[]);
  // The pool of a one-address block is its own gateway.
  if (cidr.first !== cidr.last) checkGatewayOutsidePools(gatewayIp, pools);
  return pools;
}

function firstOf(pools: readonly AllocationPool[]): bigint | undefined {
  const [pool] = pools;
  return pool && poolRange(pool).first;
}

function checkedNameservers(cidr: Cidr, value: unknown): readonly string[] {
  // The cast, here and for routes: the route has checked the shape.
  const servers = (value ?? []) as readonly string[];
  if (servers.length > maxNameservers) {
    throw new ApiFault(
      "DNSNameServersExhausted",
      `Unable to complete operation. The number of DNS nameservers exceeds the limit ${maxNameservers}.`,
    );
  }
  return servers.map((server) => familyAddress(cidr, server, "dns_nameservers"));
}

function checkedRoutes(cidr: Cidr, value: unknown): readonly HostRoute[] {
  const routes = (value ?? []) as readonly HostRoute[];
  if (routes.length > maxHostRoutes) {
    throw new ApiFault(
      "HostRoutesExhausted",
      `Unable to complete operation. The number of host routes exceeds the limit ${maxHostRoutes}.`,
    );
  }
  return routes.map(({ destination, nexthop }) => {
    const block = parseCidr(destination);
    if (block === undefined || block.version !== cidr.version) {
      throw new ApiFault("InvalidInput", `'${destination}' in host_routes is not an IPv${cidr.version} network`);
    }
    return { destination: formatCidr(block), nexthop: familyAddress(cidr, nexthop, "host_routes") };
  });
}

function familyAddress(cidr: Cidr, address: string, attribute: string): string {
  const canonical = canonicalAddress(address);
  if (canonical === undefined || parseAddress(canonical)?.version !== cidr.version) {
    throw new ApiFault("InvalidInput", `'${address}' in ${attribute} is not an IPv${cidr.version} address`);
  }
  return canonical;
}
