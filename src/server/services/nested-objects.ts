// Objects that the API has only inside others, read by their own ids and told with the id of what they are in: for notifications,
// whose readers have no path that would say it.
import type { Kysely } from "kysely";
import { translated } from "../store/engine-errors.ts";
import { inChunks } from "../store/rows.ts";
import type { Database } from "../store/schema.ts";
import { presentForwarding } from "./floating-ip-present.ts";
import { presentQosRule } from "./qos-policy-rows.ts";
import type { Attributes } from "./resource-service.ts";

/** As an administrator sees them; those that are gone are left out. */
type NestedReader = (db: Kysely<Database>, ids: readonly string[]) => Promise<readonly Attributes[]>;

const readForwardings: NestedReader = async (db, ids) => {
  const rows = await inChunks(ids, (piece) => db.selectFrom("port_forwardings").selectAll().where("id", "in", piece).execute());
  return rows.map((row) => ({ ...presentForwarding(row), floatingip_id: row.floatingip_id }));
};

const readQosRules: NestedReader = async (db, ids) => {
  const rows = await inChunks(ids, (piece) => db.selectFrom("qos_rules").selectAll().where("id", "in", piece).execute());
  return rows.map((row) => ({ ...presentQosRule(row), qos_policy_id: row.qos_policy_id, type: row.type }));
};

const readConntrackHelpers: NestedReader = (db, ids) =>
  inChunks(ids, (piece) => db.selectFrom("conntrack_helpers").selectAll().where("id", "in", piece).execute());

/** By the names that notes of them have. */
const readers: ReadonlyMap<string, NestedReader> = new Map([
  ["port_forwarding", readForwardings],
  ["qos_rule", readQosRules],
  ["conntrack_helper", readConntrackHelpers],
]);

/** `undefined` for objects that are inside no others. */
export async function readNested(
  db: Kysely<Database>,
  resource: string,
  ids: readonly string[],
): Promise<readonly Attributes[] | undefined> {
  return translated(readers.get(resource)?.(db, ids) ?? Promise.resolve(undefined));
}
