// Subnet pools: addresses that blocks for subnets are taken from.
import { ApiFault } from "../../types/api-faults.ts";
import { subnetPoolResource } from "../../types/resources/subnet-pools.ts";
import type { ApiPart } from "../api/api-part.ts";
import { registerCollection } from "../api/collection-routes.ts";
import { extension } from "../api/extensions.ts";
import { registerSubnetPoolActions } from "../api/subnet-pool-action-routes.ts";
import type { Attributes, RequestContext } from "../services/resource-service.ts";
import type { ServiceDeps } from "../services/service-deps.ts";
import { forgetSharing, presentShared, shareAsAsked, sharedFilter, sharedSort, visibleObjects } from "../services/sharing.ts";
import { type Change, type Created, StandardService, type StandardSpec } from "../services/standard-service.ts";
import { SubnetPoolActions } from "../services/subnet-pool-actions.ts";
import { changedPoolRow, newPoolRow } from "../services/subnet-pool-rules.ts";
import {
  checkScope,
  checkScopeOwned,
  lockNetworksOfPool,
  needsScopeCheck,
  rescopeNetworks,
} from "../services/subnet-pool-scopes.ts";
import type { Trx } from "../store/database.ts";
import type { SubnetPoolRow } from "../store/rows.ts";
import { standardColumns } from "../store/list-rows.ts";

const type = "subnetpool";

export function subnetPoolPart(deps: ServiceDeps): ApiPart {
  const pools = new StandardService(deps, specOf(deps));
  return {
    resources: [subnetPoolResource],
    extensions: [
      extension("subnet_allocation", "Subnet pools", "Blocks for subnets are taken from pools."),
      extension("default-subnetpools", "Default subnet pools", "Pools that are used when none is named."),
      extension("subnet_onboard", "Onboarding of subnets", "Subnets that are there already come into a pool."),
      extension("subnetpool-prefix-ops", "Prefixes of subnet pools", "Prefixes are added and removed one by one."),
    ],
    register(app) {
      registerCollection(app, subnetPoolResource, pools);
      registerSubnetPoolActions(app, new SubnetPoolActions(deps, pools));
    },
  };
}

function specOf(deps: ServiceDeps): StandardSpec<SubnetPoolRow> {
  return {
    resource: subnetPoolResource,
    quota: "subnetpool",
    listed: {
      table: "subnet_pools",
      columns: {
        ...standardColumns,
        ip_version: "ip_version",
        default_prefixlen: "default_prefixlen",
        min_prefixlen: "min_prefixlen",
        max_prefixlen: "max_prefixlen",
        default_quota: "default_quota",
        address_scope_id: "address_scope_id",
        is_default: "is_default",
      },
      filters: { shared: sharedFilter(type) },
      sorts: { shared: sharedSort(type) },
    },
    visible: (context) => visibleObjects(context, type),
    present: (db, rows, context) => presentShared(db, rows, { type, context, own: presentOwn }),
    newRow: newPoolRow,
    changedRow: changedPoolRow,
    checkCreate,
    afterCreate: (trx, created) => shareAsAsked(trx, type, created),
    lockFirst: async (trx, id, changes) =>
      changes["address_scope_id"] === undefined ? undefined : lockNetworksOfPool(trx, deps, id),
    checkChange,
    async afterChange(trx, { before, after }) {
      if (before.address_scope_id !== after.address_scope_id) await rescopeNetworks(trx, deps, after);
    },
    checkRemove: removePool,
  };
}

async function checkCreate(trx: Trx, { context, rows }: Created<SubnetPoolRow>): Promise<void> {
  for (const [index, pool] of rows.entries()) {
    const beside = rows.slice(0, index);
    await checkDefault(trx, pool, beside);
    await checkScope(trx, { context, pool, beside });
  }
}

async function checkChange(trx: Trx, { context, before, after }: Change<SubnetPoolRow>): Promise<void> {
  if (before === after) return;
  if (before.is_default === 0) await checkDefault(trx, after);
  await checkScopeOwned(trx, { context, pool: before });
  if (needsScopeCheck(before, after)) await checkScope(trx, { context, pool: after });
}

/** Of those who ask at the same time, an index of the table lets one in. */
async function checkDefault(trx: Trx, pool: SubnetPoolRow, beside: readonly SubnetPoolRow[] = []): Promise<void> {
  if (pool.is_default === 0) return;
  const stored = await trx
    .selectFrom("subnet_pools")
    .select(["is_default", "ip_version"])
    .where("ip_version", "=", pool.ip_version)
    .where("is_default", "=", 1)
    .where("id", "!=", pool.id)
    .execute();
  const others = [...stored, ...beside].filter((other) => other.is_default === 1 && other.ip_version === pool.ip_version);
  if (others.length === 0) return;
  throw new ApiFault(
    "InvalidInput",
    "A default subnetpool for this IP family has already been set. Only one default may exist per IP family.",
  );
}

async function removePool(trx: Trx, _context: RequestContext, { id }: SubnetPoolRow): Promise<void> {
  const subnet = await trx.selectFrom("subnets").select("id").where("subnetpool_id", "=", id).executeTakeFirst();
  if (subnet !== undefined) {
    throw new ApiFault("SubnetPoolDeleteError", "Unable to delete subnet pool: Subnet pool has existing allocations.");
  }
  await forgetSharing(trx, { type, id });
}

const presentOwn = (row: SubnetPoolRow): Attributes => ({
  prefixes: JSON.parse(row.prefixes),
  ip_version: row.ip_version,
  default_prefixlen: row.default_prefixlen,
  min_prefixlen: row.min_prefixlen,
  max_prefixlen: row.max_prefixlen,
  default_quota: row.default_quota,
  address_scope_id: row.address_scope_id,
  is_default: row.is_default === 1,
});
