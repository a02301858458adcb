// The ranges of the settings, as rows beside those that administrators made. Brought up to date when a server starts; of
// several servers with different settings the one that started last is right.
import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import type { Store, Trx } from "../store/database.ts";
import { formatTimestamp, type Clock } from "../../base/clock.ts";
import { hasRowLocks } from "../store/rows.ts";
import type { NetworkSettings } from "./network-settings.ts";

interface Wanted {
  readonly network_type: "vlan" | "vxlan";
  readonly physical_network: string | null;
  readonly minimum: number;
  readonly maximum: number;
}

const keyOf = ({ network_type, physical_network, minimum, maximum }: Omit<Wanted, "network_type"> & { network_type: string }) =>
  JSON.stringify([network_type, physical_network, minimum, maximum]);

export async function ensureDefaultRanges(store: Store, clock: Clock, settings: NetworkSettings): Promise<void> {
  const wanted: Wanted[] = [
    ...settings.vlanRanges.map(({ physicalNetwork, minimum, maximum }) => ({
      ...{ network_type: "vlan" as const, physical_network: physicalNetwork },
      ...{ minimum, maximum },
    })),
    ...settings.vxlanRanges.map(({ minimum, maximum }) => ({
      ...{ network_type: "vxlan" as const, physical_network: null },
      ...{ minimum, maximum },
    })),
  ];
  await store.transaction((trx) => replaceDefaults(trx, wanted, formatTimestamp(clock.nowMs())));
}

async function replaceDefaults(trx: Trx, wanted: readonly Wanted[], now: string): Promise<void> {
  // Two servers that start at once would each find none.
  if (hasRowLocks(trx)) await sql`lock table network_segment_ranges in exclusive mode`.execute(trx);
  const standing = await trx.selectFrom("network_segment_ranges").selectAll().where("is_default", "=", 1).execute();
  const keys = new Set(wanted.map(keyOf));
  const kept = new Set<string>();
  for (const row of standing) {
    if (keys.has(keyOf(row)) && !kept.has(keyOf(row))) kept.add(keyOf(row));
    else await trx.deleteFrom("network_segment_ranges").where("id", "=", row.id).execute();
  }
  for (const range of wanted) {
    if (kept.has(keyOf(range))) continue;
    const marks = { is_default: 1, shared: 1, project_id: "", name: "", description: "", tags: "[]" } as const;
    const times = { revision_number: 1, created_at: now, updated_at: now };
    await trx
      .insertInto("network_segment_ranges")
      .values({ id: randomUUID(), ...range, ...marks, ...times, next_id: range.minimum })
      .execute();
  }
}
