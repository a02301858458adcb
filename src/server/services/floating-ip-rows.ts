// Reading, locking and writing floating IPs. A floating IP that a router serves is locked after that router, as those who move
// routers between hosts do; whoever writes one tells the agents in the same step.
import { type Kysely, type SqlBool, sql } from "kysely";
import type { FloatingIpItem } from "../../types/l3-messages.ts";
import type { Trx } from "../store/database.ts";
import { floatingIpItem, goneItem, readGatewayPorts } from "../store/floating-ip-items.ts";
import type { Condition } from "../store/list-rows.ts";
import { lockRouterRows, readRouterHosts, recordFloatingIps } from "../store/router-hosts.ts";
import { type FloatingIpRow, hasRowLocks } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import type { RequestContext } from "./resource-service.ts";
import { audienceOf, bumpRouters } from "./router-rows.ts";
import { checkRevision, notFound, type ServiceDeps, timestamp } from "./service-deps.ts";

/** `undefined`: everything. */
export function visibleFloatingIps({ isAdmin, projectId }: RequestContext): Condition | undefined {
  return isAdmin ? undefined : sql<SqlBool>`project_id = ${projectId}`;
}

const seesFloatingIp = ({ isAdmin, projectId }: RequestContext, row: FloatingIpRow): boolean =>
  isAdmin || row.project_id === projectId;

export async function findFloatingIp(db: Kysely<Database>, context: RequestContext, id: string): Promise<FloatingIpRow> {
  const row = await db.selectFrom("floating_ips").selectAll().where("id", "=", id).executeTakeFirst();
  if (row === undefined || !seesFloatingIp(context, row)) throw notFound("floatingip", id);
  return row;
}

export interface FloatingIpLock {
  readonly context: RequestContext;
  readonly id: string;
  readonly expectedRevision?: number | undefined;
  /** Routers that may serve it afterwards. */
  readonly targets?: readonly string[];
}

/** With the router that serves it. Throws FloatingIPNotFound for what the caller does not see. */
export async function lockFloatingIp(trx: Trx, lock: FloatingIpLock): Promise<FloatingIpRow> {
  const { context, id, expectedRevision, targets } = lock;
  const [row] = await lockFloatingIps(trx, [id], targets);
  if (row === undefined || !seesFloatingIp(context, row)) throw notFound("floatingip", id);
  checkRevision("floatingip", id, row.revision_number, expectedRevision);
  return row;
}

/**
 * What is gone is left out.
 *
 * @param targets routers that may serve them afterwards: routers are locked before floating IPs, by everybody
 */
export async function lockFloatingIps(
  trx: Trx,
  ids: readonly string[],
  targets: readonly string[] = [],
): Promise<readonly FloatingIpRow[]> {
  const wanted = [...new Set(ids)].sort();
  if (wanted.length === 0) return [];
  const seen = await trx.selectFrom("floating_ips").select("router_id").where("id", "in", wanted).execute();
  let routers = [...targets, ...routersOf(seen)];
  for (;;) {
    await mark(trx, "savepoint");
    await lockRouterRows(trx, routers);
    const rows = await trx
      .selectFrom("floating_ips")
      .selectAll()
      .where("id", "in", wanted)
      .orderBy("id")
      .$if(hasRowLocks(trx), (query) => query.forUpdate())
      .execute();
    const missing = routersOf(rows).filter((id) => !routers.includes(id));
    if (missing.length === 0) return rows;
    // Moved before it was locked. To lock its router now would be the wrong order: all locks are given back first.
    await mark(trx, "rollback to");
    routers = [...routers, ...missing];
  }
}

async function mark(trx: Trx, verb: "savepoint" | "rollback to"): Promise<void> {
  if (hasRowLocks(trx)) await sql`${sql.raw(verb)} floating_ip_locks`.execute(trx);
}

const routersOf = (rows: readonly { readonly router_id: string | null }[]): readonly string[] =>
  rows.flatMap((row) => row.router_id ?? []);

/** Where it leads: all three or none; with port forwardings only the router. */
export type Association = Pick<FloatingIpRow, "fixed_port_id" | "fixed_ip_address" | "router_id">;

export const noAssociation: Association = { fixed_port_id: null, fixed_ip_address: null, router_id: null };

const associationOf = ({ fixed_port_id, fixed_ip_address, router_id }: FloatingIpRow): Association => ({
  fixed_port_id,
  fixed_ip_address,
  router_id,
});

/** The routers of both associations are locked. The same association again changes nothing. */
export async function writeAssociation(
  trx: Trx,
  deps: ServiceDeps,
  { before, association }: { readonly before: FloatingIpRow; readonly association: Association },
): Promise<FloatingIpRow> {
  if (JSON.stringify(associationOf(before)) === JSON.stringify(association)) return before;
  const revision = before.revision_number + 1;
  const row: FloatingIpRow = {
    ...before,
    ...association,
    revision_number: revision,
    updated_at: timestamp(deps),
    last_known_router_id: association.router_id ?? before.router_id ?? before.last_known_router_id,
    ...(await nextStatus(trx, deps, { before, association })),
    status_from_revision: revision,
  };
  await trx.updateTable("floating_ips").set(row).where("id", "=", row.id).execute();
  await tellFloatingIp(trx, deps, { before, after: row });
  return row;
}

/** What leads nowhere works until its agent has taken it away; without an agent it does not. */
async function nextStatus(
  trx: Trx,
  deps: ServiceDeps,
  { before, association }: { readonly before: FloatingIpRow; readonly association: Association },
): Promise<Pick<FloatingIpRow, "status" | "status_reason">> {
  const down = { status: "DOWN", status_reason: null };
  if (association.router_id !== null || before.router_id === null) return down;
  const hosts = await readRouterHosts(trx, [before.router_id], audienceOf(deps));
  return hosts.length === 0 ? down : { status: before.status, status_reason: before.status_reason };
}

/** To the agents of the routers that served it before and serve it now; new revisions for both. */
export async function tellFloatingIp(
  trx: Trx,
  deps: ServiceDeps,
  { before, after }: { readonly before: FloatingIpRow | undefined; readonly after: FloatingIpRow | undefined },
): Promise<void> {
  const items: FloatingIpItem[] = [];
  const { router_id: old } = before ?? noAssociation;
  if (before !== undefined && old !== null && after?.router_id !== old) {
    const revision = after?.revision_number ?? before.revision_number + 1;
    items.push(goneItem("floating-ip", { id: before.id, router: old, revision }));
  }
  if (after !== undefined) {
    items.push(...floatingIpItem(after, await readGatewayPorts(trx, routersOf([after]))));
  }
  await recordFloatingIps(trx, items, audienceOf(deps));
  await bumpRouters(trx, deps, routersOf([before ?? noAssociation, after ?? noAssociation]));
}
