// What a network's attributes must fulfil, and its row.
import { randomUUID } from "node:crypto";
import { ApiFault } from "../../types/api-faults.ts";
import { flag, type NetworkRow } from "../store/rows.ts";
import { changedCarrier, newCarrier } from "./network-carriers.ts";
import type { Attributes, RequestContext } from "./resource-service.ts";
import { has, listJson, number, projectOf, text } from "./service-deps.ts";

const physicalMtu = 1500;
// Outer IPv4 header, then UDP, VXLAN and the inner Ethernet header.
const overheads: Readonly<Record<string, number>> = { vxlan: 20 + 30 };

function effectiveMtu(asked: number | undefined, networkType: string | null): number {
  return asked ? asked : physicalMtu - (overheads[networkType ?? "local"] ?? 0);
}

/** An MTU that was the old carrier's own follows the carrier; one that somebody chose stays. */
function changedMtu(before: NetworkRow, changes: Attributes, networkType: string | null): number {
  if (has(changes, "mtu")) return effectiveMtu(number(changes["mtu"]), networkType);
  const isComputed = before.mtu === effectiveMtu(undefined, before.network_type);
  return isComputed ? effectiveMtu(undefined, networkType) : before.mtu;
}

const smallestMtu = { 4: 68, 6: 1280 } as const;

/** @param ipVersions of the network's subnets. */
export function checkMtu(networkId: string, mtu: number, ipVersions: readonly number[]): void {
  const smallest = ipVersions.includes(6) ? smallestMtu[6] : smallestMtu[4];
  if (ipVersions.length === 0 || mtu >= smallest) return;
  const message = `MTU ${mtu} of network ${networkId} is too small for its subnets, which need at least ${smallest}`;
  throw new ApiFault("NetworkMTUSubnetConflict", message);
}

export function newNetworkRow(context: RequestContext, body: Attributes, now: string): NetworkRow {
  const carrier = newCarrier(body);
  return {
    id: randomUUID(),
    project_id: projectOf(context, body),
    name: text(body["name"]) ?? "",
    description: text(body["description"]) ?? "",
    tags: "[]",
    revision_number: 1,
    created_at: now,
    updated_at: now,
    admin_state_up: flag(body["admin_state_up"] ?? true),
    status: "ACTIVE",
    shared: flag(body["shared"]),
    is_external: flag(body["router:external"]),
    mtu: effectiveMtu(number(body["mtu"]), carrier.network_type),
    port_security_enabled: flag(body["port_security_enabled"] ?? true),
    dns_domain: (text(body["dns_domain"]) ?? "").toLowerCase(),
    ...carrier,
    availability_zone_hints: listJson(body["availability_zone_hints"]),
  };
}

/** The row as the client wants it; same revision. */
export function changedNetworkRow(before: NetworkRow, changes: Attributes): NetworkRow {
  const flagOr = (attribute: string, old: 0 | 1): 0 | 1 => (has(changes, attribute) ? flag(changes[attribute]) : old);
  const carrier = changedCarrier(before, changes);
  return {
    ...before,
    name: text(changes["name"]) ?? before.name,
    description: text(changes["description"]) ?? before.description,
    admin_state_up: flagOr("admin_state_up", before.admin_state_up),
    shared: flagOr("shared", before.shared),
    is_external: flagOr("router:external", before.is_external),
    mtu: changedMtu(before, changes, carrier.network_type),
    port_security_enabled: flagOr("port_security_enabled", before.port_security_enabled),
    dns_domain: (text(changes["dns_domain"]) ?? before.dns_domain).toLowerCase(),
    ...carrier,
  };
}
