// Kinds of objects that projects share with each other, and which projects use one: another kind joins with an entry here.
import { type RawBuilder, sql } from "kysely";
import type { FaultType } from "../../types/api-faults.ts";
import type { SharedType } from "../../types/resources/rbac-policies.ts";
import type { Trx } from "../store/database.ts";
import type { Database } from "../store/schema.ts";
import { qosHolders } from "./qos-holders.ts";

export type SharedAction = "access_as_shared" | "access_as_external";

interface SharedKind {
  readonly table: keyof Database;
  readonly title: string;
  readonly notFound: FaultType;
  /** For each action that there is: queries of `project_id`, of what uses the object. */
  readonly uses: Readonly<Partial<Record<SharedAction, (id: string) => readonly RawBuilder<UsingProject>[]>>>;
}

interface UsingProject {
  readonly project_id: string;
}

/** Ports that the network brings along, or that came by another right than that to make ports. */
const notByShare = ["network:dhcp", "network:distributed", "network:router_gateway", "network:floatingip"];

const network: SharedKind = {
  table: "networks",
  title: "Network",
  notFound: "NetworkNotFound",
  uses: {
    access_as_shared: (id) => [
      sql`select distinct project_id from ports where network_id = ${id} and device_owner not in (${sql.join(notByShare)})`,
    ],
    access_as_external: (id) => [
      sql`select distinct routers.project_id from routers join router_ports on router_ports.router_id = routers.id
        join ports on ports.id = router_ports.port_id where router_ports.kind = 'gateway' and ports.network_id = ${id}`,
      sql`select distinct project_id from floating_ips where floating_network_id = ${id}`,
    ],
  },
};

const qosPolicy: SharedKind = {
  table: "qos_policies",
  title: "QoS policy",
  notFound: "QosPolicyNotFound",
  uses: {
    access_as_shared: (id) =>
      Object.keys(qosHolders).map(
        (table) => sql`select distinct project_id from ${sql.table(table)} where qos_policy_id = ${id}`,
      ),
  },
};

const sharedKinds: Readonly<Partial<Record<SharedType, SharedKind>>> = {
  network,
  qos_policy: qosPolicy,
  address_scope: {
    table: "address_scopes",
    title: "Address scope",
    notFound: "AddressScopeNotFound",
    uses: { access_as_shared: (id) => [sql`select distinct project_id from subnet_pools where address_scope_id = ${id}`] },
  },
  subnetpool: {
    table: "subnet_pools",
    title: "Subnet pool",
    notFound: "SubnetPoolNotFound",
    uses: { access_as_shared: (id) => [sql`select distinct project_id from subnets where subnetpool_id = ${id}`] },
  },
  security_group: {
    table: "security_groups",
    title: "Security group",
    notFound: "SecurityGroupNotFound",
    uses: {
      access_as_shared: (id) => [
        sql`select distinct ports.project_id from ports
          join port_security_groups on port_security_groups.port_id = ports.id where security_group_id = ${id}`,
        sql`select distinct project_id from security_group_rules where remote_group_id = ${id}`,
      ],
    },
  },
  address_group: {
    table: "address_groups",
    title: "Address group",
    notFound: "AddressGroupNotFound",
    uses: {
      access_as_shared: (id) => [
        sql`select distinct project_id from security_group_rules where remote_address_group_id = ${id}`,
      ],
    },
  },
};

/** `undefined`: there are none of that kind yet. */
export const sharedKindOf = (type: string): SharedKind | undefined =>
  Object.hasOwn(sharedKinds, type) ? sharedKinds[type as SharedType] : undefined;

export interface SharedAccess {
  readonly type: string;
  readonly id: string;
  readonly ownerId: string;
  readonly action: SharedAction;
}

/** Projects that use the object and may not without a policy for them among `targets`. */
export async function findUncovered(trx: Trx, access: SharedAccess, targets: readonly string[]): Promise<readonly string[]> {
  if (targets.includes("*")) return [];
  const covered = new Set([...targets, access.ownerId]);
  return (await findUsers(trx, access)).filter((project) => !covered.has(project));
}

/**
 * Projects that use the object and lose it with the policy for `target`.
 * @param ending with who has a policy then
 */
export async function findLosers(
  trx: Trx,
  access: SharedAccess,
  ending: { readonly target: string; readonly left: readonly string[] },
): Promise<readonly string[]> {
  const { target, left } = ending;
  // A network that leads nobody out is not external any more, not even to its owner.
  if (access.action === "access_as_external" && left.length === 0) return findUsers(trx, access);
  const uncovered = await findUncovered(trx, access, left);
  // What an administrator gave to others never depended on this policy.
  return target === "*" ? uncovered : uncovered.filter((project) => project === target);
}

async function findUsers(trx: Trx, { type, id, action }: SharedAccess): Promise<readonly string[]> {
  const users = new Set<string>();
  for (const query of sharedKindOf(type)?.uses[action]?.(id) ?? [])
    for (const { project_id: projectId } of (await query.execute(trx)).rows) users.add(projectId);
  // What belongs to nobody came along with something else.
  users.delete("");
  return [...users];
}

/** Who may use the object in this way. */
export async function readTargets(trx: Trx, { type, id, action }: Omit<SharedAccess, "ownerId">): Promise<readonly string[]> {
  const rows = await trx
    .selectFrom("rbac_policies")
    .select("target_project")
    .where("object_type", "=", type)
    .where("object_id", "=", id)
    .where("action", "=", action)
    .execute();
  return rows.map((row) => row.target_project);
}
