// Limits of projects, as administrators see and set them. A row exists only for what differs from the defaults.
import { ApiFault } from "../../types/api-faults.ts";
import type { Store, Trx } from "../store/database.ts";
import { translated } from "../store/engine-errors.ts";
import { countUsed, defaultLimit, lockQuota, type QuotaDeps, type QuotaName, quotaNames } from "./quota-guard.ts";

export type Limits = Readonly<Record<string, number>>;

export interface QuotaDetail {
  readonly limit: number;
  readonly used: number;
  /** Always 0: what is asked for is counted and made in one transaction. */
  readonly reserved: 0;
}

export class QuotaService {
  readonly #store: Store;
  readonly #deps: QuotaDeps;

  constructor(deps: QuotaDeps & { readonly store: Store }) {
    this.#store = deps.store;
    this.#deps = deps;
  }

  defaults(): Limits {
    return Object.fromEntries(quotaNames.map((name) => [name, defaultLimit(this.#deps, name)]));
  }

  async show(projectId: string): Promise<Limits> {
    const own = await this.#readOwn(projectId);
    return own.get(projectId) ?? this.defaults();
  }

  /** Of all projects that have limits of their own. */
  async list(): Promise<ReadonlyMap<string, Limits>> {
    return this.#readOwn();
  }

  async details(projectId: string): Promise<Readonly<Record<string, QuotaDetail>>> {
    const limits = await this.show(projectId);
    const details: [string, QuotaDetail][] = [];
    for (const resource of quotaNames) {
      const used = await translated(countUsed(this.#store.db, { resource, projectId }));
      details.push([resource, { limit: limits[resource] ?? -1, used, reserved: 0 }]);
    }
    return Object.fromEntries(details);
  }

  /** @param isForced a limit may be below what the project has already */
  async update(projectId: string, limits: Limits, isForced: boolean): Promise<Limits> {
    await this.#store.transaction(async (trx) => {
      // In the order of names, as they are known to all.
      for (const resource of quotaNames) {
        const limit = limits[resource];
        if (limit === undefined) continue;
        await lockQuota(trx, { resource, projectId });
        if (!isForced) await checkUse(trx, { resource, projectId }, limit);
        await trx
          .insertInto("quotas")
          .values({ project_id: projectId, resource, max_count: limit })
          .onConflict((conflict) => conflict.columns(["project_id", "resource"]).doUpdateSet({ max_count: limit }))
          .execute();
      }
    });
    return this.show(projectId);
  }

  /** Back to the defaults. Throws TenantQuotaNotFound when the project has no others. */
  async reset(projectId: string): Promise<void> {
    await this.#store.transaction(async (trx) => {
      const { numDeletedRows } = await trx.deleteFrom("quotas").where("project_id", "=", projectId).executeTakeFirst();
      if (numDeletedRows > 0n) return;
      throw new ApiFault("TenantQuotaNotFound", `Quota for tenant ${projectId} could not be found.`);
    });
  }

  async #readOwn(projectId?: string): Promise<ReadonlyMap<string, Limits>> {
    const rows = await translated(
      this.#store.db
        .selectFrom("quotas")
        .selectAll()
        .$if(projectId !== undefined, (query) => query.where("project_id", "=", projectId ?? ""))
        .orderBy("project_id")
        .execute(),
    );
    const projects = Map.groupBy(rows, (row) => row.project_id);
    const known = new Set<string>(quotaNames);
    return new Map(
      [...projects].map(([id, own]) => {
        const differing = own.filter((row) => known.has(row.resource)).map((row) => [row.resource, row.max_count]);
        return [id, { ...this.defaults(), ...Object.fromEntries(differing) }];
      }),
    );
  }
}

async function checkUse(
  trx: Trx,
  { resource, projectId }: { readonly resource: QuotaName; readonly projectId: string },
  limit: number,
): Promise<void> {
  if (limit < 0) return;
  const used = await countUsed(trx, { resource, projectId });
  if (used <= limit) return;
  throw new ApiFault(
    "InvalidInput",
    `Quota limit ${limit} of ${resource} is below the ${used} that project ${projectId} has; force sets it all the same.`,
  );
}
