// Which ports may become parts of a trunk, and as what.
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";
import { readSegments } from "../store/network-segments.ts";
import { hasRowLocks, inChunks, type PortRow } from "../store/rows.ts";
import type { RequestContext } from "./resource-service.ts";
import { notFound } from "./service-deps.ts";
import { checkNoTrunk, type SubportRow, type TrunkRow } from "./trunk-rows.ts";
import { visiblePorts } from "./visibility.ts";

export interface SubportWish {
  readonly port_id: string;
  readonly segmentation_type?: string | undefined;
  readonly segmentation_id?: number | undefined;
}

/** Locks the ports in the order of their ids. Throws PortNotFound for what the caller does not see. */
export async function lockTrunkPorts(
  trx: Trx,
  context: RequestContext,
  ids: readonly string[],
): Promise<ReadonlyMap<string, PortRow>> {
  const visible = visiblePorts(context);
  const rows = await inChunks([...new Set(ids)].sort(), (piece) =>
    trx
      .selectFrom("ports")
      .selectAll()
      .where("id", "in", piece)
      .$if(visible !== undefined, (query) => (visible === undefined ? query : query.where(visible)))
      .orderBy("id")
      .$if(hasRowLocks(trx), (query) => query.forUpdate())
      .execute(),
  );
  const ports = new Map(rows.map((row) => [row.id, row]));
  const missing = ids.find((id) => !ports.has(id));
  if (missing !== undefined) throw notFound("port", missing);
  return ports;
}

export const isBound = (port: PortRow): boolean => port.binding_host_id !== "";

/** The port is locked. */
export async function checkParent(trx: Trx, port: PortRow): Promise<void> {
  await checkNoTrunk(trx, port.id);
  if (!isBound(port) && port.device_id === "") return;
  const message = `Port ${port.id} is currently in use and is not eligible for use as a parent port.`;
  throw new ApiFault("ParentPortInUse", message);
}

interface Joining {
  readonly trunk: TrunkRow;
  /** All locked, the parent too. */
  readonly ports: ReadonlyMap<string, PortRow>;
  readonly wishes: readonly SubportWish[];
  /** That the trunk has already. */
  readonly held: readonly SubportRow[];
}

/** The rows of new subports, in the order of the wishes. */
export async function newSubports(trx: Trx, { trunk, ports, wishes, held }: Joining): Promise<readonly SubportRow[]> {
  const mtus = await readMtus(trx, [...ports.values()]);
  const parent = ports.get(trunk.port_id);
  const rows: SubportRow[] = [];
  for (const wish of wishes) {
    const port = ports.get(wish.port_id);
    if (port === undefined) throw notFound("port", wish.port_id);
    if (port.id === trunk.port_id) {
      throw new ApiFault(
        "ParentPortInUse",
        `Port ${port.id} is the parent port of trunk ${trunk.id} and not eligible for its subport.`,
      );
    }
    if (rows.some((row) => row.port_id === port.id)) {
      throw new ApiFault("InvalidInput", `Invalid input for operation: port ${port.id} is given twice.`);
    }
    await checkNoTrunk(trx, port.id);
    checkUnused(port);
    checkMtuFits(trunk, { port, mtus, limit: mtus.get(parent?.network_id ?? "") });
    const row = { port_id: port.id, trunk_id: trunk.id, ...(await segmentationOf(trx, wish, port)) };
    checkDistinct(row, [...held, ...rows]);
    rows.push(row);
  }
  return rows;
}

function checkUnused(port: PortRow): void {
  if (!isBound(port) && port.device_id === "") return;
  throw new ApiFault(
    "PortInUse",
    `Unable to complete operation on port ${port.id} for network ${port.network_id}. Port already has an attached device ${port.device_id}.`,
  );
}

async function readMtus(trx: Trx, ports: readonly PortRow[]): Promise<ReadonlyMap<string, number>> {
  const ids = [...new Set(ports.map((port) => port.network_id))];
  const rows = await inChunks(ids, (piece) =>
    trx.selectFrom("networks").select(["id", "mtu"]).where("id", "in", piece).execute(),
  );
  return new Map(rows.map((row) => [row.id, row.mtu]));
}

function checkMtuFits(
  trunk: TrunkRow,
  {
    port,
    mtus,
    limit,
  }: { readonly port: PortRow; readonly mtus: ReadonlyMap<string, number>; readonly limit: number | undefined },
): void {
  const mtu = mtus.get(port.network_id);
  if (mtu === undefined || limit === undefined || mtu <= limit) return;
  throw new ApiFault(
    "SubPortMtuGreaterThanTrunkPortMtu",
    `MTU ${mtu} of subport ${port.id} cannot be greater than MTU ${limit} of the parent port of trunk ${trunk.id}.`,
  );
}

const firstVlan = 1;
const lastVlan = 4094;

async function segmentationOf(
  trx: Trx,
  { segmentation_type: type, segmentation_id: id }: SubportWish,
  port: PortRow,
): Promise<Pick<SubportRow, "segmentation_type" | "segmentation_id">> {
  if (type === "inherit") return { segmentation_type: "vlan", segmentation_id: await vlanOf(trx, port) };
  if (type === undefined || id === undefined) {
    throw invalid(`segmentation_type and segmentation_id of subport ${port.id} are needed.`);
  }
  if (id < firstVlan || id > lastVlan) {
    throw invalid(`segmentation_id ${id} of subport ${port.id} is not in the range [${firstVlan}, ${lastVlan}] of VLAN ids.`);
  }
  return { segmentation_type: type, segmentation_id: id };
}

const invalid = (reason: string): ApiFault => new ApiFault("InvalidInput", `Invalid input for operation: ${reason}`);

/** Of the network that the port is on. */
async function vlanOf(trx: Trx, port: PortRow): Promise<number> {
  const segments = (await readSegments(trx, [port.network_id])).get(port.network_id) ?? [];
  const [segment, ...others] = segments;
  if (others.length === 0 && segment?.network_type === "vlan" && segment.segmentation_id !== null)
    return segment.segmentation_id;
  throw invalid(`subport ${port.id} cannot inherit a VLAN id: its network ${port.network_id} is not carried by a VLAN.`);
}

function checkDistinct(row: SubportRow, others: readonly SubportRow[]): void {
  const isSame = (other: SubportRow): boolean =>
    other.segmentation_type === row.segmentation_type && other.segmentation_id === row.segmentation_id;
  if (!others.some(isSame)) return;
  throw new ApiFault(
    "DuplicateSubPort",
    `segmentation_type ${row.segmentation_type} and segmentation_id ${row.segmentation_id} already in use on trunk ${row.trunk_id}.`,
  );
}
