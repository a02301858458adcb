// What a network's attributes must fulfil, and its row.
import { randomUUID } from "node:crypto";
import { ApiFault } from "../../types/api-faults.ts";
import { flag, type NetworkRow } from "../store/rows.ts";
import type { Attributes, RequestContext } from "./resource-service.ts";
import { has, listJson, number, projectOf, text, textOrNull } from "./service-deps.ts";

const physicalMtu = 1500;
// Outer IPv4 header, then UDP, VXLAN and the inner Ethernet header.
const overheads: Readonly<Record<string, number>> = { vxlan: 20 + 30, geneve: 20 + 38 };

export function effectiveMtu(asked: number | undefined, networkType: string | null): number {
  return asked ? asked : physicalMtu - (overheads[networkType ?? "local"] ?? 0);
}

const smallestMtu = { 4: 68, 6: 1280 } as const;

/** @param ipVersions of the network's subnets. */
export function checkMtu(networkId: string, mtu: number, ipVersions: readonly number[]): void {
  const smallest = ipVersions.includes(6) ? smallestMtu[6] : smallestMtu[4];
  if (ipVersions.length === 0 || mtu >= smallest) return;
  const message = `MTU ${mtu} of network ${networkId} is too small for its subnets, which need at least ${smallest}`;
  throw new ApiFault("NetworkMTUSubnetConflict", message);
}

const segmentationLimits: Readonly<Record<string, number>> = { vlan: 4094, vxlan: 16777215, geneve: 16777215 };
const networkTypes = new Set(["local", "flat", ...Object.keys(segmentationLimits)]);

export function checkProvider(row: NetworkRow): void {
  const { network_type: type, segmentation_id: segment } = row;
  const refuse = (why: string): never => {
    throw new ApiFault("InvalidInput", why);
  };
  if (type === null) return;
  if (!networkTypes.has(type)) refuse(`provider:network_type '${type}' is not supported`);
  if ((type === "flat" || type === "vlan") && row.physical_network === null) {
    refuse(`provider:physical_network is required for network type ${type}`);
  }
  if (segment === null) return;
  const limit = segmentationLimits[type] ?? refuse(`provider:segmentation_id is not allowed for network type ${type}`);
  if (segment < 1 || segment > limit) refuse(`provider:segmentation_id ${segment} is not within 1 and ${limit}`);
}

export function newNetworkRow(context: RequestContext, body: Attributes, now: string): NetworkRow {
  const networkType = text(body["provider:network_type"]) ?? "local";
  const row: NetworkRow = {
    id: randomUUID(),
    project_id: projectOf(context, body),
    name: text(body["name"]) ?? "",
    description: text(body["description"]) ?? "",
    revision_number: 1,
    created_at: now,
    updated_at: now,
    admin_state_up: flag(body["admin_state_up"] ?? true),
    status: "ACTIVE",
    shared: flag(body["shared"]),
    is_external: flag(body["router:external"]),
    mtu: effectiveMtu(number(body["mtu"]), networkType),
    port_security_enabled: flag(body["port_security_enabled"] ?? true),
    dns_domain: (text(body["dns_domain"]) ?? "").toLowerCase(),
    network_type: networkType,
    physical_network: text(body["provider:physical_network"]) ?? null,
    segmentation_id: number(body["provider:segmentation_id"]) ?? null,
    availability_zone_hints: listJson(body["availability_zone_hints"]),
  };
  checkProvider(row);
  return row;
}

/** The row as the client wants it; same revision. */
export function changedNetworkRow(before: NetworkRow, changes: Attributes): NetworkRow {
  const flagOr = (attribute: string, old: 0 | 1): 0 | 1 => (has(changes, attribute) ? flag(changes[attribute]) : old);
  const networkType = textOrNull(changes["provider:network_type"]) ?? before.network_type;
  const physical = textOrNull(changes["provider:physical_network"]);
  const row: NetworkRow = {
    ...before,
    name: text(changes["name"]) ?? before.name,
    description: text(changes["description"]) ?? before.description,
    admin_state_up: flagOr("admin_state_up", before.admin_state_up),
    shared: flagOr("shared", before.shared),
    is_external: flagOr("router:external", before.is_external),
    mtu: has(changes, "mtu") ? effectiveMtu(number(changes["mtu"]), networkType) : before.mtu,
    port_security_enabled: flagOr("port_security_enabled", before.port_security_enabled),
    dns_domain: (text(changes["dns_domain"]) ?? before.dns_domain).toLowerCase(),
    network_type: networkType,
    physical_network: physical === undefined ? before.physical_network : physical,
    segmentation_id: has(changes, "provider:segmentation_id")
      ? (number(changes["provider:segmentation_id"]) ?? null)
      : before.segmentation_id,
  };
  checkProvider(row);
  return row;
}
