// Address scopes: pools in one scope do not overlap.
import { randomUUID } from "node:crypto";
import type { Kysely, Selectable } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import { addressScopeResource } from "../../types/resources/address-scopes.ts";
import type { ApiPart } from "../api/api-part.ts";
import { registerCollection } from "../api/collection-routes.ts";
import { extension } from "../api/extensions.ts";
import { common } from "../services/present.ts";
import { projectOf, type ServiceDeps, text } from "../services/service-deps.ts";
import { forgetSharing, readShared, sharedFilter, shareWithEverybody, visibleObjects } from "../services/sharing.ts";
import { type Change, StandardService, type StandardSpec } from "../services/standard-service.ts";
import type { Attributes, RequestContext } from "../services/resource-service.ts";
import type { Trx } from "../store/database.ts";
import type { AddressScopesTable, Database } from "../store/schema.ts";
import { standardColumns } from "../store/list-rows.ts";

type Row = Selectable<AddressScopesTable>;

const type = "address_scope";

export function addressScopePart(deps: ServiceDeps): ApiPart {
  return {
    resources: [addressScopeResource],
    extensions: [extension("address-scope", "Address scopes", "Pools of addresses that do not overlap.")],
    register: (app) => registerCollection(app, addressScopeResource, new StandardService(deps, spec)),
  };
}

const spec: StandardSpec<Row> = {
  resource: addressScopeResource,
  listed: {
    table: "address_scopes",
    columns: { ...standardColumns, ip_version: "ip_version" },
    filters: { shared: sharedFilter(type) },
  },
  visible: (context) => visibleObjects(context, type),
  present,
  newRow: (context, body, now) => ({
    id: randomUUID(),
    project_id: projectOf(context, body),
    name: text(body["name"]) ?? "",
    description: text(body["description"]) ?? "",
    tags: "[]",
    ip_version: body["ip_version"] === 6 ? 6 : 4,
    revision_number: 1,
    created_at: now,
    updated_at: now,
  }),
  changedRow: (before, changes) => ({
    ...before,
    name: text(changes["name"]) ?? before.name,
    description: text(changes["description"]) ?? before.description,
  }),
  async afterCreate(trx, { rows, bodies }) {
    for (const [index, row] of rows.entries()) if (bodies[index]?.["shared"] === true) await share(trx, row);
  },
  afterChange: changeSharing,
  checkRemove: removeScope,
};

const share = (trx: Trx, { id, project_id: projectId }: Row): Promise<void> => shareWithEverybody(trx, { type, id, projectId });

async function removeScope(trx: Trx, _context: RequestContext, { id }: Row): Promise<void> {
  const pool = await trx.selectFrom("subnet_pools").select("id").where("address_scope_id", "=", id).executeTakeFirst();
  if (pool === undefined) return forgetSharing(trx, { type, id });
  throw new ApiFault(
    "AddressScopeInUse",
    `Unable to complete operation on address scope ${id}. There are one or more subnet pools in use on the address scope.`,
  );
}

async function changeSharing(trx: Trx, { context, after, changes }: Change<Row>): Promise<void> {
  if (changes["shared"] === true) await share(trx, after);
  if (changes["shared"] !== false) return;
  const shared = await readShared(trx, context, { type, ids: [after.id] });
  if (shared.size === 0) return;
  throw new ApiFault("HTTPBadRequest", `Address scope ${after.id} is shared, which cannot be taken back.`);
}

async function present(db: Kysely<Database>, rows: readonly Row[], context: RequestContext): Promise<readonly Attributes[]> {
  const shared = await readShared(db, context, { type, ids: rows.map((row) => row.id) });
  return rows.map((row) => ({ ...common(row), ip_version: row.ip_version, shared: shared.has(row.id) }));
}
