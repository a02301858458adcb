// Templates: the rules that new security groups begin with. Groups that are there do not change with them.
import { randomUUID } from "node:crypto";
import type { Kysely, Selectable } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import { defaultSecurityGroupRuleResource } from "../../types/resources/security-group-rules.ts";
import type { ApiPart } from "../api/api-part.ts";
import { registerCollection } from "../api/collection-routes.ts";
import { extension } from "../api/extensions.ts";
import type { Attributes } from "../services/resource-service.ts";
import { presentMatch } from "../services/security-group-present.ts";
import { readRule, ruleColumns, ruleFilters } from "../services/security-group-rule.ts";
import { checkRemotes, parentGroup } from "../services/security-group-rows.ts";
import { type ServiceDeps, text } from "../services/service-deps.ts";
import { type Created, madeByAdmins, StandardService, type StandardSpec } from "../services/standard-service.ts";
import type { Trx } from "../store/database.ts";
import { flag, inChunks } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import type { DefaultSecurityGroupRulesTable } from "../store/schema-kept.ts";

type Row = Selectable<DefaultSecurityGroupRulesTable>;

export function defaultSecurityGroupRulePart(deps: ServiceDeps): ApiPart {
  const templates = new StandardService(deps, spec);
  const { list, show, create, remove } = madeByAdmins(templates, defaultSecurityGroupRuleResource);
  return {
    resources: [defaultSecurityGroupRuleResource],
    extensions: [extension("security-groups-default-rules", "Default rules", "The rules that security groups begin with.")],
    register: (app) => registerCollection(app, defaultSecurityGroupRuleResource, { list, show, create, remove }),
  };
}

const spec: StandardSpec<Row> = {
  resource: defaultSecurityGroupRuleResource,
  listed: {
    table: "default_security_group_rules",
    columns: {
      ...ruleColumns,
      used_in_default_sg: "used_in_default_sg",
      used_in_non_default_sg: "used_in_non_default_sg",
    },
    filters: ruleFilters,
  },
  visible: () => undefined,
  present,
  newRow: (_context, body, now) => ({
    ...readRule(body),
    id: randomUUID(),
    // Nobody's: they are for all projects.
    project_id: "",
    description: text(body["description"]) ?? "",
    used_in_default_sg: flag(body["used_in_default_sg"] ?? false),
    used_in_non_default_sg: flag(body["used_in_non_default_sg"] ?? true),
    revision_number: 1,
    created_at: now,
    updated_at: now,
  }),
  changedRow: (before) => before,
  checkCreate,
};

async function checkCreate(trx: Trx, { context, rows }: Created<Row>): Promise<void> {
  const named = rows.map((row) => ({
    ...row,
    remote_group_id: row.remote_group_id === parentGroup ? null : row.remote_group_id,
  }));
  await checkRemotes(trx, context, named);
  const keys = new Set(rows.map((row) => row.match_key));
  if (keys.size < rows.length) {
    throw new ApiFault("DuplicateSecurityGroupRuleInPost", "Duplicate default Security Group Rule in POST.");
  }
  const [known] = await inChunks([...keys], (piece) =>
    trx.selectFrom("default_security_group_rules").select("id").where("match_key", "in", piece).limit(1).execute(),
  );
  if (known === undefined) return;
  throw new ApiFault("DefaultSecurityGroupRuleExists", `Default Security group rule already exists. Rule id is ${known.id}.`);
}

async function present(_db: Kysely<Database>, rows: readonly Row[]): Promise<readonly Attributes[]> {
  return rows.map((row) => ({
    ...presentMatch(row),
    used_in_default_sg: row.used_in_default_sg === 1,
    used_in_non_default_sg: row.used_in_non_default_sg === 1,
  }));
}
