// How reports of agents become records of leases, and what changes by it.
import type { Selectable } from "kysely";
import { formatTimestamp } from "../../base/clock.ts";
import { addressKey, formatAddress, parseAddress } from "../../model/addresses.ts";
import type { LeaseReport } from "../../types/agent-messages.ts";
import type { Trx } from "../store/database.ts";
import type { LeasesTable } from "../store/schema.ts";
import type { Attributes } from "./resource-service.ts";

export type LeaseRow = Selectable<LeasesTable>;

/** For those who follow leases; a lease that is only seen again is no change. */
export interface LeaseChange {
  readonly action: "create" | "update" | "delete";
  readonly lease: Attributes;
}

export const presentLease = (row: LeaseRow): Attributes => ({
  id: row.id,
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
 * observation never undoes a newer one, and a host takes back only what it said itself.
 */
export async function storeLeases(trx: Trx, host: string, reports: readonly LeaseReport[]): Promise<readonly LeaseChange[]> {
  const newest = newestById(reports);
  if (newest.size === 0) return [];
  // In one order everywhere, so that two servers that store at once wait for each other and not in a circle.
  const ids = [...newest.keys()].toSorted();
  const stored = await trx.selectFrom("leases").selectAll().where("id", "in", ids).execute();
  const before = new Map(stored.map((row) => [row.id, row]));
  const owners = await readOwners(trx, [...newest.values()]);
  const upserts: LeaseRow[] = [];
  const gone: LeaseRow[] = [];
  for (const id of ids) {
    const report = newest.get(id);
    if (report === undefined) continue;
    const row = { ...rowOf(id, host, report), port_id: owners.get(id) ?? null };
    const earlier = before.get(id);
    if (earlier !== undefined && earlier.last_seen_at > row.last_seen_at) continue;
    if (report.event !== "del") upserts.push(row);
    else if (earlier?.host === host) gone.push(earlier);
  }
  await upsertRows(trx, upserts);
  await deleteRows(trx, host, gone);
  return [...upserts.flatMap((row) => changeOf(before.get(row.id), row)), ...gone.map(deleted)];
}

const deleted = (row: LeaseRow): LeaseChange => ({ action: "delete", lease: presentLease(row) });

interface CheckedReport extends LeaseReport {
  readonly ipKey: string;
}

function newestById(reports: readonly LeaseReport[]): ReadonlyMap<string, CheckedReport> {
  const newest = new Map<string, CheckedReport>();
  for (const report of reports) {
    const parsed = parseAddress(report.ipAddress);
    if (parsed === undefined) continue;
    const [ipAddress, ipKey] = [formatAddress(parsed), addressKey(parsed)];
    const id = `${report.networkId}_${ipAddress}`;
    const before = newest.get(id);
    if (before === undefined || before.observedAtMs <= report.observedAtMs) newest.set(id, { ...report, ipAddress, ipKey });
  }
  return newest;
}

const rowOf = (id: string, host: string, report: CheckedReport): Omit<LeaseRow, "port_id"> => ({
  id,
  network_id: report.networkId,
  ip_address: report.ipAddress,
  ip_key: report.ipKey,
  mac_address: report.macAddress,
  hostname: report.hostname,
  expires_at: report.expiresAtMs === null ? null : formatTimestamp(report.expiresAtMs),
  last_seen_at: new Date(report.observedAtMs).toISOString(),
  host,
});

/** Port of each address, by the lease's id. */
async function readOwners(trx: Trx, reports: readonly LeaseReport[]): Promise<ReadonlyMap<string, string>> {
  const networks = [...new Set<string>(reports.map((report) => report.networkId))];
  const addresses = [...new Set(reports.map((report) => report.ipAddress))];
  const rows = await trx
    .selectFrom("fixed_ips")
    .select(["network_id", "ip_address", "port_id"])
    .where("network_id", "in", networks)
    .where("ip_address", "in", addresses)
    .execute();
  return new Map(rows.map((row) => [`${row.network_id}_${row.ip_address}`, row.port_id]));
}

const said = ["port_id", "mac_address", "hostname", "expires_at", "host"] as const;

function changeOf(before: LeaseRow | undefined, row: LeaseRow): readonly LeaseChange[] {
  if (before === undefined) return [{ action: "create", lease: presentLease(row) }];
  if (said.every((column) => before[column] === row[column])) return [];
  return [{ action: "update", lease: presentLease(row) }];
}

async function upsertRows(trx: Trx, rows: readonly LeaseRow[]): Promise<void> {
  if (rows.length === 0) return;
  await trx
    .insertInto("leases")
    .values([...rows])
    .onConflict((conflict) =>
      conflict
        .column("id")
        .doUpdateSet((eb) => ({
          port_id: eb.ref("excluded.port_id"),
          mac_address: eb.ref("excluded.mac_address"),
          hostname: eb.ref("excluded.hostname"),
          expires_at: eb.ref("excluded.expires_at"),
          last_seen_at: eb.ref("excluded.last_seen_at"),
          host: eb.ref("excluded.host"),
        }))
        .whereRef("leases.last_seen_at", "<=", "excluded.last_seen_at"),
    )
    .execute();
}

async function deleteRows(trx: Trx, host: string, rows: readonly LeaseRow[]): Promise<void> {
  if (rows.length === 0) return;
  const ids = rows.map((row) => row.id);
  await trx.deleteFrom("leases").where("id", "in", ids).where("host", "=", host).execute();
}

/** Removes records that ended before the moment: a DHCP server that was there would have told of a renewal. */
export async function pruneLeases(trx: Trx, before: Date): Promise<readonly LeaseChange[]> {
  const rows = await trx
    .deleteFrom("leases")
    .where("expires_at", "<", formatTimestamp(before.getTime()))
    .returningAll()
    .execute();
  return rows.map(deleted);
}
