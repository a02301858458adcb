// Changing one port.
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";
import { readSegments } from "../store/network-segments.ts";
import type { NetworkRow, PortRow } from "../store/rows.ts";
import { agentSeesChange, portItem, portModel } from "../store/stream-items.ts";
import { checkNameLength } from "./dns-lengths.ts";
import { changedAddresses, changedAllocation, replaceAddresses } from "./port-address-change.ts";
import { changedBinding, forgetBinding, startsAnew } from "./port-binding.ts";
import { chooseMacs } from "./port-macs.ts";
import { changedGroups, readPortGroups, replacePortGroups } from "./port-security-groups.ts";
import { lockPorts, type PortWithAddresses } from "./port-rows.ts";
import { addressPairsJson, askedMac, checkMemberRights, checkPairsAllowed, dhcpOptionsJson } from "./port-rules.ts";
import { changedPolicy } from "./qos-policy-rows.ts";
import type { Attributes, RequestContext } from "./resource-service.ts";
import { checkRevision, forbidden, has, notFound, type ServiceDeps, text, timestamp } from "./service-deps.ts";
import { changedFlag } from "./standard-rows.ts";
import { isGuestOn, lockNetwork, managesPorts, ownsNetwork } from "./visibility.ts";

export interface LockedPort extends PortWithAddresses {
  readonly network: NetworkRow;
  /** Ids, sorted. */
  readonly securityGroups: readonly string[];
}

/** Network first, as everywhere. Throws PortNotFound for what the caller does not see. */
export async function lockPort(
  trx: Trx,
  deps: ServiceDeps,
  { context, id, expectedRevision }: { context: RequestContext; id: string; expectedRevision: number | undefined },
): Promise<LockedPort> {
  const found = await trx.selectFrom("ports").select("network_id").where("id", "=", id).executeTakeFirst();
  if (found === undefined) throw notFound("port", id);
  const admin = { ...context, isAdmin: true };
  const network = await lockNetwork(trx, deps.store, { context: admin, id: found.network_id, lock: "member" });
  const [port] = await lockPorts(trx, deps.store.dialect, [id]);
  const mayChange = managesPorts(context) || port?.row.project_id === context.projectId || ownsNetwork(context, network);
  if (port === undefined || !mayChange) throw notFound("port", id);
  checkRevision("port", id, port.row.revision_number, expectedRevision);
  const groups = await readPortGroups(trx, [id]);
  return { ...port, network, securityGroups: groups.get(id) ?? [] };
}

export interface PortChange {
  readonly context: RequestContext;
  readonly id: string;
  readonly changes: Attributes;
  readonly expectedRevision?: number | undefined;
}

export async function changePort(trx: Trx, deps: ServiceDeps, change: PortChange): Promise<LockedPort> {
  const { context, id, changes, expectedRevision } = change;
  const before = await lockPort(trx, deps, { context, id, expectedRevision });
  const isGuest = await isGuestOn(trx, context, before.network);
  checkMemberRights(context, before.network, { action: "update", body: changes, isGuest });
  const mac = await changedMac(trx, context, { before, changes });
  const binding = await changedBinding(trx, before.row, changes);
  const wanted = {
    ...changedPortRow(before.row, changes, { mac, binding }),
    qos_policy_id: await changedPolicy(trx, context, { before: before.row.qos_policy_id, changes }),
  };
  if (wanted.dns_name !== before.row.dns_name) {
    checkNameLength(wanted.dns_name, before.network.dns_domain || (deps.defaultDnsDomain ?? ""));
  }
  const fixedIps = await changedAddresses(trx, deps.store.dialect, { before, wanted, changes });
  const securityGroups = await changedGroups(trx, context, { held: before.securityGroups, after: wanted, changes });
  const isSame = JSON.stringify([wanted, fixedIps]) === JSON.stringify([before.row, before.fixedIps]);
  if (isSame && securityGroups === before.securityGroups) return before;
  const isAnew = startsAnew(before.row, wanted);
  const row = nextRow(wanted, { isAnew, updatedAt: timestamp(deps) });
  await trx.updateTable("ports").set(row).where("id", "=", id).execute();
  if (fixedIps !== before.fixedIps) await replaceAddresses(trx, before, fixedIps);
  if (row.binding_host_id !== before.row.binding_host_id) await forgetBinding(trx, id, row.binding_host_id);
  if (securityGroups !== before.securityGroups) await replacePortGroups(trx, id, securityGroups);
  // Without a new revision before its eyes no agent would report a port anew.
  if (isAnew || agentSeesChange(portModel(before.row, before.fixedIps), portModel(row, fixedIps))) {
    await deps.events.recordItems(trx, row.network_id, [portItem(row, fixedIps)]);
  }
  return { row, fixedIps, network: before.network, securityGroups };
}

function nextRow(wanted: PortRow, { isAnew, updatedAt }: { isAnew: boolean; updatedAt: string }): PortRow {
  const row = { ...wanted, revision_number: wanted.revision_number + 1, updated_at: updatedAt };
  if (!isAnew) return row;
  return { ...row, status: row.status === "N/A" ? "N/A" : "DOWN", ready_from_revision: row.revision_number };
}

async function isOverlay(trx: Trx, networkId: string): Promise<boolean> {
  const segments = (await readSegments(trx, [networkId])).get(networkId) ?? [];
  return segments.some((segment) => segment.network_type === "vxlan");
}

async function changedMac(
  trx: Trx,
  context: RequestContext,
  { before, changes }: { before: LockedPort; changes: Attributes },
): Promise<string> {
  const { row, network } = before;
  const asked = askedMac(changes);
  if (!has(changes, "mac_address") || asked === row.mac_address) return row.mac_address;
  if (!managesPorts(context)) throw forbidden(`changing mac_address of port ${row.id}`);
  if (row.device_owner.startsWith("network:")) {
    const message = `The mac_address of port ${row.id} cannot be changed while its device_owner is ${row.device_owner}.`;
    throw new ApiFault("UnsupportedPortDeviceOwner", message);
  }
  if (row.status === "ACTIVE" && row.binding_vif_type !== "unbound" && (await isOverlay(trx, network.id))) {
    throw new ApiFault(
      "BadRequest",
      `The mac_address of port ${row.id} cannot be changed while it is active on an overlay network.`,
    );
  }
  const [mac = row.mac_address] = await chooseMacs(trx, row.network_id, [asked]);
  return mac;
}

/** The row as the client wants it; same revision. */
function changedPortRow(
  before: PortRow,
  changes: Attributes,
  { mac, binding }: { mac: string; binding: Awaited<ReturnType<typeof changedBinding>> },
): PortRow {
  const textOr = (attribute: string, old: string): string => text(changes[attribute]) ?? old;
  const row: PortRow = {
    ...before,
    name: textOr("name", before.name),
    description: textOr("description", before.description),
    admin_state_up: changedFlag(changes, "admin_state_up", before.admin_state_up),
    mac_address: mac,
    device_id: textOr("device_id", before.device_id),
    device_owner: textOr("device_owner", before.device_owner),
    ...binding,
    port_security_enabled: changedFlag(changes, "port_security_enabled", before.port_security_enabled),
    allowed_address_pairs: has(changes, "allowed_address_pairs")
      ? addressPairsJson(changes["allowed_address_pairs"], mac)
      : before.allowed_address_pairs,
    extra_dhcp_opts: dhcpOptionsJson(changes["extra_dhcp_opts"], before.extra_dhcp_opts),
    dns_name: textOr("dns_name", before.dns_name).toLowerCase(),
    dns_domain: textOr("dns_domain", before.dns_domain),
    data_plane_status: has(changes, "data_plane_status")
      ? (text(changes["data_plane_status"]) ?? null)
      : before.data_plane_status,
    ip_allocation: changedAllocation(before, { changes, host: binding.binding_host_id }),
  };
  checkPairsAllowed(row);
  return row;
}
