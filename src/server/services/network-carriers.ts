// What carries a network from host to host, as an operator says it (`provider:*`, or `segments` where there are several):
// which descriptions make sense. The server only keeps it: to carry the frames is the operator's part.
import { ApiFault } from "../../types/api-faults.ts";
import type { Carrier, NumberedType } from "../store/network-segments.ts";
import type { Attributes } from "./resource-service.ts";
import { has, number, text } from "./service-deps.ts";

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

/** `undefined` for a type that this server does not have. */
export const carrierType = (name: string): CarrierType | undefined =>
  Object.hasOwn(carrierTypes, name) ? carrierTypes[name] : undefined;

const attributes = ["provider:network_type", "provider:physical_network", "provider:segmentation_id"] as const;

const isGiven = (body: Attributes): boolean => attributes.some((attribute) => has(body, attribute));

/** The server is to choose its segment id, and perhaps the physical network too. */
export function isUnsettled(carrier: Carrier): carrier is Carrier & { readonly network_type: NumberedType } {
  return carrier.segmentation_id === null && (carrierType(carrier.network_type)?.lastSegment ?? 0) > 0;
}

/** `undefined`: whatever networks of this kind of caller get. */
export function wishedCarriers(body: Attributes): readonly Carrier[] | undefined {
  refuseBoth(body);
  if (has(body, "segments")) return segmentsOf(body);
  return isGiven(body) ? [carrierOf(body)] : undefined;
}

/**
 * Another type is described anew: nothing of the old description belongs to it.
 *
 * @returns `undefined` where nothing is said of carriers.
 */
export function changedCarriers(before: readonly Carrier[], changes: Attributes): readonly Carrier[] | undefined {
  refuseBoth(changes);
  if (has(changes, "segments")) return segmentsOf(changes);
  if (!isGiven(changes)) return undefined;
  const [standing, ...more] = before;
  if (standing === undefined) return [carrierOf(changes)];
  if (more.length > 0) refuse("the network has several segments: give all of them as segments, or change one of them");
  const { network_type, physical_network, segmentation_id } = standing;
  const type = text(changes["provider:network_type"]) ?? network_type;
  const rest =
    type === network_type ? { physical_network, segmentation_id } : { physical_network: null, segmentation_id: null };
  return [
    checkedCarrier({
      network_type: type,
      physical_network: text(changes["provider:physical_network"]) ?? rest.physical_network,
      segmentation_id: number(changes["provider:segmentation_id"]) ?? rest.segmentation_id,
    }),
  ];
}

function refuseBoth(body: Attributes): void {
  if (!has(body, "segments") || !isGiven(body)) return;
  throw new ApiFault("SegmentsSetInConjunctionWithProviders", "segments and provider:* say the same thing: give one of them.");
}

function segmentsOf(body: Attributes): readonly Carrier[] {
  // The cast: the route has checked it.
  const carriers = (body["segments"] as readonly Attributes[]).map((segment) => carrierOf(stated(segment)));
  const settled = carriers.filter((carrier) => !isUnsettled(carrier) && carrier.network_type !== "local");
  if (new Set(settled.map(carrierKey)).size < settled.length) {
    throw new ApiFault("SegmentsContainDuplicateEntry", "The same segment is given twice.");
  }
  return carriers;
}

/** Clients with types send the empty text and 0 for what they were not told: nobody means a network or a number by them. */
function stated(segment: Attributes): Attributes {
  const { "provider:network_type": type, "provider:physical_network": physical, "provider:segmentation_id": id } = segment;
  const hasNumbers = (carrierType(String(type))?.lastSegment ?? 0) > 0;
  return {
    ...segment,
    "provider:physical_network": physical === "" ? null : physical,
    "provider:segmentation_id": id === 0 && !hasNumbers ? null : id,
  };
}

/** Two carriers with the same key are the same wire. */
export const carrierKey = ({ network_type, physical_network, segmentation_id }: Carrier): string =>
  JSON.stringify([network_type, physical_network, segmentation_id]);

function carrierOf(body: Attributes): Carrier {
  const type = text(body["provider:network_type"]);
  if (type === undefined) return refuse("provider:network_type is required with the others");
  return checkedCarrier({
    network_type: type,
    physical_network: text(body["provider:physical_network"]) ?? null,
    segmentation_id: number(body["provider:segmentation_id"]) ?? null,
  });
}

/** Throws InvalidInput, in the words of `provider:*`. */
export function checkedCarrier(carrier: Carrier): Carrier {
  const { network_type: type, physical_network: physical, segmentation_id: segment } = carrier;
  const rules = carrierType(type);
  if (rules === undefined) {
    return refuse(`provider:network_type '${type}' is not supported: it is one of ${Object.keys(carrierTypes).join(", ")}`);
  }
  const { isPhysical, lastSegment } = rules;
  if (isPhysical && physical === null && !isUnsettled(carrier)) {
    refuse(`provider:physical_network is required for network type ${type}`);
  }
  if (!isPhysical && physical !== null) refuse(`provider:physical_network is not allowed for network type ${type}`);
  if (lastSegment === 0 && segment !== null) refuse(`provider:segmentation_id is not allowed for network type ${type}`);
  if (segment !== null && (segment < 1 || segment > lastSegment)) {
    refuse(`provider:segmentation_id ${segment} is not within 1 and ${lastSegment}`);
  }
  return carrier;
}

function refuse(why: string): never {
  throw new ApiFault("InvalidInput", why);
}

export function inUse({ network_type: type, physical_network: physical, segmentation_id: segment }: Carrier): ApiFault {
  if (type === "flat") {
    const why = `Unable to create the flat network. Physical network ${physical} is in use.`;
    return new ApiFault("FlatNetworkInUse", why);
  }
  if (type === "vlan") {
    const why = `Unable to create the network. The VLAN ${segment} on physical network ${physical} is in use.`;
    return new ApiFault("VlanIdInUse", why);
  }
  return new ApiFault("TunnelIdInUse", `Unable to create the network. The tunnel ID ${segment} is in use.`);
}
