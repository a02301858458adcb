// The segments of networks as rows: written with their networks, and changed in place, so that what refers to one stays.
import { randomUUID } from "node:crypto";
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";
import type { Carrier, SegmentRow } from "../store/network-segments.ts";
import { chunks, type NetworkRow } from "../store/rows.ts";
import { carrierKey, isUnsettled, wishedCarriers } from "./network-carriers.ts";
import { newNetworkRow } from "./network-rules.ts";
import { defaultNetworkSettings } from "./network-settings.ts";
import type { Attributes, RequestContext } from "./resource-service.ts";
import { SegmentChooser } from "./segment-chooser.ts";
import { projectOf, type ServiceDeps, timestamp } from "./service-deps.ts";

export interface MadeNetwork {
  readonly row: NetworkRow;
  readonly segments: readonly SegmentRow[];
}

/**
 * Networks with what carries them, not written yet: the caller has rules of its own.
 *
 * @param bodies checked attributes of a create.
 */
export async function prepareNetworks(
  trx: Trx,
  deps: ServiceDeps,
  { context, bodies }: { readonly context: RequestContext; readonly bodies: readonly Attributes[] },
): Promise<readonly MadeNetwork[]> {
  const settings = deps.network ?? defaultNetworkSettings;
  const now = timestamp(deps);
  const chooser = new SegmentChooser(trx, settings);
  const made: MadeNetwork[] = [];
  for (const body of bodies) {
    const carriers = await chooser.settle(projectOf(context, body), wishedCarriers(body));
    const row = newNetworkRow(context, body, { now, carriers, settings });
    const segments = carriers.map((carrier, position) => newSegmentRow(carrier, { networkId: row.id, position, now }));
    made.push({ row, segments });
  }
  return made;
}

export async function writeNetworks(trx: Trx, made: readonly MadeNetwork[]): Promise<void> {
  for (const piece of chunks(made.map(({ row }) => row))) await trx.insertInto("networks").values(piece).execute();
  for (const piece of chunks(made.flatMap(({ segments }) => segments))) {
    await trx.insertInto("network_segments").values(piece).execute();
  }
}

export function newSegmentRow(
  { network_type, physical_network, segmentation_id }: Carrier,
  { networkId, position, now }: { readonly networkId: string; readonly position: number; readonly now: string },
): SegmentRow {
  return {
    id: randomUUID(),
    network_id: networkId,
    position,
    ...{ network_type, physical_network, segmentation_id },
    name: null,
    description: "",
    revision_number: 1,
    created_at: now,
    updated_at: now,
  };
}

export const isSameCarrier = (one: Carrier, other: Carrier): boolean => carrierKey(one) === carrierKey(other);

/**
 * What the network is to be carried by from now on. A network with one segment keeps it and changes what it is; of several
 * those stay that are asked for again.
 *
 * @param wishes `undefined`: nothing changes.
 */
export async function changeSegments(
  trx: Trx,
  deps: ServiceDeps,
  { network, before, wishes }: { network: NetworkRow; before: readonly SegmentRow[]; wishes: readonly Carrier[] | undefined },
): Promise<readonly SegmentRow[]> {
  if (wishes === undefined) return before;
  const kept = wishes.map((wish) => (isUnsettled(wish) ? undefined : before.find((row) => isSameCarrier(row, wish))));
  if (kept.length === before.length && kept.every((row, index) => row === before[index])) return before;
  const chooser = new SegmentChooser(trx, deps.network ?? defaultNetworkSettings);
  const now = timestamp(deps);
  const after: SegmentRow[] = [];
  for (const [position, wish] of wishes.entries()) {
    const standing = kept[position];
    if (standing !== undefined) {
      after.push({ ...standing, position });
      continue;
    }
    const [carrier = wish] = await chooser.settle(network.project_id, [wish]);
    const [only] = before.length === 1 && wishes.length === 1 ? before : [];
    if (only === undefined) after.push(newSegmentRow(carrier, { networkId: network.id, position, now }));
    else after.push({ ...only, ...carrier, revision_number: only.revision_number + 1, updated_at: now });
  }
  await writeChange(trx, before, after);
  return after;
}

async function writeChange(trx: Trx, before: readonly SegmentRow[], after: readonly SegmentRow[]): Promise<void> {
  const left = new Set(after.map((row) => row.id));
  const gone = before.filter((row) => !left.has(row.id));
  for (const row of gone) await removeSegment(trx, row.id);
  const known = new Set(before.map((row) => row.id));
  for (const row of after) {
    if (known.has(row.id)) await trx.updateTable("network_segments").set(row).where("id", "=", row.id).execute();
    else await trx.insertInto("network_segments").values(row).execute();
  }
}

/** Throws SegmentInUse while a subnet belongs to it. */
export async function removeSegment(trx: Trx, id: string): Promise<void> {
  const subnet = await trx.selectFrom("subnets").select("id").where("segment_id", "=", id).limit(1).executeTakeFirst();
  if (subnet !== undefined) {
    throw new ApiFault("SegmentInUse", `Segment '${id}' cannot be deleted: subnet ${subnet.id} is associated with it.`);
  }
  await trx.deleteFrom("network_segments").where("id", "=", id).execute();
}
