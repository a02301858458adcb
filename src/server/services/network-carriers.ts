// What carries a network from host to host, as an operator says it (`provider:*`): which descriptions make sense, and that no
// two networks share one. The server only keeps it: to carry the frames is the operator's part.
import { ApiFault } from "../../types/api-faults.ts";
import type { Trx } from "../store/database.ts";
import type { NetworkRow } from "../store/rows.ts";
import type { Attributes } from "./resource-service.ts";
import { has, number, text } from "./service-deps.ts";

type Carrier = Pick<NetworkRow, "network_type" | "physical_network" | "segmentation_id">;

interface CarrierType {
  readonly isPhysical: boolean;
  /** Largest segment id; 0: there are no segments. */
  readonly lastSegment: number;
}

const carrierTypes: Readonly<Record<string, CarrierType>> = {
  local: { isPhysical: false, lastSegment: 0 },
  flat: { isPhysical: true, lastSegment: 0 },
  vlan: { isPhysical: true, lastSegment: 4094 },
  vxlan: { isPhysical: false, lastSegment: 16_777_215 },
};

const attributes = ["provider:network_type", "provider:physical_network", "provider:segmentation_id"] as const;

const isGiven = (body: Attributes): boolean => attributes.some((attribute) => has(body, attribute));

export function newCarrier(body: Attributes): Carrier {
  if (isGiven(body) && !has(body, "provider:network_type")) refuse("provider:network_type is required with the others");
  return checkedCarrier({
    network_type: text(body["provider:network_type"]) ?? "local",
    physical_network: text(body["provider:physical_network"]) ?? null,
    segmentation_id: number(body["provider:segmentation_id"]) ?? null,
  });
}

/** Another type is described anew: nothing of the old description belongs to it. */
export function changedCarrier(before: NetworkRow, changes: Attributes): Carrier {
  const { network_type, physical_network, segmentation_id } = before;
  const standing = { network_type, physical_network, segmentation_id };
  if (!isGiven(changes)) return standing;
  const type = text(changes["provider:network_type"]) ?? network_type;
  const rest = type === network_type ? standing : { physical_network: null, segmentation_id: null };
  return checkedCarrier({
    network_type: type,
    physical_network: text(changes["provider:physical_network"]) ?? rest.physical_network,
    segmentation_id: number(changes["provider:segmentation_id"]) ?? rest.segmentation_id,
  });
}

function checkedCarrier(carrier: Carrier): Carrier {
  const { network_type: type, physical_network: physical, segmentation_id: segment } = carrier;
  const rules = Object.hasOwn(carrierTypes, type ?? "") ? carrierTypes[type ?? ""] : undefined;
  if (rules === undefined) {
    return refuse(`provider:network_type '${type}' is not supported: it is one of ${Object.keys(carrierTypes).join(", ")}`);
  }
  const { isPhysical, lastSegment } = rules;
  if (isPhysical && physical === null) refuse(`provider:physical_network is required for network type ${type}`);
  if (!isPhysical && physical !== null) refuse(`provider:physical_network is not allowed for network type ${type}`);
  if (lastSegment === 0 && segment !== null) refuse(`provider:segmentation_id is not allowed for network type ${type}`);
  if (lastSegment === 0) return carrier;
  if (segment === null) {
    return refuse(`provider:segmentation_id is required for network type ${type}: this server has no ranges to choose from`);
  }
  if (segment < 1 || segment > lastSegment) {
    refuse(`provider:segmentation_id ${segment} is not within 1 and ${lastSegment}`);
  }
  return carrier;
}

function refuse(why: string): never {
  throw new ApiFault("InvalidInput", why);
}

export function isSameCarrier(one: NetworkRow, other: NetworkRow): boolean {
  return (
    one.network_type === other.network_type &&
    one.physical_network === other.physical_network &&
    one.segmentation_id === other.segmentation_id
  );
}

/** Throws for a carrier that another network has, or two of `rows` have. Unique indexes of the table decide races. */
export async function checkCarriersFree(trx: Trx, rows: readonly NetworkRow[]): Promise<void> {
  const seen = new Set<string>();
  for (const row of rows) {
    if (row.network_type === "local") continue;
    const key = JSON.stringify([row.network_type, row.physical_network, row.segmentation_id]);
    if (seen.has(key) || (await isTaken(trx, row))) throw inUse(row);
    seen.add(key);
  }
}

async function isTaken(trx: Trx, { id, network_type, physical_network, segmentation_id }: NetworkRow): Promise<boolean> {
  const other = await trx
    .selectFrom("networks")
    .select("id")
    .where("network_type", "=", network_type)
    .$if(physical_network !== null, (query) => query.where("physical_network", "=", physical_network))
    .$if(segmentation_id !== null, (query) => query.where("segmentation_id", "=", segmentation_id))
    .where("id", "!=", id)
    .limit(1)
    .executeTakeFirst();
  return other !== undefined;
}

function inUse({ network_type, physical_network, segmentation_id }: NetworkRow): ApiFault {
  if (network_type === "flat") {
    return new ApiFault(
      "FlatNetworkInUse",
      `Unable to create the flat network. Physical network ${physical_network} is in use.`,
    );
  }
  return network_type === "vlan"
    ? new ApiFault(
        "VlanIdInUse",
        `Unable to create the network. The VLAN ${segmentation_id} on physical network ${physical_network} is in use.`,
      )
    : new ApiFault("TunnelIdInUse", `Unable to create the network. The tunnel ID ${segmentation_id} is in use.`);
}
