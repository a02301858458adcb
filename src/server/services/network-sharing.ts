// The attributes `shared` and `router:external` of a network, which are RBAC policies for everybody. The columns `shared` and
// `is_external` follow them: whether there is such a policy, and whether the network is a way out for anybody.
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";
import { flag, type NetworkRow } from "../store/rows.ts";
import { findUncovered, readTargets, type SharedAccess, type SharedAction } from "./shared-objects.ts";
import { shareWithEverybody } from "./sharing.ts";

const accessTo = ({ id, project_id: ownerId }: NetworkRow, action: SharedAction): SharedAccess => ({
  type: "network",
  id,
  ownerId,
  action,
});

/** Of new networks. */
export async function shareNetworks(trx: Trx, networks: readonly NetworkRow[]): Promise<void> {
  for (const row of networks) await addPolicies(trx, row, { shared: row.shared === 1, external: row.is_external === 1 });
}

async function addPolicies(
  trx: Trx,
  row: NetworkRow,
  wanted: { readonly shared: boolean; readonly external: boolean },
): Promise<void> {
  const object = { type: "network", id: row.id, projectId: row.project_id } as const;
  if (wanted.shared) await shareWithEverybody(trx, object);
  if (wanted.external) await shareWithEverybody(trx, object, "access_as_external");
}

/** Throws InvalidSharedSetting when others would lose what they have. What is shared with single projects stays shared. */
export async function changeNetworkSharing(trx: Trx, before: NetworkRow, after: NetworkRow): Promise<void> {
  if (before.shared === 1 && after.shared === 0) await endSharing(trx, before);
  const own = trx.deleteFrom("rbac_policies").where("object_type", "=", "network").where("object_id", "=", before.id);
  if (before.is_external === 1 && after.is_external === 0) await own.where("action", "=", "access_as_external").execute();
  await addPolicies(trx, after, {
    shared: before.shared === 0 && after.shared === 1,
    external: before.is_external === 0 && after.is_external === 1,
  });
}

async function endSharing(trx: Trx, network: NetworkRow): Promise<void> {
  const access = accessTo(network, "access_as_shared");
  const left = (await readTargets(trx, access)).filter((target) => target !== "*");
  if ((await findUncovered(trx, access, left)).length > 0) {
    throw new ApiFault(
      "InvalidSharedSetting",
      `Unable to reconfigure sharing settings for network ${network.name || network.id}. Multiple projects are using it.`,
    );
  }
  await trx
    .deleteFrom("rbac_policies")
    .where("object_type", "=", "network")
    .where("object_id", "=", network.id)
    .where("action", "=", "access_as_shared")
    .where("target_project", "=", "*")
    .execute();
}

/** After its policies for this action changed: the column follows. A network that is a way out for one project is external. */
export async function followPolicies(
  trx: Trx,
  { id, action }: { readonly id: string; readonly action: SharedAction },
): Promise<void> {
  const targets = await readTargets(trx, { type: "network", id, action });
  const columns =
    action === "access_as_shared" ? { shared: flag(targets.includes("*")) } : { is_external: flag(targets.length > 0) };
  await trx.updateTable("networks").set(columns).where("id", "=", id).execute();
}
