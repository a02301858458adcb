// The security groups of ports: which ones a port may have, and which ones it has when nobody says.
import { type Kysely, sql } from "kysely";
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";
import { type Condition, columnIn } from "../store/list-rows.ts";
import { hasRowLocks, inChunks, type PortRow } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import { groupRows, insertPortGroups } from "./port-rows.ts";
import type { Attributes, RequestContext } from "./resource-service.ts";
import { ensureDefaultGroups, groupNotFound } from "./security-group-rows.ts";
import { has, type ServiceDeps } from "./service-deps.ts";

/** By port, sorted; ports without any are left out. One query for all of a list. */
export async function readPortGroups(
  db: Kysely<Database>,
  portIds: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await inChunks(portIds, (piece) =>
    db.selectFrom("port_security_groups").selectAll().where("port_id", "in", piece).orderBy("security_group_id").execute(),
  );
  const groups = new Map<string, string[]>();
  for (const { port_id, security_group_id } of rows) {
    const known = groups.get(port_id);
    if (known === undefined) groups.set(port_id, [security_group_id]);
    else known.push(security_group_id);
  }
  return groups;
}

/** Of the filter `security_groups`: ports that have one of them. */
export const inSecurityGroups = (values: Parameters<typeof columnIn>[1]): Condition =>
  sql`id in (select port_id from port_security_groups where ${columnIn("security_group_id", values)})`;

/** What the server has for itself: DHCP, routers and the like take no groups, whatever is asked for. */
const isTrusted = (row: PortRow): boolean => row.device_owner.startsWith("network:");

/** `undefined`: not given; null is the empty list. The cast: the route has checked the shape. */
function askedGroups(body: Attributes): readonly string[] | undefined {
  if (!has(body, "security_groups")) return undefined;
  return [...new Set((body["security_groups"] ?? []) as readonly string[])].sort();
}

interface NewPort {
  readonly row: PortRow;
  readonly body: Attributes;
}

/** In the order of the ports. Makes the default groups that are missing. */
export async function groupsOfNewPorts(
  trx: Trx,
  deps: ServiceDeps,
  { context, ports }: { readonly context: RequestContext; readonly ports: readonly NewPort[] },
): Promise<readonly (readonly string[])[]> {
  const wishes = ports.map(({ row, body }) => ({ row, asked: isTrusted(row) ? [] : askedGroups(body) }));
  for (const { row, asked } of wishes) if (asked !== undefined) checkPortSecurity(row, asked);
  await checkUsable(trx, context, wishes);
  const unsaid = wishes.filter(({ row, asked }) => asked === undefined && row.port_security_enabled === 1);
  const defaults = await ensureDefaultGroups(
    trx,
    deps,
    unsaid.map(({ row }) => row.project_id),
  );
  return wishes.map(({ row, asked }) => {
    if (asked !== undefined) return asked;
    const group = row.port_security_enabled === 1 ? defaults.get(row.project_id) : undefined;
    return group === undefined ? [] : [group];
  });
}

/** The same array when nothing is asked for. `after`: the port as the client wants it. */
export async function changedGroups(
  trx: Trx,
  context: RequestContext,
  { held, after, changes }: { readonly held: readonly string[]; readonly after: PortRow; readonly changes: Attributes },
): Promise<readonly string[]> {
  const asked = isTrusted(after) && has(changes, "security_groups") ? [] : askedGroups(changes);
  if (asked !== undefined) {
    checkPortSecurity(after, asked);
    await checkUsable(trx, context, [{ row: after, asked }]);
    return asked.join() === held.join() ? held : asked;
  }
  if (after.port_security_enabled === 1 || held.length === 0) return held;
  throw new ApiFault(
    "PortSecurityPortHasSecurityGroup",
    "Port has security group associated. Cannot disable port security or IP address until security group is removed.",
  );
}

function checkPortSecurity(row: PortRow, asked: readonly string[]): void {
  if (row.port_security_enabled === 1 || asked.length === 0) return;
  throw new ApiFault(
    "PortSecurityAndIPRequiredForSecurityGroups",
    "Port security must be enabled and port must have an IP address in order to use security groups.",
  );
}

interface Wish {
  readonly row: PortRow;
  readonly asked: readonly string[] | undefined;
}

/** Groups of the port's project, and those that are shared with it; an administrator may give it any. */
async function checkUsable(trx: Trx, context: RequestContext, wishes: readonly Wish[]): Promise<void> {
  const ids = [...new Set(wishes.flatMap(({ asked }) => asked ?? []))].sort();
  if (ids.length === 0) return;
  const owners = new Map(
    (
      await inChunks(ids, (piece) =>
        trx
          .selectFrom("security_groups")
          .select(["id", "project_id"])
          .where("id", "in", piece)
          .orderBy("id")
          // Before the policies are read: nobody ends their sharing meanwhile.
          .$if(hasRowLocks(trx), (query) => query.forKeyShare())
          .execute(),
      )
    ).map((group) => [group.id, group.project_id]),
  );
  const targets = context.isAdmin ? new Map<string, ReadonlySet<string>>() : await readTargets(trx, ids);
  const mayUse = (row: PortRow, id: string): boolean => {
    if (context.isAdmin || owners.get(id) === row.project_id) return owners.has(id);
    const sharedWith = targets.get(id);
    return sharedWith?.has("*") === true || sharedWith?.has(row.project_id) === true;
  };
  const refused = new Set(wishes.flatMap(({ row, asked }) => (asked ?? []).filter((id) => !mayUse(row, id))));
  if (refused.size > 0) throw groupNotFound(...[...refused].sort());
}

/** Projects that the groups are shared with, `*` for all, by group. */
async function readTargets(trx: Trx, ids: readonly string[]): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const rows = await inChunks(ids, (piece) =>
    trx
      .selectFrom("rbac_policies")
      .select(["object_id", "target_project"])
      .where("object_type", "=", "security_group")
      .where("action", "=", "access_as_shared")
      .where("object_id", "in", piece)
      .execute(),
  );
  const byGroup = Map.groupBy(rows, (row) => row.object_id);
  return new Map([...byGroup].map(([id, policies]) => [id, new Set(policies.map((row) => row.target_project))]));
}

export async function replacePortGroups(trx: Trx, id: string, groups: readonly string[]): Promise<void> {
  await trx.deleteFrom("port_security_groups").where("port_id", "=", id).execute();
  await insertPortGroups(trx, groupRows(id, groups));
}
