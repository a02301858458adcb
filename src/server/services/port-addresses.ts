// Where a port's wishes meet its network's subnets.
import { ApiFault } from "../../types/api-faults.ts";
import type { FixedIpRequest } from "../ipam/address-slots.ts";
import type { Trx } from "../store/database.ts";
import { inChunks, type SubnetRow } from "../store/rows.ts";
import { notFound } from "./service-deps.ts";

/** By network, oldest first. */
export async function readSubnets(trx: Trx, networkIds: readonly string[]): Promise<Map<string, SubnetRow[]>> {
  const rows = await inChunks(networkIds, (piece) =>
    trx.selectFrom("subnets").selectAll().where("network_id", "in", piece).orderBy("created_at").orderBy("id").execute(),
  );
  return Map.groupBy(rows, (row) => row.network_id);
}

/** A subnet of another network is a mistake of the client's (400), one that is nowhere is not found (404). */
export async function checkSubnetsBelong(
  trx: Trx,
  networkId: string,
  { subnets, fixedIps }: { subnets: readonly SubnetRow[]; fixedIps: readonly FixedIpRequest[] | undefined },
): Promise<void> {
  const known = new Set(subnets.map((subnet) => subnet.id));
  const foreign = fixedIps?.find((ip) => ip.subnet_id !== undefined && !known.has(ip.subnet_id))?.subnet_id;
  if (foreign === undefined) return;
  const subnet = await trx.selectFrom("subnets").select("id").where("id", "=", foreign).executeTakeFirst();
  if (subnet === undefined) throw notFound("subnet", foreign);
  throw new ApiFault(
    "InvalidInput",
    `fixed_ips of a port on network ${networkId} include subnet ${foreign}, which is on another network`,
  );
}
