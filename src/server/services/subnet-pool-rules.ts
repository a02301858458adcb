// A subnet pool's row from what a client sends: the rules that need nothing but the pool itself.
import { bitsOf, type Cidr, formatCidr, type IpVersion, parseCidr } from "../../model/addresses.ts";
import { compactBlocks, coversRange } from "../../model/prefixes.ts";
import { ApiFault } from "../../types/api-faults.ts";
import { checkedCidr } from "../ipam/subnet-rules.ts";
import { flag, type SubnetPoolRow } from "../store/rows.ts";
import type { Attributes, RequestContext } from "./resource-service.ts";
import { has, number, text, textOrNull } from "./service-deps.ts";
import { changedFlag, newNamedRow, renamed } from "./standard-rows.ts";

const largestBlock: Readonly<Record<IpVersion, number>> = { 4: 8, 6: 64 };

export const poolVersion = ({ ip_version: version }: Pick<SubnetPoolRow, "ip_version">): IpVersion => (version === 6 ? 6 : 4);

export function newPoolRow(context: RequestContext, body: Attributes, now: string): SubnetPoolRow {
  const blocks = askedBlocks(body["prefixes"]);
  const version = blocks[0]?.version ?? 4;
  const smallest = number(body["min_prefixlen"]) ?? largestBlock[version];
  return withCheckedBounds({
    ...newNamedRow(context, body, now),
    ip_version: version,
    prefixes: prefixesJson(version, blocks),
    min_prefixlen: smallest,
    max_prefixlen: number(body["max_prefixlen"]) ?? bitsOf(version),
    default_prefixlen: number(body["default_prefixlen"]) ?? smallest,
    default_quota: number(body["default_quota"]) ?? null,
    is_default: flag(body["is_default"]),
    address_scope_id: text(body["address_scope_id"]) ?? null,
  });
}

/** The row as the client wants it; same revision. */
export function changedPoolRow(before: SubnetPoolRow, changes: Attributes): SubnetPoolRow {
  const quota = changes["default_quota"];
  const scope = textOrNull(changes["address_scope_id"]);
  return withCheckedBounds({
    ...renamed(before, changes),
    prefixes: has(changes, "prefixes") ? grownPrefixes(before, changes["prefixes"]) : before.prefixes,
    min_prefixlen: number(changes["min_prefixlen"]) ?? before.min_prefixlen,
    max_prefixlen: number(changes["max_prefixlen"]) ?? before.max_prefixlen,
    default_prefixlen: number(changes["default_prefixlen"]) ?? before.default_prefixlen,
    default_quota: quota === undefined ? before.default_quota : (number(quota) ?? null),
    is_default: changedFlag(changes, "is_default", before.is_default),
    address_scope_id: scope === undefined ? before.address_scope_id : scope,
  });
}

/** The pool's blocks, in order. */
export function storedBlocks(pool: SubnetPoolRow): readonly Cidr[] {
  // The cast: we wrote it.
  return (JSON.parse(pool.prefixes) as readonly string[]).map((prefix) => {
    const block = parseCidr(prefix);
    if (block === undefined) throw new RangeError(`subnet pool ${pool.id} is stored with the prefix ${prefix}`);
    return block;
  });
}

/** JSON of the fewest blocks of the same addresses. */
export function prefixesJson(version: IpVersion, blocks: readonly Cidr[]): string {
  return JSON.stringify(compactBlocks(version, blocks).map(formatCidr));
}

/**
 * @param asked prefixes that the route has checked
 * @param version that they must have; without it, that of the first
 */
export function askedBlocks(asked: unknown, version?: IpVersion): readonly Cidr[] {
  // The cast: the route has checked the shape.
  const prefixes = asked as readonly string[];
  const [first] = prefixes;
  if (first === undefined) throw new ApiFault("EmptySubnetPoolPrefixList", "Empty subnet pool prefix list.");
  const wanted = version ?? parseCidr(first)?.version ?? 4;
  if (prefixes.some((prefix) => parseCidr(prefix)?.version !== wanted)) {
    throw new ApiFault("PrefixVersionMismatch", "Cannot mix IPv4 and IPv6 prefixes in a subnet pool.");
  }
  return prefixes.map((prefix) => checkedCidr(prefix, wanted));
}

function grownPrefixes(before: SubnetPoolRow, asked: unknown): string {
  const version = poolVersion(before);
  const blocks = askedBlocks(asked, version);
  if (!storedBlocks(before).every((block) => coversRange(blocks, block))) {
    throw new ApiFault(
      "IllegalSubnetPoolPrefixUpdate",
      "Illegal update to prefixes: Existing prefixes must be a subset of the new prefixes.",
    );
  }
  return prefixesJson(version, blocks);
}

function withCheckedBounds(row: SubnetPoolRow): SubnetPoolRow {
  const { min_prefixlen: min, max_prefixlen: max, default_prefixlen: usual } = row;
  const longest = bitsOf(poolVersion(row));
  if (max > longest) throw illegalBounds("max_prefixlen", max, "ip_version_max", longest);
  if (min > max) throw illegalBounds("min_prefixlen", min, "max_prefixlen", max);
  if (usual < min) throw illegalBounds("default_prefixlen", usual, "min_prefixlen", min);
  if (usual > max) throw illegalBounds("default_prefixlen", usual, "max_prefixlen", max);
  return row;
}

function illegalBounds(...[name, value, otherName, other]: readonly [string, number, string, number]): ApiFault {
  const message = `Illegal prefix bounds: ${name}=${value}, ${otherName}=${other}.`;
  return new ApiFault("IllegalSubnetPoolPrefixBounds", message);
}
