// Rows of security groups and their rules: made from the templates, the default group of a project, revisions.
import { randomUUID } from "node:crypto";
import { type Kysely, type Selectable, type SqlBool, sql } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";
import type { Condition } from "../store/list-rows.ts";
import { chunks, hasRowLocks, inChunks } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import type { DefaultSecurityGroupRulesTable, SecurityGroupRulesTable, SecurityGroupsTable } from "../store/schema-kept.ts";
import type { RequestContext } from "./resource-service.ts";
import { withRemoteGroup } from "./security-group-rule.ts";
import { readStatefulness } from "./security-group-statefulness.ts";
import { type ServiceDeps, timestamp } from "./service-deps.ts";
import { lockVisible, visibleObjects } from "./sharing.ts";
import { touchRows } from "./standard-rows.ts";

export type SecurityGroupRow = Selectable<SecurityGroupsTable>;
export type SecurityGroupRuleRow = Selectable<SecurityGroupRulesTable>;
type TemplateRow = Selectable<DefaultSecurityGroupRulesTable>;

/** What a template has instead of a remote group: the group that the rule will be in. */
export const parentGroup = "PARENT";

export const groupNotFound = (...ids: readonly string[]): ApiFault =>
  new ApiFault("SecurityGroupNotFound", `Security group ${ids.join(", ")} does not exist.`);

/** Rules of the groups that one sees; `undefined`: all. */
export function visibleRules(context: RequestContext): Condition | undefined {
  const groups = visibleObjects(context, "security_group");
  return groups && sql<SqlBool>`security_group_id in (select id from security_groups where ${groups})`;
}

/** By project; of projects that have one. */
async function readDefaultGroups(db: Kysely<Database>, projectIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const rows = await inChunks(projectIds, (piece) =>
    db
      .selectFrom("security_groups")
      .select(["id", "project_id"])
      .where("project_id", "in", piece)
      // Written out, or SQLite would not look into the index of default groups.
      .where("is_default", "=", sql.lit(1))
      .execute(),
  );
  return new Map(rows.map((row) => [row.project_id, row.id]));
}

/** Ids of the default groups, by project; those that are missing are made, by one of all who want it at the same time. */
export async function ensureDefaultGroups(
  trx: Trx,
  deps: ServiceDeps,
  projectIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  // What belongs to nobody has no default group. Sorted, so that two who need the same do not wait for each other.
  const wanted = [...new Set(projectIds)].filter((id) => id !== "").sort();
  const found = await readDefaultGroups(trx, wanted);
  const missing = wanted.filter((id) => !found.has(id));
  if (missing.length === 0) return found;
  const statefulOf = await readStatefulness(trx, missing);
  const now = timestamp(deps);
  const rows = missing.map((projectId) => newDefaultGroup(projectId, { now, stateful: statefulOf(projectId) }));
  const made: string[] = [];
  for (const piece of chunks(rows)) {
    // Whoever is second waits for the first here, and makes nothing.
    const inserted = trx
      .insertInto("security_groups")
      .values(piece)
      .onConflict((conflict) => conflict.doNothing());
    made.push(...(await inserted.returning("id").execute()).map((row) => row.id));
  }
  const added = rows.filter((row) => made.includes(row.id));
  await insertRules(trx, await templateRules(trx, added));
  return readDefaultGroups(trx, wanted);
}

/** A list of what a project has: one that looks for its default group finds one. A list that fails makes nothing. */
export async function listWithDefault<T>(deps: ServiceDeps, projectId: string, list: () => Promise<T>): Promise<T> {
  const lacksOne = projectId !== "" && (await readDefaultGroups(deps.store.db, [projectId])).size === 0;
  const items = await list();
  if (!lacksOne) return items;
  await deps.store.transaction((trx) => ensureDefaultGroups(trx, deps, [projectId]));
  return list();
}

function newDefaultGroup(
  projectId: string,
  { now, stateful }: Pick<SecurityGroupRow, "stateful"> & { readonly now: string },
): SecurityGroupRow {
  return {
    id: randomUUID(),
    project_id: projectId,
    name: "default",
    description: "Default security group",
    tags: "[]",
    stateful,
    is_default: 1,
    revision_number: 1,
    created_at: now,
    updated_at: now,
  };
}

/** What the groups begin with; to be written after them. */
export async function templateRules(trx: Trx, groups: readonly SecurityGroupRow[]): Promise<readonly SecurityGroupRuleRow[]> {
  const templates = await trx.selectFrom("default_security_group_rules").selectAll().orderBy("id").execute();
  return groups.flatMap((group) => {
    const isWanted = (each: TemplateRow): boolean =>
      (group.is_default === 1 ? each.used_in_default_sg : each.used_in_non_default_sg) === 1;
    const rules = templates.filter(isWanted).map((template) => ruleOf(template, group));
    // PARENT and a group that a template names may be the same one.
    return [...new Map(rules.map((rule) => [rule.match_key, rule])).values()];
  });
}

function ruleOf(template: TemplateRow, group: SecurityGroupRow): SecurityGroupRuleRow {
  const { used_in_default_sg: _inDefault, used_in_non_default_sg: _inOthers, ...rule } = template;
  const remote = rule.remote_group_id === parentGroup ? group.id : rule.remote_group_id;
  return {
    ...rule,
    ...withRemoteGroup(rule, remote),
    id: randomUUID(),
    project_id: group.project_id,
    security_group_id: group.id,
    revision_number: 1,
    created_at: group.created_at,
    updated_at: group.created_at,
  };
}

export async function insertRules(trx: Trx, rows: readonly SecurityGroupRuleRow[]): Promise<void> {
  for (const piece of chunks(rows)) await trx.insertInto("security_group_rules").values(piece).execute();
}

/** The caller's own, whose rules it may change; for others there is no such group. Ports may be given it meanwhile. */
export async function lockOwnGroup(trx: Trx, context: RequestContext, id: string): Promise<SecurityGroupRow> {
  const row = await trx
    .selectFrom("security_groups")
    .selectAll()
    .where("id", "=", id)
    .$if(hasRowLocks(trx), (query) => query.forNoKeyUpdate())
    .executeTakeFirst();
  if (row === undefined || !(context.isAdmin || row.project_id === context.projectId)) throw groupNotFound(id);
  return row;
}

/** A new revision: rules of the groups came or went. */
export const touchGroups = (trx: Trx, deps: ServiceDeps, ids: readonly string[]): Promise<void> =>
  touchRows(trx, deps, { table: "security_groups", ids });

/** That rules of the caller may name what they name at the other end. */
export async function checkRemotes(
  trx: Trx,
  context: RequestContext,
  rules: readonly Pick<SecurityGroupRuleRow, "remote_group_id" | "remote_address_group_id">[],
): Promise<void> {
  const groups = new Set(rules.flatMap((rule) => rule.remote_group_id ?? []));
  const knownGroups = await lockVisible(trx, context, { type: "security_group", ids: [...groups] });
  const unknown = [...groups].filter((id) => !knownGroups.has(id));
  if (unknown.length > 0) throw groupNotFound(...unknown);
  const blocks = new Set(rules.flatMap((rule) => rule.remote_address_group_id ?? []));
  const knownBlocks = await lockVisible(trx, context, { type: "address_group", ids: [...blocks] });
  const missing = [...blocks].find((id) => !knownBlocks.has(id));
  if (missing !== undefined) throw new ApiFault("AddressGroupNotFound", `Address group ${missing} could not be found.`);
}
