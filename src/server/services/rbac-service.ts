// RBAC policies: which project may use which object of another. The object's row is the lock of all its policies.
import { randomUUID } from "node:crypto";
import { type SqlBool, sql } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import { rbacPolicyResource } from "../../types/resources/rbac-policies.ts";
import type { Trx } from "../store/database.ts";
import type { Condition, ListedTable } from "../store/list-rows.ts";
import { locksRows } from "../store/rows.ts";
import { followPolicies } from "./network-sharing.ts";
import { takeQuota } from "./quota-guard.ts";
import { checkUnused, type Policy } from "./rbac-uses.ts";
import type { Attributes, ListQuery, RequestContext, ResourceService } from "./resource-service.ts";
import { missing, projectOf, type ServiceDeps, text } from "./service-deps.ts";
import { readTargets, type SharedAction, sharedKindOf } from "./shared-objects.ts";
import { touchRows } from "./standard-rows.ts";
import { StandardReader } from "./standard-service.ts";
import { checkPoolGuests } from "./subnet-pool-scopes.ts";

const listed: ListedTable = {
  table: "rbac_policies",
  columns: {
    id: "id",
    project_id: "project_id",
    object_type: "object_type",
    object_id: "object_id",
    action: "action",
    target_project: "target_project",
  },
  filters: {},
};

function visiblePolicies({ isAdmin, projectId }: RequestContext): Condition | undefined {
  return isAdmin ? undefined : sql<SqlBool>`project_id = ${projectId}`;
}

export class RbacPolicies implements ResourceService {
  readonly #deps: ServiceDeps;
  readonly #reader: StandardReader<Policy>;

  constructor(deps: ServiceDeps) {
    this.#deps = deps;
    this.#reader = new StandardReader(deps.store, {
      resource: rbacPolicyResource,
      listed,
      visible: visiblePolicies,
      present: async (_db, rows: readonly Policy[]) => rows.map(present),
    });
  }

  async list(context: RequestContext, query: ListQuery): Promise<readonly Attributes[]> {
    return this.#reader.list(context, query);
  }

  async show(context: RequestContext, id: string): Promise<Attributes> {
    return this.#reader.show(context, id);
  }

  async create(context: RequestContext, bodies: readonly Attributes[]): Promise<readonly Attributes[]> {
    const rows = bodies.map((body) => newPolicy(context, body));
    await this.#deps.store.transaction(async (trx) => {
      const projectIds = rows.map((row) => row.project_id);
      await takeQuota(trx, this.#deps, { resource: "rbac_policy", projectIds });
      // Objects are locked in the order of their ids, as everywhere.
      for (const row of rows.toSorted((a, b) => (a.object_id < b.object_id ? -1 : 1))) await this.#createOne(trx, context, row);
    });
    return rows.map(present);
  }

  async #createOne(trx: Trx, context: RequestContext, row: Policy): Promise<void> {
    const object = await this.#lockObject(trx, row);
    await checkOwned(trx, context, { row, ownerId: object.project_id });
    await checkNew(trx, row);
    await trx.insertInto("rbac_policies").values(row).execute();
    await this.#touch(trx, row);
  }

  async update(context: RequestContext, id: string, changes: Attributes): Promise<Attributes> {
    const target = text(changes["target_project"]);
    return this.#deps.store.transaction(async (trx) => {
      const { policy, ownerId } = await this.#lock(trx, context, id);
      if (target === undefined || target === policy.target_project) return present(policy);
      const after = { ...policy, target_project: target };
      await checkNew(trx, after);
      await checkUnused(trx, { policy, ownerId, replacement: target });
      await trx.updateTable("rbac_policies").set({ target_project: target }).where("id", "=", id).execute();
      await this.#touch(trx, after);
      return present(after);
    });
  }

  async remove(context: RequestContext, id: string): Promise<void> {
    await this.#deps.store.transaction(async (trx) => {
      const { policy, ownerId } = await this.#lock(trx, context, id);
      await checkUnused(trx, { policy, ownerId });
      await trx.deleteFrom("rbac_policies").where("id", "=", id).execute();
      await this.#touch(trx, policy);
    });
  }

  async #lock(trx: Trx, context: RequestContext, id: string): Promise<{ readonly policy: Policy; readonly ownerId: string }> {
    const find = (): Promise<Policy | undefined> =>
      trx.selectFrom("rbac_policies").selectAll().where("id", "=", id).executeTakeFirst();
    const found = await find();
    if (found === undefined || !(context.isAdmin || found.project_id === context.projectId))
      throw missing(rbacPolicyResource, id);
    const object = await this.#lockObject(trx, found);
    // Before the object was locked another may have changed or removed it.
    const policy = await find();
    if (policy === undefined) throw missing(rbacPolicyResource, id);
    return { policy, ownerId: object.project_id };
  }

  async #lockObject(trx: Trx, { object_type: type, object_id: id }: Policy): Promise<{ readonly project_id: string }> {
    const kind = sharedKindOf(type);
    if (kind === undefined)
      throw new ApiFault("InvalidInput", `Invalid input for operation: there are no objects of type ${type}.`);
    const row = await trx
      .selectFrom(kind.table as "networks")
      .select("project_id")
      .where("id", "=", id)
      .$if(locksRows(this.#deps.store.dialect), (query) => query.forUpdate())
      .executeTakeFirst();
    if (row === undefined) throw objectMissing(type, id);
    return row;
  }

  /** The object is another one than before for those who watch it. */
  async #touch(trx: Trx, policy: Policy): Promise<void> {
    const { object_type: type, object_id: id } = policy;
    const table = sharedKindOf(type)?.table ?? "networks";
    // The cast: only valid ones are stored.
    if (type === "network") await followPolicies(trx, { id, action: policy.action as SharedAction });
    await touchRows(trx, this.#deps, { table, ids: [id] });
  }
}

function objectMissing(type: string, id: string): ApiFault {
  const kind = sharedKindOf(type);
  return new ApiFault(kind?.notFound ?? "HTTPNotFound", `${kind?.title ?? type} ${id} could not be found.`);
}

function newPolicy(context: RequestContext, body: Attributes): Policy {
  const row = {
    id: randomUUID(),
    project_id: projectOf(context, body),
    object_type: text(body["object_type"]) ?? "",
    object_id: text(body["object_id"]) ?? "",
    action: text(body["action"]) ?? "",
    target_project: text(body["target_project"]) ?? "",
  };
  const valid = Object.keys(sharedKindOf(row.object_type)?.uses ?? { access_as_shared: true });
  if (valid.includes(row.action)) return row;
  throw new ApiFault(
    "InvalidInput",
    `Invalid action '${row.action}' for object type '${row.object_type}'. Valid actions: ${valid.join(", ")}.`,
  );
}

const present = (row: Policy): Attributes => ({ ...row, tenant_id: row.project_id, target_tenant: row.target_project });

/** Who does not see the object is not told that it is there. */
async function checkOwned(
  trx: Trx,
  { isAdmin, projectId }: RequestContext,
  { row, ownerId }: { readonly row: Policy; readonly ownerId: string },
): Promise<void> {
  if (isAdmin || ownerId === projectId) return;
  const { object_type: type, object_id: id } = row;
  const seen = await trx
    .selectFrom("rbac_policies")
    .select("id")
    .where("object_type", "=", type)
    .where("object_id", "=", id)
    .where("target_project", "in", ["*", projectId])
    .limit(1)
    .executeTakeFirst();
  if (seen === undefined) throw objectMissing(type, id);
  const what = `Only admins can manipulate policies on objects they do not own: ${type} ${id}.`;
  throw new ApiFault("InvalidInput", `Invalid input for operation: ${what}`);
}

async function checkNew(trx: Trx, { object_type: type, object_id: id, action, target_project: target }: Policy): Promise<void> {
  const targets = await readTargets(trx, { type, id, action: action as SharedAction });
  if (targets.includes(target)) {
    throw new ApiFault(
      "DuplicateRbacPolicy",
      `An RBAC policy already exists with those values: ${action} of ${type} ${id} for ${target}.`,
    );
  }
  if (type !== "subnetpool") return;
  const pool = await trx
    .selectFrom("subnet_pools")
    .select(["id", "address_scope_id"])
    .where("id", "=", id)
    .executeTakeFirstOrThrow();
  await checkPoolGuests(trx, pool, [target]);
}
