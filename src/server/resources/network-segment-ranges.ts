// Ranges of segment ids: where the server takes them from for networks whose creator names none.
import { type Kysely, type Selectable, sql } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import { networkSegmentRangeResource } from "../../types/resources/network-segment-ranges.ts";
import type { ApiPart } from "../api/api-part.ts";
import { registerCollection } from "../api/collection-routes.ts";
import { extension } from "../api/extensions.ts";
import { carrierType } from "../services/network-carriers.ts";
import { common } from "../services/present.ts";
import type { Attributes, RequestContext } from "../services/resource-service.ts";
import { availableIn, readUse } from "../services/segment-range-use.ts";
import { number, type ServiceDeps, text } from "../services/service-deps.ts";
import { newNamedRow, renamed } from "../services/standard-rows.ts";
import { type Change, type Created, madeByAdmins, StandardService, type StandardSpec } from "../services/standard-service.ts";
import type { Trx } from "../store/database.ts";
import { flag, hasRowLocks } from "../store/rows.ts";
import type { Database, NetworkSegmentRangesTable } from "../store/schema.ts";
import { standardColumns } from "../store/list-rows.ts";

type Row = Selectable<NetworkSegmentRangesTable>;

const resource = networkSegmentRangeResource;

export function networkSegmentRangePart(deps: ServiceDeps): ApiPart {
  return {
    resources: [resource],
    extensions: [extension("network-segment-range", "Network segment ranges", "Segment ids that networks may be given.")],
    register: (app) => registerCollection(app, resource, madeByAdmins(new StandardService(deps, spec), resource)),
  };
}

const spec: StandardSpec<Row> = {
  resource,
  listed: {
    table: "network_segment_ranges",
    columns: { ...standardColumns, network_type: "network_type", physical_network: "physical_network" },
    filters: {},
  },
  visible: () => undefined,
  present,
  newRow,
  changedRow: (before, changes) => ({
    ...renamed(before, changes),
    minimum: number(changes["minimum"]) ?? before.minimum,
    maximum: number(changes["maximum"]) ?? before.maximum,
  }),
  checkCreate,
  checkChange,
  checkRemove,
};

function newRow(context: RequestContext, body: Attributes, now: string): Row {
  const isShared = body["shared"] === true;
  return {
    ...newNamedRow(context, body, now),
    ...(isShared ? { project_id: "" } : {}),
    is_default: 0,
    shared: flag(isShared),
    network_type: text(body["network_type"]) ?? "",
    // Blank is none: some clients always send it.
    physical_network: text(body["physical_network"]) || null,
    minimum: number(body["minimum"]) ?? 0,
    maximum: number(body["maximum"]) ?? 0,
    next_id: number(body["minimum"]) ?? 0,
  };
}

function checkRow({ network_type: type, physical_network: physical, minimum, maximum }: Row): void {
  const rules = carrierType(type);
  if (rules === undefined) {
    const why = `Network type ${type} has no segment ranges here: it is vlan or vxlan.`;
    throw new ApiFault("NetworkSegmentRangeNetTypeNotSupported", why);
  }
  if (rules.isPhysical && physical === null) throw invalid(`physical_network is required for network type ${type}`);
  if (!rules.isPhysical && physical !== null) throw invalid(`physical_network is not allowed for network type ${type}`);
  if (minimum > maximum) throw invalid(`minimum ${minimum} is greater than maximum ${maximum}`);
  if (maximum > rules.lastSegment) throw invalid(`maximum ${maximum} is greater than ${rules.lastSegment}, the last ${type}`);
}

const invalid = (why: string): ApiFault =>
  new ApiFault("InvalidInput", `Invalid input for network_segment_range. Reason: ${why}.`);

/** Two ranges that overlap could be made at the same moment. SQLite has one writer and needs nothing. */
async function lockRanges(trx: Trx): Promise<void> {
  if (hasRowLocks(trx)) await sql`select pg_advisory_xact_lock(hashtextextended('network segment ranges', 0))`.execute(trx);
}

async function checkCreate(trx: Trx, { rows }: Created<Row>): Promise<void> {
  await lockRanges(trx);
  for (const [index, row] of rows.entries()) {
    checkRow(row);
    checkApart(row, [...(await readOthers(trx, row)), ...rows.slice(0, index).filter((other) => isNear(row, other))]);
  }
}

const isNear = (one: Row, other: Row): boolean =>
  one.network_type === other.network_type && one.physical_network === other.physical_network;

/** Ranges that administrators made. They may overlap with those of the settings: that is how a project gets ids of its own. */
async function readOthers(trx: Trx, row: Row): Promise<readonly Row[]> {
  const rows = await trx
    .selectFrom("network_segment_ranges")
    .selectAll()
    .where("is_default", "=", 0)
    .where("network_type", "=", row.network_type)
    .where("id", "!=", row.id)
    .execute();
  return rows.filter((other) => isNear(row, other));
}

function checkApart(row: Row, others: readonly Row[]): void {
  const other = others.find(({ minimum, maximum }) => row.minimum <= maximum && row.maximum >= minimum);
  if (other === undefined) return;
  const why = `The range from ${row.minimum} to ${row.maximum} overlaps with network segment range ${other.id}.`;
  throw new ApiFault("NetworkSegmentRangeOverlaps", why);
}

async function checkChange(trx: Trx, { before, after }: Change<Row>): Promise<void> {
  refuseDefault(before);
  checkRow(after);
  if (after.minimum === before.minimum && after.maximum === before.maximum) return;
  await lockRanges(trx);
  checkApart(after, await readOthers(trx, after));
  const left = ([id]: readonly [number, string]): boolean => id < after.minimum || id > after.maximum;
  await refuseUsed(trx, before, left);
}

async function checkRemove(trx: Trx, _context: RequestContext, row: Row): Promise<void> {
  refuseDefault(row);
  await refuseUsed(trx, row, () => true);
}

function refuseDefault({ id, is_default: isDefault }: Row): void {
  if (isDefault === 0) return;
  const why = `Network segment range ${id} is one of the server's settings and cannot be changed or deleted here.`;
  throw new ApiFault("NetworkSegmentRangeDefaultReadOnly", why);
}

async function refuseUsed(trx: Trx, { id }: Row, counts: (use: readonly [number, string]) => boolean): Promise<void> {
  const used = [...((await readUse(trx, [id])).get(id) ?? [])].filter(counts);
  if (used.length === 0) return;
  const why = `Network segment range ${id} is in use: networks have ${used.length} of its segments that it would lose.`;
  throw new ApiFault("NetworkSegmentRangeReferencedByProject", why);
}

async function present(db: Kysely<Database>, rows: readonly Row[]): Promise<readonly Attributes[]> {
  const use = await readUse(
    db,
    rows.map((row) => row.id),
  );
  return rows.map((row) => {
    const used = use.get(row.id) ?? new Map<number, string>();
    const project = row.shared === 1 ? null : row.project_id;
    return {
      ...common(row),
      project_id: project,
      default: row.is_default === 1,
      shared: row.shared === 1,
      network_type: row.network_type,
      physical_network: row.physical_network,
      minimum: row.minimum,
      maximum: row.maximum,
      used: Object.fromEntries(used),
      available: availableIn(row, used),
    };
  });
}
