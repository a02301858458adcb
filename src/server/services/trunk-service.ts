// Use cases of trunks: kept, with the ports that they would carry; nothing carries them, so their status stays DOWN.
import { type Kysely, type SqlBool, sql } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import { trunkResource } from "../../types/resources/trunks.ts";
import type { Trx } from "../store/database.ts";
import { type Condition, standardColumns } from "../store/list-rows.ts";
import { chunks, flag } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import { common } from "./present.ts";
import type { Attributes, RequestContext } from "./resource-service.ts";
import { type ServiceDeps, text, timestamp } from "./service-deps.ts";
import { changedFlag, newNamedRow, renamed } from "./standard-rows.ts";
import { type ChangeTarget, type Created, StandardService, type StandardSpec } from "./standard-service.ts";
import { presentSubport, readSubports, type SubportRow, type TrunkRow } from "./trunk-rows.ts";
import { checkParent, isBound, lockTrunkPorts, newSubports, type SubportWish } from "./trunk-rules.ts";

/** `undefined`: everything. */
export function visibleTrunks({ isAdmin, projectId }: RequestContext): Condition | undefined {
  return isAdmin ? undefined : sql<SqlBool>`project_id = ${projectId}`;
}

export const trunkService = (deps: ServiceDeps): StandardService<TrunkRow> => new StandardService(deps, spec);

const spec: StandardSpec<TrunkRow> = {
  resource: trunkResource,
  quota: "trunk",
  listed: {
    table: "trunks",
    columns: { ...standardColumns, admin_state_up: "admin_state_up", port_id: "port_id", status: "status" },
    filters: {},
  },
  visible: visibleTrunks,
  present,
  newRow,
  changedRow: (before, changes) => ({
    ...renamed(before, changes),
    admin_state_up: changedFlag(changes, "admin_state_up", before.admin_state_up),
  }),
  checkCreate: checkParents,
  afterCreate: addFirstSubports,
  checkRemove,
};

function newRow(context: RequestContext, body: Attributes, now: string): TrunkRow {
  return {
    ...newNamedRow(context, body, now),
    admin_state_up: flag(body["admin_state_up"] ?? true),
    status: "DOWN",
    port_id: text(body["port_id"]) ?? "",
  };
}

/** The cast: the route has checked the shape. */
const wishesOf = (body: Attributes | undefined): readonly SubportWish[] =>
  (body?.["sub_ports"] ?? []) as readonly SubportWish[];

async function checkParents(trx: Trx, { context, rows, bodies }: Created<TrunkRow>): Promise<void> {
  const parents = rows.map((row) => row.port_id);
  const subports = bodies.flatMap((body) => wishesOf(body).map((wish) => wish.port_id));
  const ports = await lockTrunkPorts(trx, context, [...parents, ...subports]);
  for (const [index, id] of parents.entries()) {
    const port = ports.get(id);
    if (port !== undefined) await checkParent(trx, port);
    if (parents.indexOf(id) === index) continue;
    throw new ApiFault("PortInUseAsTrunkParent", `Port ${id} is given as the parent port of several trunks.`);
  }
}

async function addFirstSubports(trx: Trx, { context, rows, bodies }: Created<TrunkRow>): Promise<void> {
  for (const [index, trunk] of rows.entries()) {
    await insertSubports(trx, context, { trunk, wishes: wishesOf(bodies[index]), held: [] });
  }
}

interface Addition {
  readonly trunk: TrunkRow;
  readonly wishes: readonly SubportWish[];
  readonly held: readonly SubportRow[];
}

async function insertSubports(trx: Trx, context: RequestContext, { trunk, wishes, held }: Addition): Promise<void> {
  if (wishes.length === 0) return;
  // The parent may be another's, on a network of the caller's once; it was seen when the trunk was made.
  const everybody = { ...context, isAdmin: true };
  const parent = await lockTrunkPorts(trx, everybody, [trunk.port_id]);
  const others = await lockTrunkPorts(
    trx,
    context,
    wishes.map((wish) => wish.port_id),
  );
  const rows = await newSubports(trx, { trunk, ports: new Map([...others, ...parent]), wishes, held });
  for (const piece of chunks(rows)) await trx.insertInto("trunk_subports").values(piece).execute();
}

export function addSubports(deps: ServiceDeps, target: ChangeTarget, wishes: readonly SubportWish[]): Promise<Attributes> {
  return changeSubports(deps, target, (trx, trunk, held) => insertSubports(trx, target.context, { trunk, wishes, held }));
}

export function removeSubports(deps: ServiceDeps, target: ChangeTarget, portIds: readonly string[]): Promise<Attributes> {
  return changeSubports(deps, target, async (trx, trunk, held) => {
    const missing = portIds.find((id) => !held.some((row) => row.port_id === id));
    if (missing !== undefined) {
      const message = `SubPort on trunk ${trunk.id} with parent port ${missing} could not be found.`;
      throw new ApiFault("SubPortNotFound", message);
    }
    for (const piece of chunks(portIds)) {
      await trx.deleteFrom("trunk_subports").where("trunk_id", "=", trunk.id).where("port_id", "in", piece).execute();
    }
  });
}

type Work = (trx: Trx, trunk: TrunkRow, held: readonly SubportRow[]) => Promise<void>;

function changeSubports(deps: ServiceDeps, target: ChangeTarget, work: Work): Promise<Attributes> {
  return deps.store.transaction(async (trx) => {
    const before = await trunkService(deps).lockOwn(trx, target.context, target);
    checkEnabled(before);
    await work(trx, before, (await readSubports(trx, [before.id])).get(before.id) ?? []);
    const row = { ...before, revision_number: before.revision_number + 1, updated_at: timestamp(deps) };
    await trx.updateTable("trunks").set(row).where("id", "=", row.id).execute();
    const [answer = {}] = await present(trx, [row]);
    return answer;
  });
}

function checkEnabled({ id, admin_state_up }: TrunkRow): void {
  if (admin_state_up === 0) throw new ApiFault("TrunkDisabled", `Trunk ${id} is currently disabled.`);
}

async function checkRemove(trx: Trx, context: RequestContext, trunk: TrunkRow): Promise<void> {
  checkEnabled(trunk);
  const { id, port_id } = trunk;
  const parent = (await lockTrunkPorts(trx, { ...context, isAdmin: true }, [port_id])).get(port_id);
  if (parent !== undefined && isBound(parent)) throw new ApiFault("TrunkInUse", `Trunk ${id} is currently in use.`);
}

async function present(db: Kysely<Database>, rows: readonly TrunkRow[]): Promise<readonly Attributes[]> {
  const subports = await readSubports(
    db,
    rows.map((row) => row.id),
  );
  return rows.map((row) => ({
    ...common(row),
    admin_state_up: row.admin_state_up === 1,
    port_id: row.port_id,
    status: row.status,
    sub_ports: (subports.get(row.id) ?? []).map(presentSubport),
  }));
}
