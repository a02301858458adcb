// Use cases of subnets.
import { type SqlBool, sql } from "kysely";
import { formatCidr, overlap, parseKey } from "../../model/addresses.ts";
import { ApiFault } from "../../types/api-faults.ts";
import { subnetResource } from "../../types/resources/subnets.ts";
import { storedCidr } from "../ipam/address-slots.ts";
import type { Trx } from "../store/database.ts";
import { columnIn, type ListedTable, standardColumns } from "../store/list-rows.ts";
import { locksRows, type NetworkRow, type SubnetRow } from "../store/rows.ts";
import { agentSeesChange, deleteItem, subnetItem, subnetModel } from "../store/stream-items.ts";
import { checkMtu } from "./network-rules.ts";
import { removeSubnetLeases } from "./port-rows.ts";
import { presentSubnet } from "./present.ts";
import { takeQuota } from "./quota-guard.ts";
import type { Attributes, ListQuery, RequestContext, ResourceService } from "./resource-service.ts";
import { lockRoutersOn, touchRoutersOn } from "./router-rows.ts";
import { forgetSubnet, greetSubnet } from "./router-subnet-events.ts";
import { checkRevision, forbidden, notFound, projectOf, type ServiceDeps, text, timestamp } from "./service-deps.ts";
import { sharedFilter } from "./sharing.ts";
import { touchRows } from "./standard-rows.ts";
import { StandardReader } from "./standard-service.ts";
import { checkBlockWish, takeBlock } from "./subnet-blocks.ts";
import { addAutoAddresses, releaseSubnet } from "./subnet-ports.ts";
import { changedSubnetRow, newSubnetRow } from "./subnet-rules.ts";
import { checkSegmentChange, checkSubnetSegment } from "./subnet-segments.ts";
import { isSharedWith, lockNetwork, ownsNetwork, visibleSubnets } from "./visibility.ts";

const listed: ListedTable = {
  table: "subnets",
  columns: {
    ...standardColumns,
    network_id: "network_id",
    ip_version: "ip_version",
    subnetpool_id: "subnetpool_id",
    cidr: "cidr",
    gateway_ip: "gateway_ip",
    enable_dhcp: "enable_dhcp",
    ipv6_ra_mode: "ipv6_ra_mode",
    ipv6_address_mode: "ipv6_address_mode",
    dns_publish_fixed_ip: "dns_publish_fixed_ip",
    segment_id: "segment_id",
  },
  filters: {
    shared: sharedFilter("network", "network_id"),
    "router:external": (values) =>
      sql<SqlBool>`network_id in (select id from networks where ${columnIn("is_external", values)})`,
  },
};

export function createSubnetService(deps: ServiceDeps): ResourceService {
  return new SubnetService(deps);
}

class SubnetService implements ResourceService {
  readonly #deps: ServiceDeps;
  readonly #reader: StandardReader<SubnetRow>;

  constructor(deps: ServiceDeps) {
    this.#deps = deps;
    this.#reader = new StandardReader(deps.store, {
      resource: subnetResource,
      listed,
      visible: visibleSubnets,
      present: async (_db, rows: readonly SubnetRow[]) => rows.map(presentSubnet),
    });
  }

  async list(context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    return this.#reader.list(context, query);
  }

  async show(context: RequestContext, id: string): Promise<Attributes> {
    return this.#reader.show(context, id);
  }

  async create(context: RequestContext, bodies: readonly Attributes[]): Promise<readonly Attributes[]> {
    const rows = await this.#deps.store.transaction(async (trx) => {
      const projectIds = bodies.map((body) => projectOf(context, body));
      await takeQuota(trx, this.#deps, { resource: "subnet", projectIds });
      const created: SubnetRow[] = [];
      for (const body of bodies) created.push(await this.#createOne(trx, context, body));
      const needy = created.filter((row) => row.enable_dhcp === 1).map((row) => row.network_id);
      for (const networkId of new Set(needy)) await this.#deps.events.scheduleNetwork(trx, networkId);
      return created;
    });
    return rows.map(presentSubnet);
  }

  async #createOne(trx: Trx, context: RequestContext, body: Attributes): Promise<SubnetRow> {
    const id = text(body["network_id"]) ?? "";
    checkBlockWish(body);
    await lockRoutersOn(trx, id, "gateway");
    const network = await lockNetwork(trx, this.#deps.store, { context, id, lock: "whole" });
    if (!ownsNetwork(context, network)) throw forbidden(`creating a subnet on network ${id}`);
    const taken = await takeBlock(trx, { context, body });
    const row = newSubnetRow(context, { ...body, ...taken }, timestamp(this.#deps));
    checkMtu(id, network.mtu, [row.ip_version]);
    await checkOverlap(trx, row);
    await checkSubnetSegment(trx, row);
    await trx.insertInto("subnets").values(row).execute();
    await this.#bumpNetwork(trx, id);
    const portItems = await addAutoAddresses(trx, this.#deps, row);
    await this.#deps.events.recordItems(trx, id, [subnetItem(row), ...portItems]);
    await greetSubnet(trx, this.#deps, row);
    return row;
  }

  async update(context: RequestContext, id: string, changes: Attributes, expectedRevision?: number): Promise<Attributes> {
    const { store, events } = this.#deps;
    const after = await store.transaction(async (trx) => {
      const { row: before } = await this.#lockOwn(trx, context, { id, expectedRevision });
      const wanted = changedSubnetRow(before, changes);
      if (JSON.stringify(wanted) === JSON.stringify(before)) return before;
      if (wanted.gateway_ip !== before.gateway_ip) await checkGatewayUnused(trx, before);
      await checkSegmentChange(trx, before, wanted);
      const row = { ...wanted, revision_number: before.revision_number + 1, updated_at: timestamp(this.#deps) };
      await trx.updateTable("subnets").set(row).where("id", "=", id).execute();
      await this.#bumpNetwork(trx, row.network_id);
      if (agentSeesChange(subnetModel(before), subnetModel(row))) {
        await events.recordItems(trx, row.network_id, [subnetItem(row)]);
        await touchRoutersOn(trx, this.#deps, row.network_id);
      }
      if (row.enable_dhcp === 0 && before.enable_dhcp === 1) await removeSubnetLeases(trx, row);
      if (row.enable_dhcp === 1 && before.enable_dhcp === 0) await events.scheduleNetwork(trx, row.network_id);
      return row;
    });
    return presentSubnet(after);
  }

  async remove(context: RequestContext, id: string, expectedRevision?: number): Promise<void> {
    const { store, events } = this.#deps;
    await store.transaction(async (trx) => {
      const { row } = await this.#lockOwn(trx, context, { id, expectedRevision });
      const portItems = await releaseSubnet(trx, this.#deps, row);
      await trx.deleteFrom("subnets").where("id", "=", id).execute();
      await this.#bumpNetwork(trx, row.network_id);
      const gone = deleteItem("subnet", id, row.network_id, row.revision_number);
      await events.recordItems(trx, row.network_id, [...portItems, gone]);
      await forgetSubnet(trx, this.#deps, row.network_id);
    });
  }

  /** Routers, then the network, as everywhere, so that nobody waits in a circle. */
  async #lockOwn(
    trx: Trx,
    context: RequestContext,
    { id, expectedRevision }: { id: string; expectedRevision: number | undefined },
  ): Promise<{ row: SubnetRow; network: NetworkRow }> {
    const { dialect } = this.#deps.store;
    const found = await trx.selectFrom("subnets").select("network_id").where("id", "=", id).executeTakeFirst();
    if (found === undefined) throw notFound("subnet", id);
    await lockRoutersOn(trx, found.network_id);
    const admin = { ...context, isAdmin: true };
    const network = await lockNetwork(trx, this.#deps.store, { context: admin, id: found.network_id, lock: "whole" });
    const row = await trx
      .selectFrom("subnets")
      .selectAll()
      .where("id", "=", id)
      .$if(locksRows(dialect), (query) => query.forUpdate())
      .executeTakeFirst();
    const mayChange = row?.project_id === context.projectId || ownsNetwork(context, network);
    if (row === undefined || !(mayChange || (await isSharedWith(trx, context, network)))) throw notFound("subnet", id);
    if (!mayChange) throw forbidden(`changing subnet ${id}`);
    checkRevision("subnet", id, row.revision_number, expectedRevision);
    return { row, network };
  }

  async #bumpNetwork(trx: Trx, id: string): Promise<void> {
    await touchRows(trx, this.#deps, { table: "networks", ids: [id] });
  }
}

async function checkOverlap(trx: Trx, row: SubnetRow): Promise<void> {
  const others = await trx
    .selectFrom("subnets")
    .select(["id", "cidr", "first_key", "last_key"])
    .where("network_id", "=", row.network_id)
    .where("ip_version", "=", row.ip_version)
    .execute();
  const range = (one: { first_key: string; last_key: string }) => ({
    first: parseKey(one.first_key).value,
    last: parseKey(one.last_key).value,
  });
  const other = others.find((one) => overlap(range(one), range(row)));
  if (other === undefined) return;
  const cidr = formatCidr(storedCidr(row));
  const message = `Requested subnet with cidr: ${cidr} for network: ${row.network_id} overlaps with another subnet: ${other.id} (${other.cidr})`;
  throw new ApiFault("InvalidInput", message);
}

/** @param before the subnet with the gateway that is to go. */
async function checkGatewayUnused(trx: Trx, before: SubnetRow): Promise<void> {
  if (before.gateway_ip === null) return;
  const user = await trx
    .selectFrom("fixed_ips")
    .innerJoin("ports", "ports.id", "fixed_ips.port_id")
    .select("ports.id")
    .where("fixed_ips.subnet_id", "=", before.id)
    .where("fixed_ips.ip_address", "=", before.gateway_ip)
    .where("ports.device_owner", "like", "network:router_%")
    .executeTakeFirst();
  if (user === undefined) return;
  throw new ApiFault(
    "GatewayIpInUse",
    `Current gateway ip ${before.gateway_ip} already in use by port ${user.id}. Unable to update.`,
  );
}
