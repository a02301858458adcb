// Use cases of floating IPs.
import { randomUUID } from "node:crypto";
import { deviceOwners } from "../../model/device-names.ts";
import { ApiFault } from "../../types/api-faults.ts";
import { floatingIpResource } from "../../types/resources/floating-ips.ts";
import type { Trx } from "../store/database.ts";
import { always, type ListedTable } from "../store/list-rows.ts";
import { lockRouterRows } from "../store/router-hosts.ts";
import type { FloatingIpRow, NetworkRow } from "../store/rows.ts";
import { presentFloatingIps } from "./floating-ip-present.ts";
import { lockFloatingIp, noAssociation, tellFloatingIp, visibleFloatingIps, writeAssociation } from "./floating-ip-rows.ts";
import { associationWith, lockTarget, type Target } from "./floating-ip-targets.ts";
import { askedAddress, newFloatingIpRow, routersToBe } from "./floating-ip-wishes.ts";
import { checkSubnetsBelong, readSubnets } from "./port-addresses.ts";
import { countForwardings, removeForwardings } from "./port-forwarding-rows.ts";
import { createPortInTransaction, removePortInTransaction } from "./port-service.ts";
import { takeQuota } from "./quota-guard.ts";
import { askedPolicy, changedPolicy, checkPoliciesUsable } from "./qos-policy-rows.ts";
import type { Attributes, ListQuery, RequestContext, ResourceService } from "./resource-service.ts";
import { has, projectOf, type ServiceDeps, text, timestamp } from "./service-deps.ts";
import { StandardReader } from "./standard-service.ts";
import { lockNetwork } from "./visibility.ts";

const listed: ListedTable = {
  table: "floating_ips",
  columns: {
    id: "id",
    description: "description",
    project_id: "project_id",
    floating_network_id: "floating_network_id",
    floating_ip_address: "floating_ip_address",
    port_id: "fixed_port_id",
    fixed_ip_address: "fixed_ip_address",
    router_id: "router_id",
    status: "status",
    revision_number: "revision_number",
    created_at: "created_at",
    updated_at: "updated_at",
  },
  filters: { distributed: always(false) },
};

export function createFloatingIpService(deps: ServiceDeps): ResourceService {
  return new FloatingIps(deps);
}

class FloatingIps implements ResourceService {
  readonly #deps: ServiceDeps;
  readonly #reader: StandardReader<FloatingIpRow>;

  constructor(deps: ServiceDeps) {
    this.#deps = deps;
    const spec = { resource: floatingIpResource, listed, visible: visibleFloatingIps, present: presentFloatingIps };
    this.#reader = new StandardReader(deps.store, spec);
  }

  async list(context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    return this.#reader.list(context, query);
  }

  async show(context: RequestContext, id: string): Promise<Attributes> {
    return this.#reader.show(context, id);
  }

  async create(context: RequestContext, bodies: readonly Attributes[]): Promise<readonly Attributes[]> {
    return this.#deps.store.transaction(async (trx) => {
      const projectIds = bodies.map((body) => projectOf(context, body));
      await takeQuota(trx, this.#deps, { resource: "floatingip", projectIds });
      const rows: FloatingIpRow[] = [];
      await checkPoliciesUsable(trx, context, bodies.map(askedPolicy));
      for (const body of bodies) rows.push(await this.#createOne(trx, context, body));
      return presentFloatingIps(trx, rows);
    });
  }

  async update(context: RequestContext, id: string, changes: Attributes, expectedRevision?: number): Promise<Attributes> {
    return this.#deps.store.transaction(async (trx) => {
      const targets = await this.#targetRouters(trx, id, changes);
      const before = await lockFloatingIp(trx, { context, id, expectedRevision, targets });
      const moved = await this.#associate(trx, { context, before, changes });
      const row = {
        ...moved,
        description: text(changes["description"]) ?? before.description,
        qos_policy_id: await changedPolicy(trx, context, { before: before.qos_policy_id, changes }),
      };
      if (row.description !== before.description || row.qos_policy_id !== before.qos_policy_id) {
        // An association has a new revision already.
        if (moved === before) row.revision_number += 1;
        row.updated_at = timestamp(this.#deps);
        await trx.updateTable("floating_ips").set(row).where("id", "=", id).execute();
      }
      if (moved !== before && row.router_id !== null) await this.#deps.events.scheduleRouter?.(trx, row.router_id);
      const [answer = {}] = await presentFloatingIps(trx, [row]);
      return answer;
    });
  }

  async remove(context: RequestContext, id: string, expectedRevision?: number): Promise<void> {
    await this.#deps.store.transaction(async (trx) => {
      const row = await lockFloatingIp(trx, { context, id, expectedRevision });
      await removeFloatingIp(trx, this.#deps, row);
    });
  }

  async #targetRouters(trx: Trx, id: string, changes: Attributes): Promise<readonly string[]> {
    const row = await trx.selectFrom("floating_ips").select("floating_network_id").where("id", "=", id).executeTakeFirst();
    return row === undefined ? [] : routersToBe(trx, row.floating_network_id, changes);
  }

  async #createOne(trx: Trx, context: RequestContext, body: Attributes): Promise<FloatingIpRow> {
    const networkId = text(body["floating_network_id"]) ?? "";
    await lockRouterRows(trx, await routersToBe(trx, networkId, body));
    const network = await lockNetwork(trx, this.#deps.store, { context, id: networkId, lock: "member" });
    if (network.is_external !== 1) throw new ApiFault("BadRequest", `Network ${networkId} is not a valid external network`);
    const id = randomUUID();
    const row = { ...newFloatingIpRow(context, body, timestamp(this.#deps)), id };
    const target = await this.#wantedTarget(trx, { context, floating: row, changes: body });
    const port = await this.#createPort(trx, { id, network, body });
    const [address] = port.fixedIps;
    if (address === undefined) throw new RangeError("a floating IP's port has no address");
    const complete = { ...row, floating_port_id: port.id, floating_ip_address: address.ipAddress, ...associated(target) };
    await trx.insertInto("floating_ips").values(complete).execute();
    await tellFloatingIp(trx, this.#deps, { before: undefined, after: complete });
    if (complete.router_id !== null) await this.#deps.events.scheduleRouter?.(trx, complete.router_id);
    return complete;
  }

  async #createPort(
    trx: Trx,
    { id, network, body }: { readonly id: string; readonly network: NetworkRow; readonly body: Attributes },
  ): ReturnType<typeof createPortInTransaction> {
    const subnets = (await readSubnets(trx, [network.id])).get(network.id) ?? [];
    if (!subnets.some((subnet) => subnet.ip_version === 4)) {
      throw new ApiFault("BadRequest", `Network ${network.id} does not contain any IPv4 subnet`);
    }
    const fixedIps = askedAddress(body);
    await checkSubnetsBelong(trx, network.id, { subnets, fixedIps });
    if (subnets.find((subnet) => subnet.id === fixedIps?.[0]?.subnet_id)?.ip_version === 6) {
      throw new ApiFault("BadRequest", `Subnet ${fixedIps?.[0]?.subnet_id} is not an IPv4 subnet`);
    }
    if (fixedIps === undefined && new Set(subnets.map((subnet) => subnet.segment_id)).size > 1) {
      const why = "its subnets belong to several segments, so that one must be chosen with subnet_id";
      throw new ApiFault(
        "ExternalIpAddressExhausted",
        `Unable to find any IP address on external network ${network.id}: ${why}.`,
      );
    }
    return createPortInTransaction(trx, this.#deps, {
      network_id: network.id,
      device_owner: deviceOwners.floatingIp,
      device_id: id,
      project_id: "",
      ...(fixedIps === undefined ? {} : { fixed_ips: fixedIps }),
    });
  }

  /** The row after the change, which is the same one when nothing is asked for. */
  async #associate(
    trx: Trx,
    {
      context,
      before,
      changes,
    }: { readonly context: RequestContext; readonly before: FloatingIpRow; readonly changes: Attributes },
  ): Promise<FloatingIpRow> {
    // Without a port nothing moves; an address without one is refused below.
    if (!has(changes, "port_id") && (changes["fixed_ip_address"] ?? null) === null) return before;
    const target = await this.#wantedTarget(trx, { context, floating: before, changes });
    if (target === undefined && before.fixed_port_id === null) return before;
    if (target !== undefined && (await countForwardings(trx, before.id)) > 0) {
      throw new ApiFault("FipInUseByPortForwarding", `Floating IP ${before.id} in use by Port Forwarding resources.`);
    }
    const association = target === undefined ? noAssociation : associationWith(target);
    return writeAssociation(trx, this.#deps, { before, association });
  }

  async #wantedTarget(
    trx: Trx,
    wish: { readonly context: RequestContext; readonly floating: FloatingIpRow; readonly changes: Attributes },
  ): Promise<Target | undefined> {
    const { context, floating, changes } = wish;
    const portId = text(changes["port_id"]);
    const fixedIp = text(changes["fixed_ip_address"]);
    if (portId === undefined) {
      if (fixedIp === undefined) return undefined;
      throw new ApiFault("BadRequest", "fixed_ip_address cannot be specified without a port_id");
    }
    // The port that it leads to already, once more, means the address that it leads to.
    const kept = portId === floating.fixed_port_id ? (floating.fixed_ip_address ?? undefined) : undefined;
    const target = await lockTarget(trx, this.#deps, { context, floating, portId, fixedIp: fixedIp ?? kept });
    await checkNotTaken(trx, floating, target);
    return target;
  }
}

const associated = (target: Target | undefined): Partial<FloatingIpRow> =>
  target === undefined ? {} : { ...associationWith(target), last_known_router_id: target.routerId };

/** The unique index decides races. */
async function checkNotTaken(trx: Trx, floating: FloatingIpRow, { port, address }: Target): Promise<void> {
  // A new one gets its address last.
  const name = [floating.floating_ip_address, `(${floating.id})`].filter((part) => part !== "").join(" ");
  const what = `Cannot associate floating IP ${name} with port ${port.id} using fixed IP ${address.ip_address}`;
  const other = await trx
    .selectFrom("floating_ips")
    .select("id")
    .where("fixed_port_id", "=", port.id)
    .where("fixed_ip_address", "=", address.ip_address)
    .where("floating_network_id", "=", floating.floating_network_id)
    .where("id", "!=", floating.id)
    .executeTakeFirst();
  if (other !== undefined) {
    throw new ApiFault(
      "FloatingIPPortAlreadyAssociated",
      `${what}, as that fixed IP already has a floating IP on external network ${floating.floating_network_id}.`,
    );
  }
  const forwarding = await trx
    .selectFrom("port_forwardings")
    .innerJoin("floating_ips", "floating_ips.id", "port_forwardings.floatingip_id")
    .select("port_forwardings.id")
    .where("internal_port_id", "=", port.id)
    .where("internal_ip_address", "=", address.ip_address)
    .where("floating_ips.floating_network_id", "=", floating.floating_network_id)
    .limit(1)
    .executeTakeFirst();
  if (forwarding === undefined) return;
  throw new ApiFault("PortHasPortForwarding", `${what}, as that port already has a port forwarding.`);
}

/** Its row is locked, with its router. Takes its forwardings and its address along. */
export async function removeFloatingIp(trx: Trx, deps: ServiceDeps, row: FloatingIpRow): Promise<void> {
  await removeForwardings(trx, deps, { floating: row, ids: undefined });
  await tellFloatingIp(trx, deps, { before: row, after: undefined });
  await trx.deleteFrom("floating_ips").where("id", "=", row.id).execute();
  await removePortInTransaction(trx, deps, row.floating_port_id);
}
