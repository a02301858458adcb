// QoS policies with their rules: kept, with who has them; nothing applies them.
import type { FastifyInstance } from "fastify";
import type { Kysely } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import { qosPolicyResource } from "../../types/resources/qos-policies.ts";
import { qosRuleKinds } from "../../types/resources/qos-rules.ts";
import type { ApiPart } from "../api/api-part.ts";
import { registerCollection, registerSubCollection } from "../api/collection-routes.ts";
import { qosHolders } from "../services/qos-holders.ts";
import { presentQosRule, type QosPolicyRow } from "../services/qos-policy-rows.ts";
import { QosRules } from "../services/qos-rules.ts";
import type { Attributes, RequestContext } from "../services/resource-service.ts";
import type { ServiceDeps } from "../services/service-deps.ts";
import {
  forgetSharing,
  presentShared,
  shareAsAsked,
  sharedFilter,
  shareWithEverybody,
  visibleObjects,
} from "../services/sharing.ts";
import { findUncovered, readTargets } from "../services/shared-objects.ts";
import { changedFlag, newNamedRow, renamed } from "../services/standard-rows.ts";
import { type Change, StandardService, type StandardSpec } from "../services/standard-service.ts";
import type { Trx } from "../store/database.ts";
import { readBelonging } from "../store/belonging.ts";
import { flag } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import { registerQosRuleTypes } from "./qos-rule-types.ts";
import { standardColumns } from "../store/list-rows.ts";

const type = "qos_policy";

/** Without aliases, each of which would promise that packets are limited or marked; docs/decisions/0022 says why. */
export function qosPart(deps: ServiceDeps): ApiPart {
  return { resources: [qosPolicyResource], extensions: [], register: (app) => register(app, deps) };
}

function register(app: FastifyInstance, deps: ServiceDeps): void {
  const policies = new StandardService(deps, spec);
  registerCollection(app, qosPolicyResource, policies);
  for (const kind of qosRuleKinds) {
    registerSubCollection(app, {
      parent: qosPolicyResource,
      resource: kind.resource,
      serviceOf: (policyId) => new QosRules(deps, policies, { kind, policyId }),
    });
    registerCollection(app, kind.aliased, new QosRules(deps, policies, { kind }));
  }
  registerQosRuleTypes(app);
}

const spec: StandardSpec<QosPolicyRow> = {
  resource: qosPolicyResource,
  listed: {
    table: "qos_policies",
    columns: { ...standardColumns, is_default: "is_default" },
    filters: { shared: sharedFilter(type) },
  },
  visible: (context) => visibleObjects(context, type),
  present,
  newRow,
  changedRow: (before, changes) => ({
    ...renamed(before, changes),
    is_default: changedFlag(changes, "is_default", before.is_default),
  }),
  checkCreate: (trx, { rows }) => checkDefaults(trx, rows),
  afterCreate: (trx, created) => shareAsAsked(trx, type, created),
  checkChange: (trx, { before, after }) => checkDefaults(trx, after.is_default === before.is_default ? [] : [after]),
  afterChange: changeSharing,
  checkRemove: removePolicy,
};

function newRow(context: RequestContext, body: Attributes, now: string): QosPolicyRow {
  return {
    ...newNamedRow(context, body, now),
    is_default: flag(body["is_default"]),
  };
}

/** The unique index decides races. */
async function checkDefaults(trx: Trx, rows: readonly QosPolicyRow[]): Promise<void> {
  const taken = new Set<string>();
  for (const { id, project_id: projectId, is_default: isDefault } of rows) {
    if (isDefault === 0) continue;
    const standing = await trx
      .selectFrom("qos_policies")
      .select("id")
      .where("project_id", "=", projectId)
      .where("is_default", "=", 1)
      .where("id", "!=", id)
      .executeTakeFirst();
    if (standing !== undefined || taken.has(projectId)) {
      throw new ApiFault("QoSPolicyDefaultAlreadyExists", `A default QoS policy exists for project ${projectId}.`);
    }
    taken.add(projectId);
  }
}

async function changeSharing(trx: Trx, { after, changes }: Change<QosPolicyRow>): Promise<void> {
  const { id, project_id: projectId } = after;
  if (changes["shared"] === true) await shareWithEverybody(trx, { type, id, projectId });
  if (changes["shared"] !== false) return;
  const access = { type, id, ownerId: projectId, action: "access_as_shared" } as const;
  const targets = (await readTargets(trx, access)).filter((target) => target !== "*");
  const [foreign] = await findUncovered(trx, access, targets);
  if (foreign !== undefined) {
    throw new ApiFault(
      "InvalidSharedSetting",
      `Unable to reconfigure sharing settings for QoS policy ${id}. Project ${foreign} is using it.`,
    );
  }
  await trx
    .deleteFrom("rbac_policies")
    .where("object_type", "=", type)
    .where("object_id", "=", id)
    .where("target_project", "=", "*")
    .execute();
}

/** The cast: the keys are those of a constant. */
const tablesOfHolders = Object.keys(qosHolders) as readonly (keyof typeof qosHolders)[];

async function removePolicy(trx: Trx, _context: RequestContext, { id }: QosPolicyRow): Promise<void> {
  for (const table of tablesOfHolders) {
    const holder = await trx.selectFrom(table).select("id").where("qos_policy_id", "=", id).limit(1).executeTakeFirst();
    if (holder === undefined) continue;
    throw new ApiFault("QosPolicyInUse", `QoS Policy ${id} is used by ${qosHolders[table]} ${holder.id}.`);
  }
  await forgetSharing(trx, { type, id });
  // Before the policy, so that notes of them can say whose they were.
  await trx.deleteFrom("qos_rules").where("qos_policy_id", "=", id).execute();
}

async function present(
  db: Kysely<Database>,
  rows: readonly QosPolicyRow[],
  context: RequestContext,
): Promise<readonly Attributes[]> {
  const ids = rows.map((row) => row.id);
  const rulesOf = await readBelonging(db, "qos_rules", { owner: "qos_policy_id", ids });
  const own = (row: QosPolicyRow): Attributes => ({
    is_default: row.is_default === 1,
    rules: (rulesOf.get(row.id) ?? []).map((rule) => ({
      ...presentQosRule(rule),
      qos_policy_id: rule.qos_policy_id,
      type: rule.type,
    })),
  });
  return presentShared(db, rows, { type, context, own });
}
