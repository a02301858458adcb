// Address scopes and the pools in them: inside one scope no address is twice, and a network is in one scope.
import { ApiFault } from "../../types/api-faults.ts";
import { coversRange, rangesMeet } from "../../model/prefixes.ts";
import type { Trx } from "../store/database.ts";
import { hasRowLocks, type SubnetPoolRow } from "../store/rows.ts";
import type { RequestContext } from "./resource-service.ts";
import { lockRoutersOn, touchRouters } from "./router-rows.ts";
import { serverContext, type ServiceDeps } from "./service-deps.ts";
import { readTargets } from "./shared-objects.ts";
import { lockVisible } from "./sharing.ts";
import { storedBlocks } from "./subnet-pool-rules.ts";
import { lockNetwork } from "./visibility.ts";

interface ScopedPool {
  readonly context: RequestContext;
  readonly pool: SubnetPoolRow;
  /** Of the same request, not written yet. */
  readonly beside?: readonly SubnetPoolRow[];
}

/** Of a pool that is new in its scope, or has grown there. The scope's row is the lock of all that is in it. */
export async function checkScope(trx: Trx, { context, pool, beside = [] }: ScopedPool): Promise<void> {
  const scopeId = pool.address_scope_id;
  if (scopeId === null) return;
  const scope = await trx
    .selectFrom("address_scopes")
    .selectAll()
    .where("id", "=", scopeId)
    .$if(hasRowLocks(trx), (query) => query.forNoKeyUpdate())
    .executeTakeFirst();
  const seen = await lockVisible(trx, context, { type: "address_scope", ids: [scopeId] });
  if (scope === undefined || !seen.has(scopeId))
    throw new ApiFault("AddressScopeNotFound", `Address scope ${scopeId} could not be found.`);
  if (scope.ip_version !== pool.ip_version) {
    throw new ApiFault(
      "IllegalSubnetPoolIpVersionAssociationToAddressScope",
      `Illegal subnetpool association: subnetpool ${pool.id} cannot associate with address scope ${scopeId} because subnetpool ip_version is not ${scope.ip_version}.`,
    );
  }
  const stored = await trx.selectFrom("subnet_pools").selectAll().where("address_scope_id", "=", scopeId).execute();
  const others = [...stored, ...beside.filter((other) => other.address_scope_id === scopeId)];
  const blocks = storedBlocks(pool);
  if (!others.some((other) => other.id !== pool.id && rangesMeet(storedBlocks(other), blocks))) return;
  throw new ApiFault(
    "AddressScopePrefixConflict",
    "Failed to associate address scope: subnetpools within an address scope must have unique prefixes.",
  );
}

/** Whoever only shares a scope puts a pool there and leaves it as it is. */
export async function checkScopeOwned(trx: Trx, { context, pool }: ScopedPool): Promise<void> {
  if (pool.address_scope_id === null || context.isAdmin) return;
  const scope = await trx
    .selectFrom("address_scopes")
    .select("project_id")
    .where("id", "=", pool.address_scope_id)
    .executeTakeFirst();
  if (scope === undefined || scope.project_id === context.projectId) return;
  throw new ApiFault(
    "IllegalSubnetPoolUpdate",
    `Illegal subnetpool update: subnetpool ${pool.id} cannot be updated when associated with shared address scope ${pool.address_scope_id}.`,
  );
}

/**
 * Who takes subnets from a pool has its scope too: of new guests, or of a new scope. Throws InvalidInput.
 * @param guests whom the pool is shared with; `*` is everybody
 */
export async function checkPoolGuests(
  trx: Trx,
  { id, address_scope_id: scopeId }: Pick<SubnetPoolRow, "id" | "address_scope_id">,
  guests: readonly string[],
): Promise<void> {
  if (scopeId === null || guests.length === 0) return;
  // Nobody ends the scope's policies meanwhile.
  await lockVisible(trx, serverContext, { type: "address_scope", ids: [scopeId] });
  const scope = await trx.selectFrom("address_scopes").select("project_id").where("id", "=", scopeId).executeTakeFirst();
  const targets = await readTargets(trx, { type: "address_scope", id: scopeId, action: "access_as_shared" });
  if (targets.includes("*")) return;
  const stranger = guests.find((guest) => guest !== scope?.project_id && !targets.includes(guest));
  if (stranger === undefined) return;
  const what = `subnetpool ${id} cannot be shared with ${stranger}, which has no access to address scope ${scopeId}`;
  throw new ApiFault("InvalidInput", `Invalid input for operation: ${what}.`);
}

/** True when blocks were added or the scope is another one. */
export function needsScopeCheck(before: SubnetPoolRow, after: SubnetPoolRow): boolean {
  if (before.address_scope_id !== after.address_scope_id) return true;
  const known = storedBlocks(before);
  return !storedBlocks(after).every((block) => coversRange(known, block));
}

async function readNetworkIds(trx: Trx, poolId: string): Promise<readonly string[]> {
  const rows = await trx
    .selectFrom("subnets")
    .select("network_id")
    .distinct()
    .where("subnetpool_id", "=", poolId)
    .orderBy("network_id")
    .execute();
  return rows.map((row) => row.network_id);
}

/** Routers, then networks with subnets from the pool: to be called before the pool's row is locked, and again after that. */
export async function lockNetworksOfPool(trx: Trx, deps: ServiceDeps, poolId: string): Promise<readonly string[]> {
  const ids = await readNetworkIds(trx, poolId);
  for (const id of ids) await lockRoutersOn(trx, id);
  // Nobody connects a router with such a network meanwhile.
  for (const id of ids) await lockNetwork(trx, deps.store, { context: serverContext, id, lock: "whole" });
  return ids;
}

/**
 * After the pool went to another scope: routers with its subnets are told. Subnets that came from the pool since the first look are
 * among them, as their networks are locked now; that order is not the usual one, and who loses a deadlock runs again.
 */
export async function rescopeNetworks(trx: Trx, deps: ServiceDeps, pool: SubnetPoolRow): Promise<void> {
  const ids = await lockNetworksOfPool(trx, deps, pool.id);
  await checkAlone(trx, pool, ids);
  const routers = new Set<string>();
  for (const id of ids) for (const router of await lockRoutersOn(trx, id)) routers.add(router.id);
  await touchRouters(trx, deps, { ids: [...routers] });
}

/** All subnets of the family on a network go to the new scope, or none. */
async function checkAlone(trx: Trx, pool: SubnetPoolRow, networkIds: readonly string[]): Promise<void> {
  for (const id of networkIds) {
    const stranger = await trx
      .selectFrom("subnets")
      .select("id")
      .where("network_id", "=", id)
      .where("ip_version", "=", pool.ip_version)
      .where((eb) => eb.or([eb("subnetpool_id", "is", null), eb("subnetpool_id", "!=", pool.id)]))
      .executeTakeFirst();
    if (stranger !== undefined) throw scopeAffinity();
  }
}

export function scopeAffinity(): ApiFault {
  return new ApiFault(
    "NetworkAddressScopeAffinityError",
    "Subnets of the same address family hosted on the same network must all participate in the same address scope.",
  );
}
