// Where the block of a new subnet comes from: the client, or a subnet pool, whose row is the lock of what is taken from it.
import { type AddressRange, bitsOf, type Cidr, formatCidr, type IpVersion, parseKey } from "../../model/addresses.ts";
import { coversRange, rangesMeet } from "../../model/prefixes.ts";
import { ApiFault } from "../../types/api-faults.ts";
import { findFreeBlock } from "../ipam/pool-blocks.ts";
import { checkedCidr } from "../ipam/subnet-rules.ts";
import type { Trx } from "../store/database.ts";
import { hasRowLocks, type SubnetPoolRow } from "../store/rows.ts";
import type { Attributes, RequestContext } from "./resource-service.ts";
import { number, projectOf, text } from "./service-deps.ts";
import { lockVisible } from "./sharing.ts";
import { poolVersion, storedBlocks } from "./subnet-pool-rules.ts";
import { scopeAffinity } from "./subnet-pool-scopes.ts";

/** A value of `subnetpool_id` that stands for no pool of ours. */
const delegated = "prefix_delegation";

interface BlockRequest {
  readonly context: RequestContext;
  readonly body: Attributes;
}

const badRequest = (reason: string): ApiFault => new ApiFault("BadRequest", `Bad subnets request: ${reason}.`);

/** What cannot be meant, whatever pools there are. */
export function checkBlockWish(body: Attributes): void {
  const poolId = text(body["subnetpool_id"]);
  const hasCidr = text(body["cidr"]) !== undefined;
  const usesDefault = body["use_default_subnetpool"] === true;
  if (poolId === delegated) {
    throw badRequest("prefix delegation is not supported, name a subnetpool or a cidr");
  }
  if (hasCidr && number(body["prefixlen"]) !== undefined) throw badRequest("cidr and prefixlen must not be supplied together");
  if (usesDefault && poolId !== undefined) {
    throw badRequest("subnetpool_id and use_default_subnetpool cannot both be specified");
  }
  if (hasCidr) return;
  if (poolId === undefined && !usesDefault) throw badRequest("a subnetpool must be specified in the absence of a cidr");
  if (body["allocation_pools"] !== undefined) {
    throw badRequest("allocation_pools allowed only for specific subnet requests");
  }
}

/** The network is locked. Answers the attributes that the pool decides; the pool stays locked. */
export async function takeBlock(trx: Trx, request: BlockRequest): Promise<Attributes> {
  const pool = await findPool(trx, request);
  await checkAffinity(trx, request.body, pool);
  if (pool === undefined) return {};
  const cidr = await allocate(trx, request, pool);
  return { cidr: formatCidr(cidr), subnetpool_id: pool.id };
}

const versionOf = (body: Attributes): IpVersion => (body["ip_version"] === 6 ? 6 : 4);

async function findPool(trx: Trx, { context, body }: BlockRequest): Promise<SubnetPoolRow | undefined> {
  const poolId = text(body["subnetpool_id"]);
  const version = versionOf(body);
  if (poolId === undefined && body["use_default_subnetpool"] !== true) return undefined;
  const pools = trx
    .selectFrom("subnet_pools")
    .selectAll()
    .$if(hasRowLocks(trx), (query) => query.forNoKeyUpdate());
  const isSeen = async ({ id }: SubnetPoolRow): Promise<boolean> =>
    (await lockVisible(trx, context, { type: "subnetpool", ids: [id] })).has(id);
  if (poolId === undefined) {
    const usual = await pools.where("is_default", "=", 1).where("ip_version", "=", version).executeTakeFirst();
    if (usual === undefined || !(await isSeen(usual))) throw badRequest(`No default subnetpool found for IPv${version}`);
    return usual;
  }
  const pool = await pools.where("id", "=", poolId).executeTakeFirst();
  if (pool === undefined || !(await isSeen(pool))) {
    throw new ApiFault("SubnetPoolNotFound", `Subnet Pool ${poolId} could not be found.`);
  }
  if (pool.ip_version === version) return pool;
  throw badRequest(`Cannot allocate IPv${version} subnet from IPv${pool.ip_version} subnet pool`);
}

/** On one network, subnets of one family come from one pool or, where there are scopes, from pools of one scope. */
async function checkAffinity(trx: Trx, body: Attributes, pool: SubnetPoolRow | undefined): Promise<void> {
  const siblings = await trx
    .selectFrom("subnets")
    .leftJoin("subnet_pools", "subnet_pools.id", "subnets.subnetpool_id")
    .select(["subnets.subnetpool_id", "subnet_pools.address_scope_id"])
    .where("subnets.network_id", "=", text(body["network_id"]) ?? "")
    .where("subnets.ip_version", "=", versionOf(body))
    .execute();
  const scope = siblings.find((sibling) => sibling.address_scope_id !== null)?.address_scope_id ?? null;
  if (pool !== undefined && scope !== null) {
    if (pool.address_scope_id !== scope) throw scopeAffinity();
    return;
  }
  if (siblings.every((sibling) => sibling.subnetpool_id === (pool?.id ?? null))) return;
  throw new ApiFault(
    "NetworkSubnetPoolAffinityError",
    "Subnets hosted on the same network must be allocated from the same subnet pool.",
  );
}

interface Taken extends AddressRange {
  readonly projectId: string;
}

/** What subnets hold of the pool; also what they hold outside of its prefixes. */
export async function readTaken(trx: Trx, poolId: string): Promise<readonly Taken[]> {
  const rows = await trx
    .selectFrom("subnets")
    .select(["project_id", "first_key", "last_key"])
    .where("subnetpool_id", "=", poolId)
    .execute();
  return rows.map((row) => ({
    projectId: row.project_id,
    first: parseKey(row.first_key).value,
    last: parseKey(row.last_key).value,
  }));
}

async function allocate(trx: Trx, { context, body }: BlockRequest, pool: SubnetPoolRow): Promise<Cidr> {
  const version = poolVersion(pool);
  const asked = text(body["cidr"]);
  const wanted = asked === undefined ? undefined : checkedCidr(asked, version);
  const length = wanted?.prefixLength ?? number(body["prefixlen"]) ?? pool.default_prefixlen;
  checkLength(pool, length);
  const taken = await readTaken(trx, pool.id);
  checkQuota(
    pool,
    length,
    taken.filter((one) => one.projectId === projectOf(context, body)),
  );
  const prefixes = storedBlocks(pool);
  if (wanted !== undefined) {
    if (coversRange(prefixes, wanted) && !rangesMeet(taken, [wanted])) return wanted;
    throw noRoom("Cannot allocate requested subnet from the available set of prefixes");
  }
  const found = findFreeBlock({ version, prefixes, taken }, length);
  if (found === undefined) throw noRoom(`Insufficient prefix space to allocate subnet size /${length}`);
  return found;
}

const noRoom = (reason: string): ApiFault => new ApiFault("SubnetAllocationError", `Failed to allocate subnet: ${reason}.`);

function checkLength(pool: SubnetPoolRow, length: number): void {
  const text = `Unable to allocate subnet with prefix length ${length},`;
  if (length < pool.min_prefixlen) {
    throw new ApiFault("MinPrefixSubnetAllocationError", `${text} minimum allowed prefix is ${pool.min_prefixlen}.`);
  }
  if (length > pool.max_prefixlen) {
    throw new ApiFault("MaxPrefixSubnetAllocationError", `${text} maximum allowed prefix is ${pool.max_prefixlen}.`);
  }
}

/** @param held by the project */
function checkQuota(pool: SubnetPoolRow, length: number, held: readonly AddressRange[]): void {
  if (pool.default_quota === null) return;
  const version = poolVersion(pool);
  // Counted in addresses, so that blocks longer than a /64 count for their part.
  const limit = BigInt(pool.default_quota) << (version === 4 ? 0n : 64n);
  const used = held.reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
  if (used + (1n << BigInt(bitsOf(version) - length)) <= limit) return;
  throw new ApiFault("SubnetPoolQuotaExceeded", "Per-tenant subnet pool prefix quota exceeded.");
}
