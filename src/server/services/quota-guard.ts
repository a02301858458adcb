// Limits of what a project may have, kept exactly: whoever would be one too many is refused, however many ask at once.
import { sql } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";
import { locksRows } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import type { ServiceDeps } from "./service-deps.ts";

/** What is counted, and where; each table has a column project_id. */
export const quotaTables = {
  network: "networks",
  subnet: "subnets",
  subnetpool: "subnet_pools",
  port: "ports",
  router: "routers",
  floatingip: "floating_ips",
  rbac_policy: "rbac_policies",
  security_group: "security_groups",
  security_group_rule: "security_group_rules",
} as const satisfies Readonly<Record<string, keyof Database>>;

export type QuotaName = keyof typeof quotaTables;

/**
 * To be called in the transaction that makes the objects, before they are written. Throws OverQuota.
 *
 * @param projectIds the project of each new object; repeats count.
 */
export async function takeQuota(
  trx: Trx,
  deps: Pick<ServiceDeps, "store" | "quotaDefaults">,
  { resource, projectIds }: { readonly resource: QuotaName; readonly projectIds: readonly string[] },
): Promise<void> {
  for (const [projectId, wanted] of Map.groupBy(projectIds, (id) => id)) {
    const limit = await readLimit(trx, deps, { resource, projectId });
    if (limit < 0) continue;
    // Two who count at the same time would both find room. SQLite has one writer and needs nothing.
    if (locksRows(deps.store.dialect)) {
      await sql`select pg_advisory_xact_lock(hashtextextended(${`quota ${projectId} ${resource}`}, 0))`.execute(trx);
    }
    const used = await countUsed(trx, { resource, projectId });
    if (used + wanted.length > limit) throw new ApiFault("OverQuota", `Quota exceeded for resources: ['${resource}'].`);
  }
}

interface Counted {
  readonly resource: QuotaName;
  readonly projectId: string;
}

/** -1: none. */
async function readLimit(
  trx: Trx,
  deps: Pick<ServiceDeps, "quotaDefaults">,
  { resource, projectId }: Counted,
): Promise<number> {
  const own = await trx
    .selectFrom("quotas")
    .select("max_count")
    .where("project_id", "=", projectId)
    .where("resource", "=", resource)
    .executeTakeFirst();
  return own?.max_count ?? deps.quotaDefaults?.[resource] ?? -1;
}

async function countUsed(trx: Trx, { resource, projectId }: Counted): Promise<number> {
  const { count } = await trx
    .selectFrom(quotaTables[resource] as "networks")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .where("project_id", "=", projectId)
    .executeTakeFirstOrThrow();
  return Number(count);
}
