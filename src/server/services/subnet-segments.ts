// Subnets that belong to one segment of their network: then all of the network do.
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";
import type { SubnetRow } from "../store/rows.ts";

type Placed = Pick<SubnetRow, "id" | "network_id" | "segment_id">;

/** A new subnet; its network is locked. */
export async function checkSubnetSegment(trx: Trx, subnet: Placed): Promise<void> {
  await checkSegment(trx, subnet);
  const others = await trx
    .selectFrom("subnets")
    .select("segment_id")
    .where("network_id", "=", subnet.network_id)
    .where("id", "!=", subnet.id)
    .execute();
  if (others.every((other) => (other.segment_id === null) === (subnet.segment_id === null))) return;
  const why = `Of the subnets of network ${subnet.network_id} either all or none belong to segments.`;
  throw new ApiFault("SubnetsNotAllAssociatedWithSegments", why);
}

/** Only a subnet of a network with one wire can be told which one it is on. */
export async function checkSegmentChange(trx: Trx, before: Placed, after: Placed): Promise<void> {
  if (before.segment_id === after.segment_id) return;
  if (before.segment_id !== null) {
    const why = `Subnet ${before.id} belongs to segment ${before.segment_id} and stays there.`;
    throw new ApiFault("SubnetSegmentAssociationChangeNotAllowed", why);
  }
  await checkSegment(trx, after);
  const segments = await trx.selectFrom("network_segments").select("id").where("network_id", "=", after.network_id).execute();
  const subnets = await trx.selectFrom("subnets").select("id").where("network_id", "=", after.network_id).execute();
  if (segments.length === 1 && subnets.length === 1) return;
  const why = `Subnet ${after.id} cannot be given to a segment: network ${after.network_id} has ${segments.length} segments and ${subnets.length} subnets, and needs one of each.`;
  throw new ApiFault("NoUpdateSubnetWhenMultipleSegmentsOnNetwork", why);
}

async function checkSegment(trx: Trx, { network_id: networkId, segment_id: id }: Placed): Promise<void> {
  if (id === null) return;
  const segment = await trx.selectFrom("network_segments").select("network_id").where("id", "=", id).executeTakeFirst();
  if (segment === undefined) throw new ApiFault("SegmentNotFound", `Segment ${id} could not be found.`);
  if (segment.network_id === networkId) return;
  throw new ApiFault("NetworkIdsDontMatch", `Segment ${id} is part of network ${segment.network_id}, not of ${networkId}.`);
}
