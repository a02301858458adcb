// Use cases of networks.
import type { Kysely } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import { networkResource } from "../../types/resources/networks.ts";
import type { Trx } from "../store/database.ts";
import { translated } from "../store/engine-errors.ts";
import { columnIn, type ListedTable, standardColumns } from "../store/list-rows.ts";
import { readSegments, segmentFilter } from "../store/network-segments.ts";
import { inChunks, type NetworkRow } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import { agentSeesChange, deleteItem, networkItem, networkModel } from "../store/stream-items.ts";
import { checkDomainLength, checkNamesFit } from "./dns-lengths.ts";
import { changedCarriers } from "./network-carriers.ts";
import { changedNetworkRow, checkDefault, checkMtu } from "./network-rules.ts";
import { changeSegments, prepareNetworks, writeNetworks } from "./network-segments.ts";
import { defaultNetworkSettings } from "./network-settings.ts";
import { isAutoDeleted, removePortRows } from "./port-rows.ts";
import { changeNetworkSharing, shareNetworks } from "./network-sharing.ts";
import { presentNetwork } from "./present.ts";
import { changedPolicy, withPolicies } from "./qos-policy-rows.ts";
import { takeQuota } from "./quota-guard.ts";
import type { Attributes, ListQuery, RequestContext, ResourceService } from "./resource-service.ts";
import { lockRoutersOn, touchRoutersOn } from "./router-rows.ts";
import { checkRevision, forbidden, notFound, projectOf, someOf, type ServiceDeps, timestamp } from "./service-deps.ts";
import { forgetSharing, readShared, sharedFilter } from "./sharing.ts";
import { StandardReader } from "./standard-service.ts";
import { lockNetwork, ownsNetwork, visibleNetworks } from "./visibility.ts";

const listed: ListedTable = {
  table: "networks",
  columns: {
    ...standardColumns,
    admin_state_up: "admin_state_up",
    status: "status",
    shared: "shared",
    "router:external": "is_external",
    mtu: "mtu",
    port_security_enabled: "port_security_enabled",
    dns_domain: "dns_domain",
    is_default: "is_default",
    availability_zone_hints: "availability_zone_hints",
  },
  filters: {
    shared: sharedFilter("network"),
    "provider:network_type": segmentFilter("network_type"),
    "provider:physical_network": segmentFilter("physical_network"),
    "provider:segmentation_id": segmentFilter("segmentation_id"),
  },
};

export function createNetworkService(deps: ServiceDeps): ResourceService {
  return new NetworkService(deps);
}

class NetworkService implements ResourceService {
  readonly #deps: ServiceDeps;
  readonly #reader: StandardReader<NetworkRow>;

  constructor(deps: ServiceDeps) {
    this.#deps = deps;
    const spec = { resource: networkResource, listed, visible: visibleNetworks, present: presentNetworks };
    this.#reader = new StandardReader(deps.store, spec);
  }

  async list(context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    return this.#reader.list(context, query);
  }

  async show(context: RequestContext, id: string): Promise<Attributes> {
    return this.#reader.show(context, id);
  }

  /** Nobody is told: no host serves a network without subnets, and the first one that does is sent it whole. */
  async create(context: RequestContext, bodies: readonly Attributes[]): Promise<readonly Attributes[]> {
    const made = await this.#deps.store.transaction(async (trx) => {
      const projectIds = bodies.map((body) => projectOf(context, body));
      await takeQuota(trx, this.#deps, { resource: "network", projectIds });
      const prepared = await withPolicies(trx, context, await prepareNetworks(trx, this.#deps, { context, bodies }));
      for (const { row } of prepared) checkDomainLength(row.dns_domain);
      await checkDefault(
        trx,
        prepared.map(({ row }) => row),
      );
      await writeNetworks(trx, prepared);
      await shareNetworks(
        trx,
        prepared.map(({ row }) => row),
      );
      return prepared;
    });
    return made.map(({ row, segments }) =>
      presentNetwork(row, { subnets: [], zones: [], segments, isShared: row.shared === 1 }),
    );
  }

  async update(context: RequestContext, id: string, changes: Attributes, expectedRevision?: number): Promise<Attributes> {
    const { store, events } = this.#deps;
    const after = await store.transaction(async (trx) => {
      // Routers before networks, as those who change routers do.
      await lockRoutersOn(trx, id);
      const before = await this.#lockOwn(trx, context, { id, expectedRevision });
      const standing = (await readSegments(trx, [id])).get(id) ?? [];
      const wishes = changedCarriers(standing, changes);
      const segments = await changeSegments(trx, this.#deps, { network: before, before: standing, wishes });
      const settings = this.#deps.network ?? defaultNetworkSettings;
      const wanted = {
        ...changedNetworkRow(before, changes, { before: standing, after: segments, settings }),
        qos_policy_id: await changedPolicy(trx, context, { before: before.qos_policy_id, changes }),
      };
      const isCarriedAlike = segments === standing;
      if (isCarriedAlike && JSON.stringify(wanted) === JSON.stringify(before)) return before;
      await checkChange(trx, before, wanted);
      await this.#checkDomain(trx, before, wanted);
      const row = { ...wanted, revision_number: before.revision_number + 1, updated_at: timestamp(this.#deps) };
      await trx.updateTable("networks").set(row).where("id", "=", id).execute();
      if (agentSeesChange(networkModel(before), networkModel(row))) await events.recordItems(trx, id, [networkItem(row)]);
      if (before.mtu !== row.mtu || !isCarriedAlike) await touchRoutersOn(trx, this.#deps, id);
      return row;
    });
    const [answer] = await translated(presentNetworks(store.db, [after], context));
    if (answer === undefined) throw notFound("network", id);
    return answer;
  }

  async remove(context: RequestContext, id: string, expectedRevision?: number): Promise<void> {
    const { store, events } = this.#deps;
    await store.transaction(async (trx) => {
      const network = await this.#lockOwn(trx, context, { id, expectedRevision });
      const ports = await trx.selectFrom("ports").select(["id", "device_owner"]).where("network_id", "=", id).execute();
      const idle = await readIdleFloatingIps(trx, id);
      const isFree = (port: { readonly id: string; readonly device_owner: string }): boolean =>
        isAutoDeleted(port.device_owner) || idle.has(port.id);
      const inUse = ports.filter((port) => !isFree(port)).map((port) => port.id);
      if (inUse.length > 0) throw networkInUse(id, inUse);
      await trx.deleteFrom("floating_ips").where("floating_network_id", "=", id).execute();
      // First, while it is still known which hosts serve the network. It takes the subnets and the DHCP ports along.
      await events.recordItems(trx, id, [deleteItem("network", id, id, network.revision_number)]);
      await removePortRows(
        trx,
        ports.map((port) => port.id),
      );
      await trx.deleteFrom("subnets").where("network_id", "=", id).execute();
      await forgetSharing(trx, { type: "network", id });
      await trx.deleteFrom("networks").where("id", "=", id).execute();
    });
  }

  async #checkDomain(trx: Trx, before: NetworkRow, after: NetworkRow): Promise<void> {
    if (before.dns_domain === after.dns_domain) return;
    checkDomainLength(after.dns_domain);
    await checkNamesFit(trx, after.id, after.dns_domain || (this.#deps.defaultDnsDomain ?? ""));
  }

  async #lockOwn(
    trx: Trx,
    context: RequestContext,
    { id, expectedRevision }: { id: string; expectedRevision: number | undefined },
  ): Promise<NetworkRow> {
    const row = await lockNetwork(trx, this.#deps.store, { context, id, lock: "whole" });
    if (!ownsNetwork(context, row)) throw forbidden(`changing network ${id}`);
    checkRevision("network", id, row.revision_number, expectedRevision);
    return row;
  }
}

async function presentNetworks(
  db: Kysely<Database>,
  rows: readonly NetworkRow[],
  context: RequestContext,
): Promise<readonly Attributes[]> {
  const ids = rows.map((row) => row.id);
  const subnets = await inChunks(ids, (piece) =>
    db
      .selectFrom("subnets")
      .leftJoin("subnet_pools", "subnet_pools.id", "subnets.subnetpool_id")
      .select(["subnets.id", "network_id", "subnets.ip_version", "segment_id", "address_scope_id"])
      .where("network_id", "in", piece)
      .orderBy("subnets.created_at")
      .orderBy("subnets.id")
      .execute(),
  );
  const zones = await inChunks(ids, (piece) =>
    db
      .selectFrom("network_dhcp_agents")
      .innerJoin("agents", "agents.id", "network_dhcp_agents.agent_id")
      .select(["network_id", "availability_zone"])
      .where("network_id", "in", piece)
      .execute(),
  );
  const segmentsOf = await readSegments(db, ids);
  const shared = await readShared(db, context, { type: "network", ids });
  const subnetsOf = Map.groupBy(subnets, (subnet) => subnet.network_id);
  const zonesOf = Map.groupBy(zones, (zone) => zone.network_id);
  return rows.map((row) =>
    presentNetwork(row, {
      subnets: subnetsOf.get(row.id) ?? [],
      segments: segmentsOf.get(row.id) ?? [],
      isShared: shared.has(row.id),
      zones: [...new Set((zonesOf.get(row.id) ?? []).map((zone) => zone.availability_zone))].sort(),
    }),
  );
}

/** Ports of floating IPs that lead nowhere: they go with their network. */
async function readIdleFloatingIps(trx: Trx, networkId: string): Promise<ReadonlySet<string>> {
  const rows = await trx
    .selectFrom("floating_ips")
    .select("floating_port_id")
    .where("floating_network_id", "=", networkId)
    .where("router_id", "is", null)
    .execute();
  return new Set(rows.map((row) => row.floating_port_id));
}

function networkInUse(id: string, portIds: readonly string[]): ApiFault {
  const text = `Unable to complete operation on network ${id}. There are one or more ports still in use on the network, id for these ports is: ${someOf(portIds)}.`;
  return new ApiFault("NetworkInUse", text);
}

/** What other objects have to say to the change. */
async function checkChange(trx: Trx, before: NetworkRow, after: NetworkRow): Promise<void> {
  const { id } = before;
  await checkDefault(trx, [after]);
  if (after.mtu < before.mtu) {
    const subnets = await trx.selectFrom("subnets").select("ip_version").where("network_id", "=", id).execute();
    checkMtu(
      id,
      after.mtu,
      subnets.map((subnet) => subnet.ip_version),
    );
  }
  if (
    before.is_external === 1 &&
    after.is_external === 0 &&
    (await hasPort(trx, id, "device_owner", ["network:router_gateway"]))
  ) {
    throw new ApiFault(
      "ExternalNetworkInUse",
      `External network ${id} cannot be updated to be made non-external, since it has existing gateway ports.`,
    );
  }
  await changeNetworkSharing(trx, before, after);
}

async function hasPort(trx: Trx, networkId: string, column: string, values: readonly string[]): Promise<boolean> {
  const row = await trx
    .selectFrom("ports")
    .select("id")
    .where("network_id", "=", networkId)
    .where(columnIn(column, values))
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}
