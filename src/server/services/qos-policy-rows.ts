// QoS policies as other objects have them: which ones a caller may give away, and which one a new network has unasked.
import type { Selectable } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import { qosRuleKinds } from "../../types/resources/qos-rules.ts";
import type { Trx } from "../store/database.ts";
import { hasRowLocks, inChunks, type NetworkRow } from "../store/rows.ts";
import type { QosPoliciesTable, QosRulesTable } from "../store/schema-kept.ts";
import type { Attributes, RequestContext } from "./resource-service.ts";
import { has, textOrNull } from "./service-deps.ts";
import { lockVisible } from "./sharing.ts";

export type QosPolicyRow = Selectable<QosPoliciesTable>;
export type QosRuleRow = Selectable<QosRulesTable>;

export const qosPolicyNotFound = (id: string): ApiFault =>
  new ApiFault("QosPolicyNotFound", `QoS policy ${id} could not be found.`);

/** What a client asks for; `undefined` when it says nothing. */
export const askedPolicy = (wish: Attributes): string | null | undefined => textOrNull(wish["qos_policy_id"]);

/** Policies that are not the caller's and not shared with it are not there. They stay as long as the transaction runs. */
export async function checkPoliciesUsable(
  trx: Trx,
  context: RequestContext,
  asked: readonly (string | null | undefined)[],
): Promise<void> {
  const ids = [...new Set(asked.flatMap((id) => id ?? []))].sort();
  if (ids.length === 0) return;
  const usable = await lockVisible(trx, context, { type: "qos_policy", ids });
  const missing = ids.find((id) => !usable.has(id));
  if (missing !== undefined) throw qosPolicyNotFound(missing);
}

/** The policy that an object is to have. What an administrator gave it, no one takes away who could not have given it. */
export async function changedPolicy(
  trx: Trx,
  context: RequestContext,
  { before, changes }: { readonly before: string | null; readonly changes: Attributes },
): Promise<string | null> {
  const asked = askedPolicy(changes);
  if (!has(changes, "qos_policy_id") || asked === undefined || asked === before) return before;
  if (before !== null && !(await lockVisible(trx, context, { type: "qos_policy", ids: [before] })).has(before)) {
    const message = `Failed to remove provided policy ${before} because you are not authorized.`;
    throw new ApiFault("PolicyRemoveAuthorizationError", message);
  }
  await checkPoliciesUsable(trx, context, [asked]);
  return asked;
}

/** By project. */
async function readDefaultPolicies(trx: Trx, projectIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const rows = await inChunks([...new Set(projectIds)].sort(), (piece) =>
    trx
      .selectFrom("qos_policies")
      .select(["id", "project_id"])
      .where("is_default", "=", 1)
      .where("project_id", "in", piece)
      .$if(hasRowLocks(trx), (query) => query.forKeyShare())
      .execute(),
  );
  return new Map(rows.map((row) => [row.project_id, row.id]));
}

/** What of it clients see; without its type. */
export function presentQosRule({ id, type, value, burst, direction }: QosRuleRow): Attributes {
  const kind = qosRuleKinds.find((each) => each.type === type);
  if (kind === undefined) throw new RangeError(`QoS rule ${id} is of no type that there is: ${type}`);
  return {
    id,
    [kind.value]: value,
    ...(kind.burst === undefined ? {} : { [kind.burst]: burst }),
    ...(kind.hasDirection ? { direction } : {}),
  };
}

/** Networks to be made, each with what was asked for or with the default policy of its project. */
export async function withPolicies<T extends { readonly row: NetworkRow }>(
  trx: Trx,
  context: RequestContext,
  made: readonly T[],
): Promise<readonly T[]> {
  await checkPoliciesUsable(
    trx,
    context,
    made.map(({ row }) => row.qos_policy_id),
  );
  const defaults = await readDefaultPolicies(
    trx,
    made.flatMap(({ row }) => (row.qos_policy_id === null ? row.project_id : [])),
  );
  return made.map((one) => {
    const { row } = one;
    return { ...one, row: { ...row, qos_policy_id: row.qos_policy_id ?? defaults.get(row.project_id) ?? null } };
  });
}
