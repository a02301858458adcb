// What a network's attributes must fulfil, and its row.
import { ApiFault } from "../../types/api-faults.ts";
import { flag, type NetworkRow } from "../store/rows.ts";
import type { Trx } from "../store/database.ts";
import type { Carrier } from "../store/network-segments.ts";
import { checkMtuFits, computedMtu } from "./network-mtu.ts";
import type { NetworkSettings } from "./network-settings.ts";
import type { Attributes, RequestContext } from "./resource-service.ts";
import { has, listJson, number, text, textOrNull } from "./service-deps.ts";
import { changedFlag, newNamedRow, renamed } from "./standard-rows.ts";

function chosenMtu(asked: number | undefined, carriers: readonly Carrier[], settings: NetworkSettings): number {
  if (!asked) return computedMtu(carriers, settings);
  checkMtuFits(asked, carriers, settings);
  return asked;
}

export interface CarrierChange {
  readonly before: readonly Carrier[];
  readonly after: readonly Carrier[];
  readonly settings: NetworkSettings;
}

/** An MTU that was the old carrier's own follows the carrier; one that somebody chose stays. */
function changedMtu(row: NetworkRow, changes: Attributes, { before, after, settings }: CarrierChange): number {
  if (has(changes, "mtu")) return chosenMtu(number(changes["mtu"]), after, settings);
  if (before === after) return row.mtu;
  return row.mtu === computedMtu(before, settings) ? computedMtu(after, settings) : chosenMtu(row.mtu, after, settings);
}

/** Routers without a word about it go out over one network: there is no second default. Throws DefaultExternalNetworkExists. */
export async function checkDefault(trx: Trx, rows: readonly NetworkRow[]): Promise<void> {
  const [row, ...more] = rows.filter((each) => each.is_default === 1);
  if (row === undefined) return;
  if (row.is_external === 0) throw new ApiFault("InvalidInput", "is_default: only an external network can be the default one.");
  const standing = await trx
    .selectFrom("networks")
    .select("id")
    .where("is_default", "=", 1)
    .where("id", "!=", row.id)
    .execute();
  const [other] = [...standing, ...more];
  if (other === undefined) return;
  throw new ApiFault("DefaultExternalNetworkExists", `A default external network already exists: ${other.id}.`);
}

const smallestMtu = { 4: 68, 6: 1280 } as const;

/** @param ipVersions of the network's subnets. */
export function checkMtu(networkId: string, mtu: number, ipVersions: readonly number[]): void {
  const smallest = ipVersions.includes(6) ? smallestMtu[6] : smallestMtu[4];
  if (ipVersions.length === 0 || mtu >= smallest) return;
  const message = `MTU ${mtu} of network ${networkId} is too small for its subnets, which need at least ${smallest}`;
  throw new ApiFault("NetworkMTUSubnetConflict", message);
}

export function newNetworkRow(
  context: RequestContext,
  body: Attributes,
  { now, carriers, settings }: { now: string; carriers: readonly Carrier[]; settings: NetworkSettings },
): NetworkRow {
  const named = newNamedRow(context, body, now);
  return {
    ...named,
    // The server's own networks have theirs before they are made.
    id: text(body["id"]) ?? named.id,
    admin_state_up: flag(body["admin_state_up"] ?? true),
    status: "ACTIVE",
    shared: flag(body["shared"]),
    is_external: flag(body["router:external"]),
    mtu: chosenMtu(number(body["mtu"]), carriers, settings),
    port_security_enabled: flag(body["port_security_enabled"] ?? true),
    dns_domain: (text(body["dns_domain"]) ?? "").toLowerCase(),
    is_default: flag(body["is_default"]),
    availability_zone_hints: listJson(body["availability_zone_hints"]),
    qos_policy_id: textOrNull(body["qos_policy_id"]) ?? null,
  };
}

/** The row as the client wants it; same revision. */
export function changedNetworkRow(before: NetworkRow, changes: Attributes, carriers: CarrierChange): NetworkRow {
  return {
    ...renamed(before, changes),
    admin_state_up: changedFlag(changes, "admin_state_up", before.admin_state_up),
    shared: changedFlag(changes, "shared", before.shared),
    is_external: changedFlag(changes, "router:external", before.is_external),
    mtu: changedMtu(before, changes, carriers),
    port_security_enabled: changedFlag(changes, "port_security_enabled", before.port_security_enabled),
    dns_domain: (text(changes["dns_domain"]) ?? before.dns_domain).toLowerCase(),
    is_default: changedFlag(changes, "is_default", before.is_default),
  };
}
