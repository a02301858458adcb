// Security groups: kept with their rules and the ports that have them; nothing enforces them.
import type { Kysely } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import { securityGroupResource } from "../../types/resources/security-groups.ts";
import type { ApiPart } from "../api/api-part.ts";
import { registerCollection } from "../api/collection-routes.ts";
import { extension } from "../api/extensions.ts";
import { takeQuota } from "../services/quota-guard.ts";
import type { Attributes, ListQuery, RequestContext, ResourceService } from "../services/resource-service.ts";
import { presentRule } from "../services/security-group-present.ts";
import {
  ensureDefaultGroups,
  insertRules,
  listWithDefault,
  type SecurityGroupRow,
  templateRules,
  touchGroups,
} from "../services/security-group-rows.ts";
import { readStatefulness } from "../services/security-group-statefulness.ts";
import { has, projectOf, type ServiceDeps, text } from "../services/service-deps.ts";
import { forgetSharing, presentShared, sharedFilter, visibleObjects } from "../services/sharing.ts";
import { changedFlag, newNamedRow, renamed } from "../services/standard-rows.ts";
import { type Change, type Created, StandardService, type StandardSpec } from "../services/standard-service.ts";
import type { Trx } from "../store/database.ts";
import { readBelonging } from "../store/belonging.ts";
import { flag } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import { standardColumns } from "../store/list-rows.ts";

const type = "security_group";

/** Not listed: what promises that packets are filtered; docs/decisions/0022 says why. */
export function securityGroupPart(deps: ServiceDeps): ApiPart {
  return {
    resources: [securityGroupResource],
    extensions: [
      extension(
        "security-groups-shared-filtering",
        "Sharing of security groups",
        "Security groups are found by whether they are shared.",
      ),
      extension("port-security-groups-filtering", "Ports of security groups", "Ports are found by their security groups."),
    ],
    register: (app) => registerCollection(app, securityGroupResource, securityGroupService(deps)),
  };
}

function securityGroupService(deps: ServiceDeps): ResourceService {
  const groups = new StandardService(deps, specOf(deps));
  return {
    list: (context, query) => listWithDefault(deps, projectLookedAt(context, query), () => groups.list(context, query)),
    show: (context, id) => groups.show(context, id),
    async create(context, bodies) {
      for (const { name } of bodies) refuseDefaultName(name);
      return groups.create(context, bodies);
    },
    update: (context, id, changes, expectedRevision) => groups.update(context, id, changes, expectedRevision),
    remove: (context, id, expectedRevision) => groups.remove(context, id, expectedRevision),
  };
}

/** An administrator may look for those of another project; nothing is made for what cannot be the id of one. */
function projectLookedAt({ isAdmin, projectId }: RequestContext, { filters }: ListQuery): string {
  const asked = filters.find((filter) => filter.attribute === "project_id")?.values[0];
  if (!isAdmin || typeof asked !== "string") return projectId;
  return /^[\w-]{1,64}$/.test(asked) ? asked : "";
}

const specOf = (deps: ServiceDeps): StandardSpec<SecurityGroupRow> => ({
  resource: securityGroupResource,
  quota: "security_group",
  listed: {
    table: "security_groups",
    columns: { ...standardColumns, stateful: "stateful" },
    filters: { shared: sharedFilter(type) },
  },
  visible: (context) => visibleObjects(context, type),
  present,
  completeBodies,
  newRow,
  changedRow: (before, changes) => ({
    ...renamed(before, changes),
    stateful: changedFlag(changes, "stateful", before.stateful),
  }),
  async afterCreate(trx, { rows }: Created<SecurityGroupRow>) {
    const rules = await templateRules(trx, rows);
    await takeQuota(trx, deps, { resource: "security_group_rule", projectIds: rules.map((rule) => rule.project_id) });
    await insertRules(trx, rules);
    // Whoever makes a group of its own has a default one beside it, as clients expect.
    await ensureDefaultGroups(
      trx,
      deps,
      rows.map((row) => row.project_id),
    );
  },
  checkChange,
  checkRemove: (trx, context, row) => release(trx, deps, { context, row }),
});

function newRow(context: RequestContext, body: Attributes, now: string): SecurityGroupRow {
  return {
    ...newNamedRow(context, body, now),
    stateful: flag(body["stateful"]),
    is_default: 0,
  };
}

async function completeBodies(
  trx: Trx,
  context: RequestContext,
  bodies: readonly Attributes[],
): Promise<readonly Attributes[]> {
  if (bodies.every((body) => has(body, "stateful"))) return bodies;
  const statefulOf = await readStatefulness(
    trx,
    bodies.map((body) => projectOf(context, body)),
  );
  return bodies.map((body) => ({ stateful: statefulOf(projectOf(context, body)) === 1, ...body }));
}

function refuseDefaultName(name: unknown): void {
  if (text(name)?.toLowerCase() !== "default") return;
  throw new ApiFault("SecurityGroupDefaultAlreadyExists", "Default security group already exists.");
}

async function checkChange(trx: Trx, { before, after, changes }: Change<SecurityGroupRow>): Promise<void> {
  refuseDefaultName(changes["name"]);
  if (before.is_default === 1 && has(changes, "name")) {
    throw new ApiFault("SecurityGroupCannotUpdateDefault", "Updating default security group not allowed.");
  }
  if (after.stateful !== before.stateful) await checkUnused(trx, before.id);
}

async function checkUnused(trx: Trx, id: string): Promise<void> {
  const port = await trx
    .selectFrom("port_security_groups")
    .select("port_id")
    .where("security_group_id", "=", id)
    .limit(1)
    .executeTakeFirst();
  if (port !== undefined) throw new ApiFault("SecurityGroupInUse", `Security Group ${id} in use by port ${port.port_id}.`);
}

async function release(
  trx: Trx,
  deps: ServiceDeps,
  { context, row }: { readonly context: RequestContext; readonly row: SecurityGroupRow },
): Promise<void> {
  if (row.is_default === 1 && !context.isAdmin) {
    throw new ApiFault("SecurityGroupCannotRemoveDefault", "Insufficient rights for removing default security group.");
  }
  await checkUnused(trx, row.id);
  // Rules of other groups that name it go with it, by cascade; templates have no such reference.
  const others = await trx
    .selectFrom("security_group_rules")
    .select("security_group_id")
    .distinct()
    .where("remote_group_id", "=", row.id)
    .where("security_group_id", "!=", row.id)
    .execute();
  await touchGroups(
    trx,
    deps,
    others.map((rule) => rule.security_group_id),
  );
  await trx.deleteFrom("default_security_group_rules").where("remote_group_id", "=", row.id).execute();
  await forgetSharing(trx, { type, id: row.id });
}

async function present(
  db: Kysely<Database>,
  rows: readonly SecurityGroupRow[],
  context: RequestContext,
): Promise<readonly Attributes[]> {
  const ids = rows.map((row) => row.id);
  const rulesOf = await readBelonging(db, "security_group_rules", { owner: "security_group_id", ids });
  const own = (row: SecurityGroupRow): Attributes => ({
    stateful: row.stateful === 1,
    security_group_rules: (rulesOf.get(row.id) ?? []).map((rule) => presentRule(rule, row.is_default === 1)),
  });
  return presentShared(db, rows, { type, context, own });
}
