// Limits of what a project may have, kept exactly: whoever would be one too many is refused, however many ask at once.
import { type Kysely, sql } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";
import { hasRowLocks } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import type { ServiceDeps } from "./service-deps.ts";

/** What is counted, and where; each table has a column project_id. */
const quotaTables = {
  network: "networks",
  subnet: "subnets",
  subnetpool: "subnet_pools",
  port: "ports",
  router: "routers",
  floatingip: "floating_ips",
  rbac_policy: "rbac_policies",
  address_group: "address_groups",
  trunk: "trunks",
  security_group: "security_groups",
  security_group_rule: "security_group_rules",
} as const satisfies Readonly<Record<string, keyof Database>>;

/** What is counted otherwise: those of a project's floating IPs, and the most that a router of the project has. */
const otherQuotas = { port_forwarding: countForwardings, router_route: countRoutes } as const;

export type QuotaName = keyof typeof quotaTables | keyof typeof otherQuotas;

// The casts: of our own keys.
export const quotaNames = [...Object.keys(quotaTables), ...Object.keys(otherQuotas)] as readonly QuotaName[];

export type QuotaDeps = Pick<ServiceDeps, "quotaDefaults">;

/** Where an operator says nothing: nobody is counted, but routers do not grow without end. */
const builtIn: Readonly<Partial<Record<QuotaName, number>>> = { router_route: 30 };

/** Of a project that has no limit of its own; -1: none. */
export const defaultLimit = (deps: QuotaDeps, name: QuotaName): number => deps.quotaDefaults?.[name] ?? builtIn[name] ?? -1;

/**
 * To be called in the transaction that makes the objects, before they are written and after the rows are locked that they depend
 * on. Throws OverQuota. What the server makes for itself takes none, but is counted where it belongs to a project.
 *
 * @param projectIds the project of each new object; repeats count. What is nobody's is not counted.
 */
export async function takeQuota(
  trx: Trx,
  deps: QuotaDeps,
  { resource, projectIds }: { readonly resource: QuotaName; readonly projectIds: readonly string[] },
): Promise<void> {
  const wanted = Map.groupBy(projectIds, (id) => id);
  // In the same order for everybody, so that nobody waits in a circle.
  for (const projectId of [...wanted.keys()].filter((id) => id !== "").sort()) {
    const counted = { resource, projectId };
    const first = await readLimit(trx, deps, counted);
    if (first < 0) continue;
    await lockQuota(trx, counted);
    // Once more: it may have been changed by whoever was waited for.
    const limit = hasRowLocks(trx) ? await readLimit(trx, deps, counted) : first;
    const used = await countUsed(trx, counted);
    if (limit >= 0 && used + (wanted.get(projectId) ?? []).length > limit) throw overQuota(resource);
  }
}

const overQuota = (resource: QuotaName): ApiFault =>
  new ApiFault("OverQuota", `Quota exceeded for resources: ['${resource}'].`);

export interface Counted {
  readonly resource: QuotaName;
  readonly projectId: string;
}

/** Two who count at the same time would both find room. SQLite has one writer and needs nothing. */
export async function lockQuota(trx: Trx, { resource, projectId }: Counted): Promise<void> {
  if (!hasRowLocks(trx)) return;
  await sql`select pg_advisory_xact_lock(hashtextextended(${`quota ${projectId} ${resource}`}, 0))`.execute(trx);
}

/** -1: none. */
export async function readLimit(db: Kysely<Database>, deps: QuotaDeps, { resource, projectId }: Counted): Promise<number> {
  const own = await db
    .selectFrom("quotas")
    .select("max_count")
    .where("project_id", "=", projectId)
    .where("resource", "=", resource)
    .executeTakeFirst();
  return own?.max_count ?? defaultLimit(deps, resource);
}

export async function countUsed(db: Kysely<Database>, { resource, projectId }: Counted): Promise<number> {
  if (resource === "port_forwarding" || resource === "router_route") return otherQuotas[resource](db, projectId);
  const { count } = await db
    .selectFrom(quotaTables[resource] as "networks")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .where("project_id", "=", projectId)
    .executeTakeFirstOrThrow();
  return Number(count);
}

async function countForwardings(db: Kysely<Database>, projectId: string): Promise<number> {
  const { count } = await db
    .selectFrom("port_forwardings")
    .innerJoin("floating_ips", "floating_ips.id", "port_forwardings.floatingip_id")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .where("floating_ips.project_id", "=", projectId)
    .executeTakeFirstOrThrow();
  return Number(count);
}

async function countRoutes(db: Kysely<Database>, projectId: string): Promise<number> {
  const rows = await db
    .selectFrom("routers")
    .select("routes")
    .where("project_id", "=", projectId)
    .where("routes", "!=", "[]")
    .execute();
  // The cast: we wrote it.
  return Math.max(0, ...rows.map((row) => (JSON.parse(row.routes) as readonly unknown[]).length));
}
