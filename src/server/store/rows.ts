// Row types, and the small helpers that every query module needs.
import { type Kysely, PostgresAdapter, type Selectable } from "kysely";
import type { Dialect } from "./database.ts";
import type {
  Database,
  FixedIpsTable,
  FloatingIpsTable,
  NetworksTable,
  PortForwardingsTable,
  PortsTable,
  RoutersTable,
  SubnetPoolsTable,
  SubnetsTable,
} from "./schema.ts";

export type NetworkRow = Selectable<NetworksTable>;
export type SubnetRow = Selectable<SubnetsTable>;
export type SubnetPoolRow = Selectable<SubnetPoolsTable>;
export type PortRow = Selectable<PortsTable>;
export type FixedIpRow = Selectable<FixedIpsTable>;
export type RouterRow = Selectable<RoutersTable>;
export type FloatingIpRow = Selectable<FloatingIpsTable>;
export type PortForwardingRow = Selectable<PortForwardingsTable>;

export const flag = (value: unknown): 0 | 1 => (value === true ? 1 : 0);

/** SQLite has no row locks and needs none: its transactions are alone from their begin. */
export const locksRows = (dialect: Dialect): boolean => dialect === "postgres";

/** The same where only the connection is at hand. */
export const hasRowLocks = (db: Kysely<Database>): boolean => db.getExecutor().adapter instanceof PostgresAdapter;

// Both engines limit the parameters of a statement (SQLite 32766); the widest row, a port, has 29 columns.
const chunkSize = 512;
const lookedUpAtOnce = 4096;

/** Pieces that fit into one statement. */
export function chunks<T>(items: readonly T[], size = chunkSize): readonly (readonly T[])[] {
  const pieces: T[][] = [];
  for (let at = 0; at < items.length; at += size) pieces.push(items.slice(at, at + size));
  return pieces;
}

/** One query per piece of `items`, which it looks up with `in`: there the list is one parameter, so pieces may be long. */
export async function inChunks<T, R>(items: readonly T[], query: (piece: readonly T[]) => Promise<readonly R[]>): Promise<R[]> {
  const answers: R[] = [];
  for (const piece of chunks(items, lookedUpAtOnce)) {
    for (const row of await query(piece)) answers.push(row);
  }
  return answers;
}
