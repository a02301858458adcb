// Settings of what new security groups are: of all projects, by administrators; of a project, by its managers too.
import { randomUUID } from "node:crypto";
import type { Selectable } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import { securityGroupStatefulnessResource as resource } from "../../types/resources/security-group-statefulness.ts";
import type { ApiPart } from "../api/api-part.ts";
import { registerCollection } from "../api/collection-routes.ts";
import { extension } from "../api/extensions.ts";
import type { Attributes, RequestContext } from "../services/resource-service.ts";
import { allProjects } from "../services/security-group-statefulness.ts";
import { forbidden, has, type ServiceDeps, text } from "../services/service-deps.ts";
import { type Created, StandardService, type StandardSpec } from "../services/standard-service.ts";
import type { Trx } from "../store/database.ts";
import { columnIn } from "../store/list-rows.ts";
import { flag } from "../store/rows.ts";
import type { SecurityGroupDefaultsTable } from "../store/schema-kept.ts";

type Row = Selectable<SecurityGroupDefaultsTable>;

export function securityGroupStatefulnessPart(deps: ServiceDeps): ApiPart {
  return {
    resources: [resource],
    extensions: [
      extension(
        "security-groups-default-statefulness",
        "Default statefulness",
        "What new security groups are, of a project or of all projects, that do not say whether they are stateful.",
      ),
    ],
    register: (app) => registerCollection(app, resource, new StandardService(deps, spec)),
  };
}

const spec: StandardSpec<Row> = {
  resource,
  listed: {
    table: "security_group_defaults",
    columns: { id: "id", project_id: "project_id", stateful: "stateful" },
    filters: {},
  },
  visible: ({ isAdmin, projectId }) => (isAdmin ? undefined : columnIn("project_id", [projectId])),
  present: async (_db, rows) => rows.map(present),
  newRow: (_context, body, now) => ({
    id: randomUUID(),
    project_id: text(body["project_id"]) ?? allProjects,
    stateful: flag(body["stateful"] ?? true),
    revision_number: 1,
    created_at: now,
    updated_at: now,
  }),
  changedRow: (before, changes) => ({
    ...before,
    stateful: has(changes, "stateful") ? flag(changes["stateful"]) : before.stateful,
  }),
  checkCreate,
  checkChange: async (_trx, { context }) => requireManager(context, "update"),
  checkRemove: async (_trx, context) => requireManager(context, "delete"),
};

async function checkCreate(trx: Trx, { context, rows }: Created<Row>): Promise<void> {
  for (const { project_id: projectId } of rows) {
    if (!context.isAdmin && projectId !== context.projectId) throw forbidden(`create_${resource.name} for all projects`);
    requireManager(context, "create");
    const query = trx.selectFrom("security_group_defaults").select("id").where("project_id", "=", projectId);
    if ((await query.executeTakeFirst()) === undefined) continue;
    const whose = projectId === allProjects ? "system-wide" : projectId;
    const why = `A security group default statefulness setting already exists for project '${whose}'.`;
    throw new ApiFault("SecurityGroupDefaultStatefulnessAlreadyExists", why);
  }
}

function requireManager({ isAdmin, isManager }: RequestContext, action: string): void {
  if (!isAdmin && isManager !== true) throw forbidden(`${action}_${resource.name}`);
}

const present = ({ id, project_id: projectId, stateful }: Row): Attributes => ({
  id,
  project_id: projectId === allProjects ? null : projectId,
  stateful: stateful === 1,
});
