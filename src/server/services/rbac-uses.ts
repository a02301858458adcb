// Whether an RBAC policy may go or lead elsewhere: not while somebody who loses by it uses the object.
import type { Selectable } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";
import type { RbacPoliciesTable } from "../store/schema.ts";
import { someOf } from "./service-deps.ts";
import { findLosers, readTargets, type SharedAction } from "./shared-objects.ts";

export type Policy = Selectable<RbacPoliciesTable>;

interface EndingPolicy {
  readonly policy: Policy;
  /** Of the object, whose row is locked. */
  readonly ownerId: string;
  /** Who is to have the access instead. */
  readonly replacement?: string;
}

/** Throws RbacPolicyInUse. */
export async function checkUnused(trx: Trx, { policy, ownerId, replacement }: EndingPolicy): Promise<void> {
  const { object_type: type, object_id: id, target_project: target } = policy;
  // The cast: only valid ones are stored.
  const access = { type, id, ownerId, action: policy.action as SharedAction };
  const others = (await readTargets(trx, access)).filter((other) => other !== target);
  const left = [...others, ...coveredBy(type, replacement)];
  if (access.action === "access_as_external") await checkNotDefault(trx, policy, left);
  const losers = await findLosers(trx, access, { target, left });
  if (losers.length > 0) throw inUse(policy, `other objects depend on it, of projects ${someOf(losers)}`);
}

/**
 * A network's policy for everybody may become one for the only project that uses the network. That of another object may not,
 * as Neutron has it: who uses the object needs another policy before.
 */
function coveredBy(type: string, replacement: string | undefined): readonly string[] {
  if (replacement === undefined) return [];
  return type === "network" || replacement === "*" ? [replacement] : [];
}

/** Routers of all projects may go out over the default external network. */
async function checkNotDefault(trx: Trx, policy: Policy, left: readonly string[]): Promise<void> {
  if (left.length > 0 && policy.target_project !== "*") return;
  const network = await trx
    .selectFrom("networks")
    .select("is_default")
    .where("id", "=", policy.object_id)
    .executeTakeFirstOrThrow();
  if (network.is_default === 1) throw inUse(policy, "the default external network is everybody's");
}

const inUse = ({ object_id: id }: Policy, why: string): ApiFault =>
  new ApiFault("RbacPolicyInUse", `RBAC policy on object ${id} cannot be removed because ${why}.`);
