// Who sees which network, subnet and port: one's own, what is shared, and (ports) everything on one's own network. The compute
// side (role service) sees all three of everybody.
import { type SqlBool, sql } from "kysely";
import type { Store, Trx } from "../store/database.ts";
import type { Condition } from "../store/list-rows.ts";
import { locksRows, type NetworkRow } from "../store/rows.ts";
import type { RequestContext } from "./resource-service.ts";
import { notFound } from "./service-deps.ts";

/** `undefined`: everything. */
export function visibleNetworks({ isAdmin, isService, projectId }: RequestContext): Condition | undefined {
  if (isAdmin || isService) return undefined;
  return sql<SqlBool>`(project_id = ${projectId} or shared = 1 or is_external = 1)`;
}

export function visibleSubnets({ isAdmin, isService, projectId }: RequestContext): Condition | undefined {
  if (isAdmin || isService) return undefined;
  const networks = sql`select id from networks where project_id = ${projectId} or shared = 1 or is_external = 1`;
  return sql<SqlBool>`(project_id = ${projectId} or network_id in (${networks}))`;
}

export function visiblePorts(context: RequestContext): Condition | undefined {
  if (managesPorts(context)) return undefined;
  const { projectId } = context;
  return sql<SqlBool>`(project_id = ${projectId} or network_id in (select id from networks where project_id = ${projectId}))`;
}

export function seesNetwork(context: RequestContext, row: NetworkRow): boolean {
  return ownsNetwork(context, row) || row.shared === 1 || row.is_external === 1;
}

export function ownsNetwork(context: RequestContext, row: NetworkRow): boolean {
  return context.isAdmin || row.project_id === context.projectId;
}

/** With others than its owner; an external network alone is not: it is only a way out. */
export const isShared = (row: NetworkRow): boolean => row.shared === 1;

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
  if (row === undefined || !seesNetwork(context, row)) throw notFound("network", id);
  return row;
}
