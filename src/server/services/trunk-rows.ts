// Trunks as their ports see them.
import type { Kysely, Selectable } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";
import { inChunks } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import type { TrunksTable, TrunkSubportsTable } from "../store/schema-kept.ts";
import type { Attributes } from "./resource-service.ts";

export type TrunkRow = Selectable<TrunksTable>;
export type SubportRow = Selectable<TrunkSubportsTable>;

/** By trunk. */
export async function readSubports(
  db: Kysely<Database>,
  trunkIds: readonly string[],
): Promise<ReadonlyMap<string, readonly SubportRow[]>> {
  const rows = await inChunks(trunkIds, (piece) =>
    db
      .selectFrom("trunk_subports")
      .selectAll()
      .where("trunk_id", "in", piece)
      .orderBy("segmentation_type", "desc")
      .orderBy("segmentation_id")
      .execute(),
  );
  return Map.groupBy(rows, (row) => row.trunk_id);
}

export const presentSubport = ({ port_id, segmentation_type, segmentation_id }: SubportRow): Attributes => ({
  port_id,
  segmentation_type,
  segmentation_id,
});

/** Of ports that are the parent of a trunk, by port: `trunk_details`. One query while there are none. */
export async function readTrunkDetails(
  db: Kysely<Database>,
  portIds: readonly string[],
): Promise<ReadonlyMap<string, Attributes>> {
  const trunks = await inChunks(portIds, (piece) =>
    db.selectFrom("trunks").select(["id", "port_id"]).where("port_id", "in", piece).execute(),
  );
  if (trunks.length === 0) return new Map();
  const subports = await readSubports(
    db,
    trunks.map((trunk) => trunk.id),
  );
  const ids = [...subports.values()].flatMap((rows) => rows.map((row) => row.port_id));
  const ports = await inChunks(ids, (piece) =>
    db.selectFrom("ports").select(["id", "mac_address"]).where("id", "in", piece).execute(),
  );
  const macOf = new Map(ports.map((port) => [port.id, port.mac_address]));
  return new Map(
    trunks.map(({ id, port_id }) => {
      const own = (subports.get(id) ?? []).map((row) => ({ ...presentSubport(row), mac_address: macOf.get(row.port_id) }));
      return [port_id, { trunk_id: id, sub_ports: own }];
    }),
  );
}

/** The port is locked: nobody makes it a part of a trunk meanwhile. */
export async function checkNoTrunk(trx: Trx, portId: string): Promise<void> {
  const trunk = await trx.selectFrom("trunks").select("id").where("port_id", "=", portId).executeTakeFirst();
  if (trunk !== undefined) {
    throw new ApiFault("PortInUseAsTrunkParent", `Port ${portId} is currently a parent port for trunk ${trunk.id}.`);
  }
  const subport = await trx.selectFrom("trunk_subports").select("trunk_id").where("port_id", "=", portId).executeTakeFirst();
  if (subport === undefined) return;
  throw new ApiFault("PortInUseAsSubPort", `Port ${portId} is currently a subport for trunk ${subport.trunk_id}.`);
}
