// Use cases of port forwardings: a collection inside each floating IP, all of it under the floating IP's lock.
import { randomUUID } from "node:crypto";
import { ApiFault } from "../../types/api-faults.ts";
import { portForwardingResource } from "../../types/resources/port-forwardings.ts";
import type { Trx } from "../store/database.ts";
import { translated } from "../store/engine-errors.ts";
import { portForwardingItem } from "../store/floating-ip-items.ts";
import { recordFloatingIps } from "../store/router-hosts.ts";
import type { FloatingIpRow, PortForwardingRow } from "../store/rows.ts";
import { presentForwarding } from "./floating-ip-present.ts";
import { findFloatingIp, lockFloatingIp, writeAssociation } from "./floating-ip-rows.ts";
import { findTargetRouter, lockTarget, type Target } from "./floating-ip-targets.ts";
import { listInMemory } from "./list-in-memory.ts";
import { bumpFloatingIp, removeForwardings } from "./port-forwarding-rows.ts";
import { checkDistinct, forwardedPorts } from "./port-forwarding-rules.ts";
import { takeQuota } from "./quota-guard.ts";
import type { Attributes, ListQuery, RequestContext, ResourceService } from "./resource-service.ts";
import { audienceOf } from "./router-rows.ts";
import { has, notFound, type ServiceDeps, text } from "./service-deps.ts";

export function createPortForwardingService(deps: ServiceDeps, floatingIpId: string): ResourceService {
  return new PortForwardings(deps, floatingIpId);
}

class PortForwardings implements ResourceService {
  readonly #deps: ServiceDeps;
  readonly #floatingIpId: string;

  constructor(deps: ServiceDeps, floatingIpId: string) {
    this.#deps = deps;
    this.#floatingIpId = floatingIpId;
  }

  async list(context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    const { db } = this.#deps.store;
    const floating = await translated(findFloatingIp(db, context, this.#floatingIpId));
    const rows = await translated(
      db.selectFrom("port_forwardings").selectAll().where("floatingip_id", "=", floating.id).execute(),
    );
    return listInMemory(rows.map(presentForwarding), query, portForwardingResource);
  }

  async show(context: RequestContext, id: string): Promise<Attributes> {
    const all = await this.list(context, { filters: [], sorts: [], pageReverse: false });
    const found = all.find((item) => item["id"] === id);
    if (found === undefined) throw notFound("port_forwarding", id);
    return found;
  }

  async create(context: RequestContext, bodies: readonly Attributes[]): Promise<readonly Attributes[]> {
    return this.#deps.store.transaction(async (trx) => {
      let floating = await this.#lock(trx, context, bodies);
      const projectIds = bodies.map(() => floating.project_id);
      await takeQuota(trx, this.#deps, { resource: "port_forwarding", projectIds });
      const rows: PortForwardingRow[] = [];
      for (const body of bodies) {
        const row = newRow(floating.id, body);
        const target = await this.#checkTarget(trx, { context, floating, row });
        // The first one makes the router serve the address.
        floating = await this.#serve(trx, floating, target.routerId);
        await trx.insertInto("port_forwardings").values(row).execute();
        await this.#tell(trx, row, floating);
        rows.push(row);
      }
      if (floating.router_id !== null) await this.#deps.events.scheduleRouter?.(trx, floating.router_id);
      return rows.map(presentForwarding);
    });
  }

  async update(context: RequestContext, id: string, changes: Attributes): Promise<Attributes> {
    return this.#deps.store.transaction(async (trx) => {
      const floating = await this.#lock(trx, context, [changes]);
      const before = await this.#find(trx, id);
      const wanted = changedRow(before, changes);
      if (JSON.stringify(wanted) === JSON.stringify(before)) return presentForwarding(before);
      const row = { ...wanted, revision_number: before.revision_number + 1 };
      await this.#checkTarget(trx, { context, floating, row });
      await trx.updateTable("port_forwardings").set(row).where("id", "=", id).execute();
      await this.#tell(trx, row, await bumpFloatingIp(trx, this.#deps, floating));
      return presentForwarding(row);
    });
  }

  async remove(context: RequestContext, id: string): Promise<void> {
    await this.#deps.store.transaction(async (trx) => {
      const floating = await lockFloatingIp(trx, { context, id: this.#floatingIpId });
      await this.#find(trx, id);
      await removeForwardings(trx, this.#deps, { floating, ids: [id] });
    });
  }

  /** With the routers of all targets that are named. */
  async #lock(trx: Trx, context: RequestContext, wishes: readonly Attributes[]): Promise<FloatingIpRow> {
    const id = this.#floatingIpId;
    const row = await trx.selectFrom("floating_ips").select("floating_network_id").where("id", "=", id).executeTakeFirst();
    const targets: string[] = [];
    for (const wish of row === undefined ? [] : wishes) {
      const portId = text(wish["internal_port_id"]) ?? "";
      const place = { networkId: row?.floating_network_id ?? "", portId, fixedIp: text(wish["internal_ip_address"]) };
      const router = portId === "" ? undefined : await findTargetRouter(trx, place);
      if (router !== undefined) targets.push(router);
    }
    return lockFloatingIp(trx, { context, id, targets });
  }

  async #find(trx: Trx, id: string): Promise<PortForwardingRow> {
    const row = await trx
      .selectFrom("port_forwardings")
      .selectAll()
      .where("id", "=", id)
      .where("floatingip_id", "=", this.#floatingIpId)
      .executeTakeFirst();
    if (row === undefined) throw notFound("port_forwarding", id);
    return row;
  }

  async #serve(trx: Trx, before: FloatingIpRow, routerId: string): Promise<FloatingIpRow> {
    if (before.router_id === routerId) return bumpFloatingIp(trx, this.#deps, before);
    const association = { fixed_port_id: null, fixed_ip_address: null, router_id: routerId };
    return writeAssociation(trx, this.#deps, { before, association });
  }

  async #tell(trx: Trx, row: PortForwardingRow, floating: FloatingIpRow): Promise<void> {
    await recordFloatingIps(trx, portForwardingItem(row, floating), audienceOf(this.#deps));
  }

  async #checkTarget(
    trx: Trx,
    wish: { readonly context: RequestContext; readonly floating: FloatingIpRow; readonly row: PortForwardingRow },
  ): Promise<Target> {
    const { context, floating, row } = wish;
    if (floating.fixed_port_id !== null) throw alreadyAssociated(floating);
    const { internal_port_id: portId, internal_ip_address: fixedIp } = row;
    const target = await lockTarget(trx, this.#deps, { context, floating, portId, fixedIp });
    if (floating.router_id !== null && floating.router_id !== target.routerId) {
      throw new ApiFault(
        "BadRequest",
        `Port forwardings of floating IP ${floating.id} go through router ${floating.router_id}, but port ${portId} is reached through router ${target.routerId}.`,
      );
    }
    await checkNoFloatingIp(trx, floating, target);
    const others = await trx
      .selectFrom("port_forwardings")
      .selectAll()
      .where((eb) => eb.or([eb("floatingip_id", "=", floating.id), eb("internal_port_id", "=", portId)]))
      .execute();
    checkDistinct(row, others);
    return target;
  }
}

function alreadyAssociated(floating: FloatingIpRow): ApiFault {
  const { id, floating_ip_address, fixed_port_id, fixed_ip_address, floating_network_id } = floating;
  return new ApiFault(
    "FloatingIPPortAlreadyAssociated",
    `Floating IP ${floating_ip_address} (${id}) on external network ${floating_network_id} cannot have port forwardings: it is associated with port ${fixed_port_id} using fixed IP ${fixed_ip_address}.`,
  );
}

async function checkNoFloatingIp(trx: Trx, floating: FloatingIpRow, { port, address }: Target): Promise<void> {
  const other = await trx
    .selectFrom("floating_ips")
    .select("id")
    .where("fixed_port_id", "=", port.id)
    .where("fixed_ip_address", "=", address.ip_address)
    .where("floating_network_id", "=", floating.floating_network_id)
    .executeTakeFirst();
  if (other === undefined) return;
  throw new ApiFault(
    "PortHasBindingFloatingIP",
    `Cannot create port forwarding to floating IP ${floating.floating_ip_address} (${floating.id}) with port ${port.id} using fixed IP ${address.ip_address}, as that port already has a binding floating IP.`,
  );
}

function newRow(floatingIpId: string, body: Attributes): PortForwardingRow {
  const protocol = text(body["protocol"]) ?? "";
  return {
    id: randomUUID(),
    floatingip_id: floatingIpId,
    description: text(body["description"]) ?? "",
    revision_number: 1,
    protocol,
    internal_port_id: text(body["internal_port_id"]) ?? "",
    internal_ip_address: text(body["internal_ip_address"]) ?? "",
    ...forwardedPorts(body, protocol),
  };
}

/** Same revision. */
function changedRow(before: PortForwardingRow, changes: Attributes): PortForwardingRow {
  const protocol = text(changes["protocol"]) ?? before.protocol;
  const isMute = !["protocol", "external_port", "external_port_range", "internal_port", "internal_port_range"].some((name) =>
    has(changes, name),
  );
  return {
    ...before,
    description: text(changes["description"]) ?? before.description,
    protocol,
    internal_port_id: text(changes["internal_port_id"]) ?? before.internal_port_id,
    internal_ip_address: text(changes["internal_ip_address"]) ?? before.internal_ip_address,
    ...(isMute ? {} : forwardedPorts(changes, protocol, before)),
  };
}
