// Rules of security groups: made and removed, never changed.
import { randomUUID } from "node:crypto";
import { type Kysely, type SqlBool, sql } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import { securityGroupRuleResource } from "../../types/resources/security-group-rules.ts";
import type { ApiPart } from "../api/api-part.ts";
import { type CollectionService, registerCollection } from "../api/collection-routes.ts";
import { extension } from "../api/extensions.ts";
import { takeQuota } from "../services/quota-guard.ts";
import type { Attributes, RequestContext } from "../services/resource-service.ts";
import { presentRule } from "../services/security-group-present.ts";
import { type RuleMatch, readRule, ruleColumns, ruleFilters } from "../services/security-group-rule.ts";
import {
  checkRemotes,
  insertRules,
  lockOwnGroup,
  listWithDefault,
  type SecurityGroupRuleRow,
  touchGroups,
  visibleRules,
} from "../services/security-group-rows.ts";
import { checkRevision, forbidden, missing, type ServiceDeps, text, timestamp } from "../services/service-deps.ts";
import { type ReaderSpec, StandardReader } from "../services/standard-service.ts";
import type { Trx } from "../store/database.ts";
import { anyOf, listRows } from "../store/list-rows.ts";
import { inChunks } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";

export function securityGroupRulePart(deps: ServiceDeps): ApiPart {
  return {
    resources: [securityGroupRuleResource],
    extensions: [
      extension(
        "security-groups-normalized-cidr",
        "Networks of rules",
        "remote_ip_prefix of a rule without the bits of a host.",
      ),
      extension(
        "security-groups-rules-belongs-to-default-sg",
        "Rules of default groups",
        "Rules are found by whether their group is a default one.",
      ),
    ],
    register: (app) => registerCollection(app, securityGroupRuleResource, securityGroupRules(deps)),
  };
}

const spec: ReaderSpec<SecurityGroupRuleRow> = {
  resource: securityGroupRuleResource,
  listed: {
    table: "security_group_rules",
    columns: {
      ...ruleColumns,
      project_id: "project_id",
      security_group_id: "security_group_id",
      normalized_cidr: "normalized_cidr",
    },
    filters: {
      ...ruleFilters,
      belongs_to_default_sg: (values) => {
        const groups = sql`select id from security_groups where is_default = 1`;
        const isIn = (value: unknown) =>
          value === true ? sql<SqlBool>`security_group_id in (${groups})` : sql<SqlBool>`security_group_id not in (${groups})`;
        return anyOf(values.map(isIn));
      },
    },
  },
  visible: visibleRules,
  present,
};

function securityGroupRules(deps: ServiceDeps): CollectionService {
  const reader = new StandardReader(deps.store, spec);
  return {
    list: (context, query) => listWithDefault(deps, context.projectId, () => reader.list(context, query)),
    show: (context, id) => reader.show(context, id),
    create: (context, bodies) => deps.store.transaction((trx) => createRules(trx, deps, { context, bodies })),
    remove: (context, id, expectedRevision) =>
      deps.store.transaction((trx) => removeRule(trx, deps, { context, id, expectedRevision })),
  };
}

async function createRules(
  trx: Trx,
  deps: ServiceDeps,
  { context, bodies }: { readonly context: RequestContext; readonly bodies: readonly Attributes[] },
): Promise<readonly Attributes[]> {
  const group = await lockOwnGroup(trx, context, onlyGroup(bodies));
  const now = timestamp(deps);
  const matches = bodies.map(readRule);
  await checkRemotes(trx, context, matches);
  refuseTwins(matches);
  await refuseKnown(trx, group.id, matches);
  await takeQuota(trx, deps, { resource: "security_group_rule", projectIds: bodies.map(() => group.project_id) });
  const rows = matches.map(
    (match, index): SecurityGroupRuleRow => ({
      ...match,
      id: randomUUID(),
      // Whoever wrote it: it is the group's.
      project_id: group.project_id,
      description: text(bodies[index]?.["description"]) ?? "",
      security_group_id: group.id,
      revision_number: 1,
      created_at: now,
      updated_at: now,
    }),
  );
  await insertRules(trx, rows);
  await touchGroups(trx, deps, [group.id]);
  return rows.map((row) => presentRule(row, group.is_default === 1));
}

function onlyGroup(bodies: readonly Attributes[]): string {
  const groups = new Set(bodies.map((body) => text(body["security_group_id"]) ?? ""));
  if (new Set(bodies.map((body) => text(body["project_id"]))).size > 1) {
    throw new ApiFault("SecurityGroupRulesNotSingleTenant", "Multiple projects are not allowed in one bulk of rules.");
  }
  const [group = ""] = groups;
  if (groups.size <= 1) return group;
  throw new ApiFault("SecurityGroupNotSingleGroupRules", "Only one security group may be changed by one bulk of rules.");
}

function refuseTwins(matches: readonly RuleMatch[]): void {
  if (new Set(matches.map((match) => match.match_key)).size === matches.length) return;
  throw new ApiFault("DuplicateSecurityGroupRuleInPost", "Duplicate Security Group Rule in POST.");
}

async function refuseKnown(trx: Trx, groupId: string, matches: readonly RuleMatch[]): Promise<void> {
  const [known] = await inChunks(matches, (piece) =>
    trx
      .selectFrom("security_group_rules")
      .select("id")
      .where("security_group_id", "=", groupId)
      .where(
        "match_key",
        "in",
        piece.map((match) => match.match_key),
      )
      .limit(1)
      .execute(),
  );
  if (known === undefined) return;
  throw new ApiFault("SecurityGroupRuleExists", `Security group rule already exists. Rule id is ${known.id}.`);
}

async function removeRule(
  trx: Trx,
  deps: ServiceDeps,
  {
    context,
    id,
    expectedRevision,
  }: { readonly context: RequestContext; readonly id: string; readonly expectedRevision: number | undefined },
): Promise<void> {
  const query = { filters: [{ attribute: "id", values: [id] }], sorts: [], pageReverse: false };
  const read = async (): Promise<SecurityGroupRuleRow> => {
    const { listed } = spec;
    const [row] = (await listRows<SecurityGroupRuleRow>(trx, { listed, query, visible: visibleRules(context) })) ?? [];
    if (row === undefined) throw missing(securityGroupRuleResource, id);
    return row;
  };
  const seen = await read();
  if (!context.isAdmin && seen.project_id !== context.projectId) throw forbidden(`changing security_group_rule ${id}`);
  // The group first, as everywhere; then the rule may be gone.
  const group = await lockOwnGroup(trx, context, seen.security_group_id);
  const row = await read();
  checkRevision("security_group_rule", id, row.revision_number, expectedRevision);
  await trx.deleteFrom("security_group_rules").where("id", "=", id).execute();
  await touchGroups(trx, deps, [group.id]);
}

async function present(db: Kysely<Database>, rows: readonly SecurityGroupRuleRow[]): Promise<readonly Attributes[]> {
  const groups = await inChunks([...new Set(rows.map((row) => row.security_group_id))], (piece) =>
    db.selectFrom("security_groups").select("id").where("id", "in", piece).where("is_default", "=", sql.lit(1)).execute(),
  );
  const defaults = new Set(groups.map((group) => group.id));
  return rows.map((row) => presentRule(row, defaults.has(row.security_group_id)));
}
