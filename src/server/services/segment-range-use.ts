// Which ids of ranges networks have.
import { type Kysely, sql } from "kysely";
import { inChunks } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";

export interface RangePlace {
  readonly network_type: string;
  readonly physical_network: string | null;
  readonly minimum: number;
  readonly maximum: number;
}

/** Segment id → project of its network. By range, in one statement for all. */
export async function readUse(
  db: Kysely<Database>,
  rangeIds: readonly string[],
): Promise<ReadonlyMap<string, ReadonlyMap<number, string>>> {
  const rows = await inChunks(
    rangeIds,
    async (piece) =>
      (
        await sql<{ readonly range: string; readonly id: number; readonly project: string }>`
          select r.id as range, s.segmentation_id as id, n.project_id as project
          from network_segment_ranges r
          join network_segments s on s.network_type = r.network_type and s.segmentation_id between r.minimum and r.maximum
            and coalesce(s.physical_network, '') = coalesce(r.physical_network, '')
          join networks n on n.id = s.network_id
          where r.id in (${sql.join([...piece])}) order by s.segmentation_id`.execute(db)
      ).rows,
  );
  const byRange = Map.groupBy(rows, (row) => row.range);
  return new Map([...byRange].map(([range, used]) => [range, new Map(used.map(({ id, project }) => [id, project]))]));
}

/** The list would be millions long. */
const mostAvailable = 5000;

export function availableIn({ minimum, maximum }: RangePlace, used: ReadonlyMap<number, string>): readonly number[] {
  const available: number[] = [];
  for (let id = minimum; id <= maximum && available.length < mostAvailable; id++) if (!used.has(id)) available.push(id);
  return available;
}
