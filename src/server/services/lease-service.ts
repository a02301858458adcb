// Leases as the agents reported them: what DHCP servers really gave out, beside what ports say.
import type { Kysely, Selectable } from "kysely";
import { formatTimestamp } from "../../base/clock.ts";
import { addressKey, formatAddress, parseAddress } from "../../model/addresses.ts";
import type { LeaseReport } from "../../types/agent-messages.ts";
import type { Store, Trx } from "../store/database.ts";
import type { Database, LeasesTable } from "../store/schema.ts";
import { listInMemory, notFound } from "./list-in-memory.ts";
import type { Attributes, ListQuery, RequestContext, ResourceReader } from "./resource-service.ts";

type LeaseRow = Selectable<LeasesTable>;

const listed = { notFound: "LeaseNotFound", title: "Lease", changedAt: "last_seen_at" } as const;

/** Filters that are columns: the database does those, so that one network's leases do not cost all leases. */
const filterColumns = ["network_id", "ip_address", "port_id", "mac_address", "host"] as const;

export class LeaseService implements ResourceReader {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async list(context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    let select = visibleLeases(this.#store.db, context);
    for (const { attribute, values } of query.filters) {
      const column = filterColumns.find((name) => name === attribute);
      const texts = values.filter((value) => typeof value === "string");
      if (column !== undefined && texts.length === values.length) select = select.where(`leases.${column}`, "in", texts);
    }
    return listInMemory((await select.execute()).map(present), query, listed);
  }

  async show(context: RequestContext, id: string): Promise<Attributes> {
    const [networkId = "", ipAddress = ""] = id.split("_");
    const row = await visibleLeases(this.#store.db, context)
      .where("leases.network_id", "=", networkId)
      .where("leases.ip_address", "=", ipAddress)
      .executeTakeFirst();
    if (row === undefined) throw notFound(listed, id);
    return present(row);
  }
}

/** One's own networks' leases; an administrator sees all. */
function visibleLeases(db: Kysely<Database>, { isAdmin, projectId }: RequestContext) {
  const all = db.selectFrom("leases").selectAll("leases");
  if (isAdmin) return all;
  return all.innerJoin("networks", "networks.id", "leases.network_id").where("networks.project_id", "=", projectId);
}

const present = (row: LeaseRow): Attributes => ({
  id: `${row.network_id}_${row.ip_address}`,
  network_id: row.network_id,
  ip_address: row.ip_address,
  port_id: row.port_id,
  mac_address: row.mac_address,
  hostname: row.hostname,
  expires_at: row.expires_at,
  last_seen_at: row.last_seen_at,
  host: row.host,
});

/**
 * Stores what one host reported, for the networks that it serves. Reports may come late and in any order: an older
 * observation never undoes a newer one.
 */
export async function storeLeases(trx: Trx, host: string, reports: readonly LeaseReport[]): Promise<void> {
  const newest = new Map<string, LeaseReport>();
  for (const report of reports) {
    const key = `${report.networkId}\0${report.ipAddress}`;
    const before = newest.get(key);
    if (before === undefined || before.observedAtMs <= report.observedAtMs) newest.set(key, report);
  }
  const ordered = [...newest].toSorted(([left], [right]) => (left < right ? -1 : 1));
  for (const [, report] of ordered) await storeLease(trx, host, report);
}

async function storeLease(trx: Trx, host: string, report: LeaseReport): Promise<void> {
  const lastSeenAt = new Date(report.observedAtMs).toISOString();
  const { networkId } = report;
  const parsed = parseAddress(report.ipAddress);
  if (parsed === undefined) return;
  const ipAddress = formatAddress(parsed);
  if (report.event === "del") {
    await trx
      .deleteFrom("leases")
      .where("network_id", "=", networkId)
      .where("ip_address", "=", ipAddress)
      .where("last_seen_at", "<=", lastSeenAt)
      .execute();
    return;
  }
  const address = await trx
    .selectFrom("fixed_ips")
    .select("port_id")
    .where("network_id", "=", networkId)
    .where("ip_address", "=", ipAddress)
    .executeTakeFirst();
  const said = {
    port_id: address?.port_id ?? null,
    mac_address: report.macAddress,
    hostname: report.hostname,
    expires_at: report.expiresAtMs === null ? null : formatTimestamp(report.expiresAtMs),
    last_seen_at: lastSeenAt,
    host,
  };
  await trx
    .insertInto("leases")
    .values({
      network_id: networkId,
      ip_address: ipAddress,
      ip_key: addressKey(parsed),
      ...said,
    })
    .onConflict((conflict) =>
      conflict.columns(["network_id", "ip_address"]).doUpdateSet(said).where("leases.last_seen_at", "<=", lastSeenAt),
    )
    .execute();
}
