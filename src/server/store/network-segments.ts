// Rows of what carries networks: read with their networks, and searched for ids that nobody has.
import { type Kysely, type Selectable, sql, type SqlBool } from "kysely";
import { anyOf, columnIn, type ListedTable } from "./list-rows.ts";
import { inChunks } from "./rows.ts";
import type { Database, NetworkSegmentsTable } from "./schema.ts";

export type SegmentRow = Selectable<NetworkSegmentsTable>;
export type Carrier = Pick<SegmentRow, "network_type" | "physical_network" | "segmentation_id">;

/** By network, each in its order; networks without any are left out. */
export async function readSegments(
  db: Kysely<Database>,
  networkIds: readonly string[],
): Promise<ReadonlyMap<string, readonly SegmentRow[]>> {
  const rows = await inChunks(networkIds, (piece) =>
    db.selectFrom("network_segments").selectAll().where("network_id", "in", piece).orderBy("position").orderBy("id").execute(),
  );
  return Map.groupBy(rows, (row) => row.network_id);
}

/** A filter of networks: one of their segments has the value; null also when there is none. */
export const segmentFilter =
  (column: keyof Carrier): ListedTable["filters"][string] =>
  (values) => {
    const having = sql<SqlBool>`id in (select network_id from network_segments where ${columnIn(column, values)})`;
    if (!values.includes(null)) return having;
    return anyOf([having, sql<SqlBool>`id not in (select network_id from network_segments)`]);
  };

export type NumberedType = "vlan" | "vxlan";

export interface SegmentPlace {
  readonly type: NumberedType;
  /** Of type vlan. */
  readonly physicalNetwork: string | null;
  readonly first: number;
  readonly last: number;
}

/** The lowest id from `first` to `last` that no segment has. */
export async function firstFreeSegment(db: Kysely<Database>, place: SegmentPlace): Promise<number | undefined> {
  const { type, physicalNetwork, first, last } = place;
  // Written out, or SQLite does not see that an index of this type alone can answer.
  const alike = (table: string) => {
    const ofType = sql`${sql.ref(`${table}.network_type`)} = ${sql.lit(type)}`;
    return physicalNetwork === null ? ofType : sql`${ofType} and ${sql.ref(`${table}.physical_network`)} = ${physicalNetwork}`;
  };
  const taken = await sql`select 1 from network_segments s where ${alike("s")} and s.segmentation_id = ${first}`.execute(db);
  if (taken.rows.length === 0) return first;
  const { rows } = await sql<{ readonly free: number }>`select s.segmentation_id + 1 as free from network_segments s
    where ${alike("s")} and s.segmentation_id >= ${first} and s.segmentation_id < ${last}
      and not exists (select 1 from network_segments n where ${alike("n")} and n.segmentation_id = s.segmentation_id + 1)
    order by s.segmentation_id limit 1`.execute(db);
  return rows[0]?.free;
}
