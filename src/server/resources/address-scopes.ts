// Address scopes: pools in one scope do not overlap.
import type { Selectable } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import { addressScopeResource } from "../../types/resources/address-scopes.ts";
import type { ApiPart } from "../api/api-part.ts";
import { registerCollection } from "../api/collection-routes.ts";
import { extension } from "../api/extensions.ts";
import type { ServiceDeps } from "../services/service-deps.ts";
import {
  forgetSharing,
  presentShared,
  readShared,
  shareAsAsked,
  sharedFilter,
  sharedSort,
  shareWithEverybody,
  visibleObjects,
} from "../services/sharing.ts";
import { newNamedRow, renamed } from "../services/standard-rows.ts";
import { type Change, StandardService, type StandardSpec } from "../services/standard-service.ts";
import type { RequestContext } from "../services/resource-service.ts";
import type { Trx } from "../store/database.ts";
import type { AddressScopesTable } from "../store/schema.ts";
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
    sorts: { shared: sharedSort(type) },
  },
  visible: (context) => visibleObjects(context, type),
  present: (db, rows, context) => presentShared(db, rows, { type, context, own: ({ ip_version }) => ({ ip_version }) }),
  newRow: (context, body, now) => ({
    ...newNamedRow(context, body, now),
    ip_version: body["ip_version"] === 6 ? 6 : 4,
  }),
  changedRow: (before, changes) => ({
    ...renamed(before, changes),
  }),
  afterCreate: (trx, created) => shareAsAsked(trx, type, created),
  afterChange: changeSharing,
  checkRemove: removeScope,
};

async function removeScope(trx: Trx, _context: RequestContext, { id }: Row): Promise<void> {
  const pool = await trx.selectFrom("subnet_pools").select("id").where("address_scope_id", "=", id).executeTakeFirst();
  if (pool === undefined) return forgetSharing(trx, { type, id });
  throw new ApiFault(
    "AddressScopeInUse",
    `Unable to complete operation on address scope ${id}. There are one or more subnet pools in use on the address scope.`,
  );
}

async function changeSharing(trx: Trx, { context, after, changes }: Change<Row>): Promise<void> {
  if (changes["shared"] === true) await shareWithEverybody(trx, { type, id: after.id, projectId: after.project_id });
  if (changes["shared"] !== false) return;
  const shared = await readShared(trx, context, { type, ids: [after.id] });
  if (shared.size === 0) return;
  throw new ApiFault("HTTPBadRequest", `Address scope ${after.id} is shared, which cannot be taken back.`);
}
