// Where a port is plugged: what a client asks for, what becomes of it, and when that starts anew.
import { bridgeName } from "../../model/device-names.ts";
import { networkId } from "../../model/ids.ts";
import type { Trx } from "../store/database.ts";
import { inChunks, type PortRow } from "../store/rows.ts";
import type { Attributes } from "./resource-service.ts";
import { has, text } from "./service-deps.ts";

type BindingColumns = Pick<
  PortRow,
  "binding_host_id" | "binding_vnic_type" | "binding_profile" | "binding_vif_type" | "binding_vif_details"
>;

/** Of the hosts that the bodies name: those from which an agent has been heard, today or earlier. */
export async function readKnownHosts(trx: Trx, bodies: readonly Attributes[]): Promise<ReadonlySet<string>> {
  const asked = new Set(bodies.map((body) => text(body["binding:host_id"]) ?? "").filter((host) => host !== ""));
  const rows = await inChunks([...asked], (piece) =>
    trx.selectFrom("agents").select("host").distinct().where("host", "in", piece).execute(),
  );
  return new Set(rows.map((row) => row.host));
}

/** A port on a host that is known hangs on that host's bridge of the network; nobody needs to be asked. */
export function bindingColumns(network: string, body: Attributes, knownHosts: ReadonlySet<string>): BindingColumns {
  const host = text(body["binding:host_id"]) ?? "";
  const vnicType = text(body["binding:vnic_type"]) ?? "normal";
  const isPossible = vnicType === "normal" && knownHosts.has(host);
  const vifType = host === "" ? "unbound" : isPossible ? "bridge" : "binding_failed";
  const details = { port_filter: false, connectivity: "l2", bridge_name: bridgeName(networkId(network)) };
  return {
    binding_host_id: host,
    binding_vnic_type: vnicType,
    binding_profile: JSON.stringify(body["binding:profile"] ?? {}),
    binding_vif_type: vifType,
    binding_vif_details: JSON.stringify(vifType === "bridge" ? details : {}),
  };
}

/** The same for a port that is there. A binding stands until a part of it changes; one that failed is tried again. */
export async function changedBinding(trx: Trx, before: PortRow, changes: Attributes): Promise<BindingColumns> {
  const wish = {
    "binding:host_id": text(changes["binding:host_id"]) ?? before.binding_host_id,
    "binding:vnic_type": text(changes["binding:vnic_type"]) ?? before.binding_vnic_type,
    "binding:profile": has(changes, "binding:profile") ? changes["binding:profile"] : JSON.parse(before.binding_profile),
  };
  const { binding_host_id, binding_vnic_type, binding_profile, binding_vif_type, binding_vif_details } = before;
  const standing = { binding_host_id, binding_vnic_type, binding_profile, binding_vif_type, binding_vif_details };
  const isSame =
    wish["binding:host_id"] === binding_host_id &&
    wish["binding:vnic_type"] === binding_vnic_type &&
    JSON.stringify(wish["binding:profile"] ?? {}) === binding_profile;
  if (isSame && binding_vif_type !== "binding_failed") return standing;
  return bindingColumns(before.network_id, wish, await readKnownHosts(trx, [wish]));
}

/** Whoever served or plugged the port before has to do it again: until then it is DOWN. */
export function startsAnew(before: PortRow, after: PortRow): boolean {
  const binding = (row: PortRow): string =>
    JSON.stringify([row.binding_host_id, row.binding_vnic_type, row.binding_profile, row.binding_vif_type]);
  const isPlugged = before.binding_vif_type !== "unbound" || after.binding_vif_type !== "unbound";
  return (
    before.admin_state_up !== after.admin_state_up ||
    binding(before) !== binding(after) ||
    (isPlugged && before.mac_address !== after.mac_address)
  );
}

/** One of those that are not in force: it is now, or nobody wants it any more. */
export async function forgetBinding(trx: Trx, portId: string, host: string): Promise<void> {
  await trx.deleteFrom("port_bindings").where("port_id", "=", portId).where("host", "=", host).execute();
}
