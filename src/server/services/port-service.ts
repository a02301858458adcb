// Use cases of ports; at the end the ones that the server itself has, inside a transaction that is already open.
import { type Kysely, type SqlBool, sql } from "kysely";
import type { Port } from "../../model/network.ts";
import { portResource } from "../../types/resources/ports.ts";
import type { FixedIpRequest } from "../ipam/address-slots.ts";
import type { Trx } from "../store/database.ts";
import { always, anyOf, columnIn, type Condition, type ListedTable, standardColumns } from "../store/list-rows.ts";
import { selectAddresses } from "../store/network-items.ts";
import { inChunks, type NetworkRow, type PortRow } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import { type AddressItemRow, portDeleteItem, portModel } from "../store/stream-items.ts";
import { createPorts } from "./port-create.ts";
import { PortCreator } from "./port-create-group.ts";
import { inSecurityGroups, readPortGroups } from "./port-security-groups.ts";
import { removeLeases, removePortRows } from "./port-rows.ts";
import { changePort, type LockedPort, lockPort, type PortChange } from "./port-update.ts";
import {
  checkAddressesUnused,
  checkChangeable,
  checkDeletable,
  checkDevicesOwned,
  checkForwardedAddresses,
  lockPortUses,
  releasePort,
} from "./port-uses.ts";
import { type PortSurroundings, presentPort } from "./present.ts";
import type { Attributes, ListQuery, RequestContext, ResourceService } from "./resource-service.ts";
import { touchRouters } from "./router-rows.ts";
import { serverContext, type ServiceDeps } from "./service-deps.ts";
import { StandardReader } from "./standard-service.ts";
import { checkNoTrunk, readTrunkDetails } from "./trunk-rows.ts";
import { visiblePorts } from "./visibility.ts";

/** The value is a constant of ours or a bound parameter. */
function hasAddress(condition: Condition): Condition {
  return sql<SqlBool>`id in (select port_id from fixed_ips where ${condition})`;
}

/** `%` and `_` in what a client looks for mean themselves. */
const containing = (part: unknown): string => `%${String(part).replaceAll(/[\\%_]/g, "\\$&")}%`;

const listed: ListedTable = {
  table: "ports",
  columns: {
    ...standardColumns,
    network_id: "network_id",
    admin_state_up: "admin_state_up",
    mac_address: "mac_address",
    device_id: "device_id",
    device_owner: "device_owner",
    status: "status",
    "binding:host_id": "binding_host_id",
    "binding:vif_type": "binding_vif_type",
    "binding:vnic_type": "binding_vnic_type",
    port_security_enabled: "port_security_enabled",
    dns_name: "dns_name",
    ip_allocation: "ip_allocation",
  },
  filters: {
    security_groups: inSecurityGroups,
    pvlan_type: always(null),
    "fixed_ips.subnet_id": (values) => hasAddress(columnIn("subnet_id", values)),
    "fixed_ips.ip_address": (values) => hasAddress(columnIn("ip_address", values)),
    "fixed_ips.ip_address_substr": (values) =>
      hasAddress(anyOf(values.map((value) => sql<SqlBool>`ip_address like ${containing(value)} escape '\\'`))),
  },
};

type NetworkPart = Pick<NetworkRow, "dns_domain" | "qos_policy_id">;

/** Removed while the list was read. */
const nowhere: NetworkPart = { dns_domain: "", qos_policy_id: null };

export function createPortService(deps: ServiceDeps): ResourceService {
  return new PortService(deps);
}

/** Of a list of ports; by port, but the networks. */
interface AroundPorts {
  readonly networks: ReadonlyMap<string, NetworkPart>;
  readonly addresses: ReadonlyMap<string, readonly AddressItemRow[]>;
  readonly groups: ReadonlyMap<string, readonly string[]>;
  readonly trunks: ReadonlyMap<string, Attributes>;
}

class PortService implements ResourceService {
  readonly #deps: ServiceDeps;
  readonly #creator: PortCreator;
  readonly #reader: StandardReader<PortRow>;

  constructor(deps: ServiceDeps) {
    this.#deps = deps;
    this.#creator = new PortCreator(deps);
    this.#reader = new StandardReader(deps.store, {
      resource: portResource,
      listed,
      visible: visiblePorts,
      present: (db, rows: readonly PortRow[]) => this.#presentRows(db, rows),
    });
  }

  async list(context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    return this.#reader.list(context, query);
  }

  async each(context: RequestContext, query: ListQuery): Promise<Iterable<Attributes>> {
    return this.#reader.each(context, query);
  }

  async show(context: RequestContext, id: string): Promise<Attributes> {
    return this.#reader.show(context, id);
  }

  async create(context: RequestContext, bodies: readonly Attributes[]): Promise<readonly Attributes[]> {
    const created = await this.#creator.create(context, bodies);
    // New ports are no trunk's.
    return created.map(({ row, ...around }) => this.#present(row, around));
  }

  async update(context: RequestContext, id: string, changes: Attributes, expectedRevision?: number): Promise<Attributes> {
    const change = { context, id, changes, expectedRevision };
    return this.#deps.store.transaction(async (trx) => this.#presentOne(trx, await this.#change(trx, change)));
  }

  async remove(context: RequestContext, id: string, expectedRevision?: number): Promise<void> {
    await this.#deps.store.transaction(async (trx) => {
      const uses = await lockPortUses(trx, id);
      const port = await lockPort(trx, this.#deps, { context, id, expectedRevision });
      checkDeletable(port.row, uses);
      await checkNoTrunk(trx, id);
      await releasePort(trx, this.#deps, { context, portId: id, uses });
      await removePort(trx, this.#deps, port);
    });
  }

  /** As a client may do it: not with what a router or a floating IP stands on. */
  async #change(trx: Trx, change: PortChange): Promise<LockedPort> {
    const { context, id, changes } = change;
    const uses = await lockPortUses(trx, id);
    const before = await lockPort(trx, this.#deps, { context, id, expectedRevision: undefined });
    checkChangeable(before.row, changes, uses);
    await checkDevicesOwned(trx, context, [changes]);
    const after = await changePort(trx, this.#deps, change);
    const kept = new Set(after.fixedIps.map((ip) => ip.ip_address));
    checkAddressesUnused(id, uses, kept);
    await checkForwardedAddresses(trx, id, kept);
    const isChanged = after.row.revision_number !== before.row.revision_number;
    if (uses.routerId !== undefined && isChanged) await touchRouters(trx, this.#deps, { ids: [uses.routerId] });
    return after;
  }

  async #presentOne(db: Kysely<Database>, { row, fixedIps, network, securityGroups }: LockedPort): Promise<Attributes> {
    const trunks = await readTrunkDetails(db, [row.id]);
    return this.#present(row, { fixedIps, securityGroups, network, trunkDetails: trunks.get(row.id) });
  }

  #present(
    row: PortRow,
    {
      network,
      ...around
    }: Pick<PortSurroundings, "fixedIps" | "securityGroups" | "trunkDetails"> & { readonly network: NetworkPart },
  ): Attributes {
    const domain = network.dns_domain || (this.#deps.defaultDnsDomain ?? "");
    return presentPort(row, { ...around, domain, networkPolicyId: network.qos_policy_id });
  }

  async #presentRows(db: Kysely<Database>, rows: readonly PortRow[]): Promise<Iterable<Attributes>> {
    const ids = rows.map((row) => row.id);
    // At once: PostgreSQL finds some while this process reads others.
    const [networks, addresses, groups, trunks] = await Promise.all([
      inChunks([...new Set(rows.map((row) => row.network_id))], (piece) =>
        db.selectFrom("networks").select(["id", "dns_domain", "qos_policy_id"]).where("id", "in", piece).execute(),
      ),
      inChunks(ids, (piece) => selectAddresses(db).where("port_id", "in", piece).execute()),
      readPortGroups(db, ids),
      readTrunkDetails(db, ids),
    ]);
    return this.#presentEach(rows, {
      networks: new Map(networks.map((network) => [network.id, network])),
      ...{ addresses: Map.groupBy(addresses, ({ port_id }) => port_id), groups, trunks },
    });
  }

  *#presentEach(rows: readonly PortRow[], { networks, addresses, groups, trunks }: AroundPorts): Iterable<Attributes> {
    for (const row of rows) {
      yield this.#present(row, {
        network: networks.get(row.network_id) ?? nowhere,
        fixedIps: addresses.get(row.id) ?? [],
        securityGroups: groups.get(row.id) ?? [],
        trunkDetails: trunks.get(row.id),
      });
    }
  }
}

async function removePort(trx: Trx, deps: ServiceDeps, { row, fixedIps }: LockedPort): Promise<void> {
  await deps.events.recordItems(trx, row.network_id, [portDeleteItem(row, fixedIps)]);
  await removePortRows(trx, [row.id]);
  const addresses = fixedIps.map((ip) => ip.ip_address);
  await removeLeases(trx, row.network_id, addresses);
}

/** For the server itself: all rights, the network's project unless `body` has one. Records its item; faults as in the API. */
export async function createPortInTransaction(trx: Trx, deps: ServiceDeps, body: Attributes): Promise<Port> {
  const [port] = await createPorts(trx, deps, { context: serverContext, bodies: [body], takesQuota: false });
  if (port === undefined) throw new RangeError("one body made no port");
  return portModel(port.row, port.fixedIps);
}

export async function updatePortInTransaction(trx: Trx, deps: ServiceDeps, id: string, changes: Attributes): Promise<Port> {
  const port = await changePort(trx, deps, { context: serverContext, id, changes });
  return portModel(port.row, port.fixedIps);
}

/** `fixedIps` replaces what the port has; an element with only a subnet keeps the address that the port has there. */
export function updatePortAddressesInTransaction(
  trx: Trx,
  deps: ServiceDeps,
  { id, fixedIps }: { id: string; fixedIps: readonly FixedIpRequest[] },
): Promise<Port> {
  return updatePortInTransaction(trx, deps, id, { fixed_ips: fixedIps });
}

export async function removePortInTransaction(trx: Trx, deps: ServiceDeps, id: string): Promise<void> {
  await removePort(trx, deps, await lockPort(trx, deps, { context: serverContext, id, expectedRevision: undefined }));
}
