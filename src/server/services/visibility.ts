// Who sees which network, subnet and port: one's own, what is shared, and (ports) everything on one's own network. The compute
// side (role service) sees all three of everybody.
import { type Kysely, type RawBuilder, type SqlBool, sql } from "kysely";
import type { Store, Trx } from "../store/database.ts";
import type { Condition } from "../store/list-rows.ts";
import { locksRows, type NetworkRow } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import type { RequestContext } from "./resource-service.ts";
import { notFound } from "./service-deps.ts";
import type { SharedAction } from "./shared-objects.ts";

/** Of others: shared, or a way out. */
const usableNetworks = (projectId: string): RawBuilder<unknown> =>
  sql`select object_id from rbac_policies where object_type = 'network' and target_project in ('*', ${projectId})`;

const sharedNetworks = (projectId: string): RawBuilder<unknown> =>
  sql`${usableNetworks(projectId)} and action = 'access_as_shared'`;

/** `undefined`: everything. */
export function visibleNetworks({ isAdmin, isService, projectId }: RequestContext): Condition | undefined {
  if (isAdmin || isService) return undefined;
  return sql<SqlBool>`(project_id = ${projectId} or id in (${usableNetworks(projectId)}))`;
}

/** Not those of an external network: whoever may only leave by it need not know them. */
export function visibleSubnets({ isAdmin, isService, projectId }: RequestContext): Condition | undefined {
  if (isAdmin || isService) return undefined;
  const own = sql`select id from networks where project_id = ${projectId}`;
  return sql<SqlBool>`(project_id = ${projectId} or network_id in (${own}) or network_id in (${sharedNetworks(projectId)}))`;
}

export function visiblePorts(context: RequestContext): Condition | undefined {
  if (managesPorts(context)) return undefined;
  const { projectId } = context;
  return sql<SqlBool>`(project_id = ${projectId} or network_id in (select id from networks where project_id = ${projectId}))`;
}

export async function seesNetwork(db: Kysely<Database>, context: RequestContext, row: NetworkRow): Promise<boolean> {
  return ownsNetwork(context, row) || row.shared === 1 || (await isUsable(db, row.id, context));
}

export function ownsNetwork(context: RequestContext, row: NetworkRow): boolean {
  return context.isAdmin || row.project_id === context.projectId;
}

/** With everybody or the caller; an external network alone is not: it is only a way out. */
export async function isSharedWith(db: Kysely<Database>, context: RequestContext, row: NetworkRow): Promise<boolean> {
  return row.shared === 1 || (await isUsable(db, row.id, context, "access_as_shared"));
}

/** The same, for whom it makes a difference: the owner of a network needs no share of it, and costs no look. */
export async function isGuestOn(db: Kysely<Database>, context: RequestContext, row: NetworkRow): Promise<boolean> {
  return !ownsNetwork(context, row) && !managesPorts(context) && (await isSharedWith(db, context, row));
}

async function isUsable(
  db: Kysely<Database>,
  id: string,
  { projectId }: RequestContext,
  action?: SharedAction,
): Promise<boolean> {
  const policy = await db
    .selectFrom("rbac_policies")
    .select("id")
    .where("object_type", "=", "network")
    .where("object_id", "=", id)
    .where("target_project", "in", ["*", projectId])
    .$if(action !== undefined, (query) => query.where("action", "=", action ?? ""))
    .limit(1)
    .executeTakeFirst();
  return policy !== undefined;
}

/** Reads and writes ports of every project. */
export const managesPorts = ({ isAdmin, isService }: RequestContext): boolean => isAdmin || isService === true;

/**
 * `member`: the network stays and keeps its subnets while this transaction runs; others may do the same.
 * `whole`: nobody adds or removes subnets or ports meanwhile.
 */
export type NetworkLock = "member" | "whole";

/** Throws NetworkNotFound for what the caller does not see. */
export async function lockNetwork(
  trx: Trx,
  store: Store,
  { context, id, lock }: { context: RequestContext; id: string; lock: NetworkLock },
): Promise<NetworkRow> {
  const row = await trx
    .selectFrom("networks")
    .selectAll()
    .where("id", "=", id)
    .$if(locksRows(store.dialect), (query) => (lock === "whole" ? query.forUpdate() : query.forKeyShare()))
    .executeTakeFirst();
  if (row === undefined || !(await seesNetwork(trx, context, row))) throw notFound("network", id);
  return row;
}
