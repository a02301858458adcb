// Reading, locking and changing routers with the ports that they are made of. The row of a router is locked before anything
// else of it is looked at; see store/router-hosts.ts.
import { type Kysely, type SqlBool, sql } from "kysely";
import type { Condition } from "../store/list-rows.ts";
import type { Database } from "../store/schema.ts";
import type { Trx } from "../store/database.ts";
import { lockRouterRows, recordRouters } from "../store/router-hosts.ts";
import { inChunks, type RouterRow } from "../store/rows.ts";
import { type PortWithAddresses, withAddresses } from "./port-rows.ts";
import type { RequestContext } from "./resource-service.ts";
import { checkRevision, notFound, type ServiceDeps, timestamp } from "./service-deps.ts";

export type RouterPortKind = "interface" | "gateway" | "ha";

export interface RouterPort extends PortWithAddresses {
  readonly kind: RouterPortKind;
}

/** `undefined`: everything. */
export function visibleRouters({ isAdmin, projectId }: RequestContext): Condition | undefined {
  return isAdmin ? undefined : sql<SqlBool>`project_id = ${projectId}`;
}

/** Throws RouterNotFound for what the caller does not see. */
export async function lockRouter(
  trx: Trx,
  {
    context,
    id,
    expectedRevision,
    lock = "update",
  }: {
    readonly context: RequestContext;
    readonly id: string;
    readonly expectedRevision?: number | undefined;
    readonly lock?: "update" | "delete";
  },
): Promise<RouterRow> {
  const [router] = await lockRouterRows(trx, [id], lock);
  if (router === undefined || !(context.isAdmin || router.project_id === context.projectId)) throw notFound("router", id);
  checkRevision("router", id, router.revision_number, expectedRevision);
  return router;
}

/** Of one router or several, by router. */
export async function readRouterPorts(
  db: Kysely<Database>,
  routerIds: readonly string[],
): Promise<ReadonlyMap<string, readonly RouterPort[]>> {
  const links = await inChunks(routerIds, (piece) =>
    db
      .selectFrom("router_ports")
      .select(["port_id", "router_id", "kind"])
      .where("router_id", "in", piece)
      .orderBy("port_id")
      .execute(),
  );
  const rows = await inChunks(
    links.map((link) => link.port_id),
    (piece) => db.selectFrom("ports").selectAll().where("id", "in", piece).execute(),
  );
  const ports = new Map((await withAddresses(db, rows)).map((port) => [port.row.id, port]));
  const found = links.flatMap((link) => {
    const port = ports.get(link.port_id);
    return port === undefined ? [] : [{ ...port, kind: link.kind, routerId: link.router_id }];
  });
  return Map.groupBy(found, (port) => port.routerId);
}

export async function readPortsOf(trx: Trx, routerId: string): Promise<readonly RouterPort[]> {
  return (await readRouterPorts(trx, [routerId])).get(routerId) ?? [];
}

/** Routers that have a port on the network, or their way out there, locked. */
export async function lockRoutersOn(trx: Trx, networkId: string, kind?: RouterPortKind): Promise<readonly RouterRow[]> {
  const rows = await trx
    .selectFrom("router_ports")
    .innerJoin("ports", "ports.id", "router_ports.port_id")
    .select("router_ports.router_id")
    .distinct()
    .where("ports.network_id", "=", networkId)
    .$if(kind !== undefined, (query) => query.where("router_ports.kind", "=", kind ?? "gateway"))
    .execute();
  if (rows.length === 0) return [];
  return lockRouterRows(
    trx,
    rows.map((row) => row.router_id),
  );
}

/**
 * After a change of what routers are made of: a new revision each, and everybody who hosts them is told how they are now.
 *
 * @param wakes what a client did to the router itself: one that was taken from its agents by hand may be given to others again
 */
export async function touchRouters(
  trx: Trx,
  deps: ServiceDeps,
  { ids, wakes = false }: { readonly ids: readonly string[]; readonly wakes?: boolean },
): Promise<void> {
  if (ids.length === 0) return;
  await lockRouterRows(trx, ids);
  const updatedAt = timestamp(deps);
  await inChunks([...new Set(ids)].sort(), async (piece) => {
    await trx
      .updateTable("routers")
      .set((eb) => ({
        revision_number: eb("revision_number", "+", 1),
        status_from_revision: eb("revision_number", "+", 1),
        updated_at: updatedAt,
        ...(wakes ? { is_parked: 0 as const } : {}),
      }))
      .where("id", "in", piece)
      .execute();
    return [];
  });
  await recordRouters(trx, [...new Set(ids)].sort(), audienceOf(deps));
}

/**
 * A new revision for routers of which agents see no difference: their floating IPs changed. The rows are locked. One that was
 * taken from its agents by hand may be given to others again.
 */
export async function bumpRouters(trx: Trx, deps: ServiceDeps, ids: readonly string[]): Promise<void> {
  const updatedAt = timestamp(deps);
  await inChunks([...new Set(ids)].sort(), async (piece) => {
    await trx
      .updateTable("routers")
      .set((eb) => ({ revision_number: eb("revision_number", "+", 1), updated_at: updatedAt, is_parked: 0 }))
      .where("id", "in", piece)
      .execute();
    return [];
  });
}

export const audienceOf = (deps: ServiceDeps): { readonly servesDisabled: boolean } => ({
  servesDisabled: deps.servesDisabled === true,
});

/** For what happens to a network: the routers on it hear of it with the network as it is then. */
export async function touchRoutersOn(trx: Trx, deps: ServiceDeps, networkId: string): Promise<void> {
  const routers = await lockRoutersOn(trx, networkId);
  await touchRouters(trx, deps, { ids: routers.map((router) => router.id) });
}
