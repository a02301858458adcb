// What stands on a port: a router, a floating IP's address, or what floating IPs and forwardings lead to. The port API must
// not pull it away from under them.
import { deviceOwners } from "../../model/device-names.ts";
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";
import { lockRouterRows } from "../store/router-hosts.ts";
import { type FloatingIpRow, inChunks, type PortRow } from "../store/rows.ts";
import { lockFloatingIps, noAssociation, writeAssociation } from "./floating-ip-rows.ts";
import { removeForwardings } from "./port-forwarding-rows.ts";
import type { Attributes, RequestContext } from "./resource-service.ts";
import { has, type ServiceDeps, text } from "./service-deps.ts";

export interface PortUses {
  /** The router that it is a part of. */
  readonly routerId: string | undefined;
  /** The floating IP whose address it holds. */
  readonly floatingIpId: string | undefined;
  /** Floating IPs that lead to it, alone or with forwardings. */
  readonly leading: readonly FloatingIpRow[];
}

/** Locks routers and floating IPs, which comes before the lock of the port itself. */
export async function lockPortUses(trx: Trx, portId: string): Promise<PortUses> {
  const link = await trx.selectFrom("router_ports").select("router_id").where("port_id", "=", portId).executeTakeFirst();
  if (link !== undefined) await lockRouterRows(trx, [link.router_id]);
  const floating = await trx.selectFrom("floating_ips").select("id").where("floating_port_id", "=", portId).executeTakeFirst();
  const fixed = await trx.selectFrom("floating_ips").select("id").where("fixed_port_id", "=", portId).execute();
  const forwarded = await trx
    .selectFrom("port_forwardings")
    .select("floatingip_id as id")
    .where("internal_port_id", "=", portId)
    .execute();
  const ids = [...fixed, ...forwarded].map((row) => row.id);
  return { routerId: link?.router_id, floatingIpId: floating?.id, leading: await lockFloatingIps(trx, ids) };
}

const owners = new Set<string>([
  deviceOwners.routerInterface,
  deviceOwners.routerGateway,
  deviceOwners.floatingIp,
  "network:ha_router_replicated_interface",
]);

/** A port that a router or floating IP stands on goes with it; one that only looks like it stands for nothing. */
export function checkDeletable(row: PortRow, { routerId, floatingIpId }: PortUses): void {
  if (routerId === undefined && floatingIpId === undefined) return;
  const reason = owners.has(row.device_owner) ? `has device owner ${row.device_owner}` : "is part of a router";
  const message = `Port ${row.id} cannot be deleted directly via the port API: ${reason}, for ${routerId ?? floatingIpId}.`;
  throw new ApiFault("ServicePortInUse", message);
}

export function checkChangeable(row: PortRow, changes: Attributes, { routerId, floatingIpId }: PortUses): void {
  const isOther = (attribute: "device_id" | "device_owner"): boolean =>
    has(changes, attribute) && text(changes[attribute]) !== row[attribute];
  const isUsed = routerId !== undefined || floatingIpId !== undefined;
  const isTaken = isUsed && (isOther("device_id") || isOther("device_owner"));
  if (!isTaken && !(floatingIpId !== undefined && has(changes, "fixed_ips"))) return;
  throw new ApiFault(
    "PortInUse",
    `Unable to complete operation on port ${row.id} for network ${row.network_id}. Port already has an attached device ${row.device_id}.`,
  );
}

/** @param kept addresses that the port will still have */
export function checkAddressesUnused(portId: string, { leading }: PortUses, kept: ReadonlySet<string>): void {
  const floating = leading.find((row) => row.fixed_port_id === portId && !kept.has(row.fixed_ip_address ?? ""));
  if (floating === undefined) return;
  throw new ApiFault(
    "BadRequest",
    `IP address ${floating.fixed_ip_address} of port ${portId} cannot be removed: floating IP ${floating.floating_ip_address} (${floating.id}) leads to it.`,
  );
}

export async function checkForwardedAddresses(trx: Trx, portId: string, kept: ReadonlySet<string>): Promise<void> {
  const rows = await trx
    .selectFrom("port_forwardings")
    .select(["id", "internal_ip_address"])
    .where("internal_port_id", "=", portId)
    .execute();
  const lost = rows.find((row) => !kept.has(row.internal_ip_address));
  if (lost === undefined) return;
  throw new ApiFault(
    "BadRequest",
    `IP address ${lost.internal_ip_address} of port ${portId} cannot be removed: port forwarding ${lost.id} leads to it.`,
  );
}

/** Before the port is deleted: nothing leads to it any more. */
export async function releasePort(
  trx: Trx,
  deps: ServiceDeps,
  { context, portId, uses }: { readonly context: RequestContext; readonly portId: string; readonly uses: PortUses },
): Promise<void> {
  for (const row of uses.leading) {
    if (!context.isAdmin && row.project_id !== context.projectId) {
      const message = `Unable to complete the operation on port ${portId} because the port still has an associated floating IP.`;
      throw new ApiFault("FipAssociated", message);
    }
    if (row.fixed_port_id === portId) {
      await writeAssociation(trx, deps, { before: row, association: noAssociation });
      continue;
    }
    const forwardings = await trx
      .selectFrom("port_forwardings")
      .select("id")
      .where("floatingip_id", "=", row.id)
      .where("internal_port_id", "=", portId)
      .execute();
    await removeForwardings(trx, deps, { floating: row, ids: forwardings.map(({ id }) => id) });
  }
}

/** Nobody makes a port look like a part of somebody else's router. */
export async function checkDevicesOwned(trx: Trx, context: RequestContext, bodies: readonly Attributes[]): Promise<void> {
  const deviceIds = new Set(bodies.map((body) => text(body["device_id"]) ?? "").filter((id) => id !== ""));
  if (context.isAdmin || deviceIds.size === 0) return;
  const routers = await inChunks([...deviceIds], (piece) =>
    trx.selectFrom("routers").select("id").where("id", "in", piece).where("project_id", "!=", context.projectId).execute(),
  );
  const [foreign] = routers;
  if (foreign === undefined) return;
  throw new ApiFault(
    "DeviceIDNotOwnedByTenant",
    `The following device_id ${foreign.id} is not owned by your project or matches another project's router.`,
  );
}
