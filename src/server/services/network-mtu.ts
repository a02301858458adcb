// How large the packets of a network may be: what its carriers leave.
import { ApiFault } from "../../types/api-faults.ts";
import type { Carrier } from "../store/network-segments.ts";
import type { NetworkSettings } from "./network-settings.ts";

const outerHeader = { 4: 20, 6: 40 } as const;
// UDP, VXLAN and the inner Ethernet header.
const vxlanHeaders = 30;

/** Bytes; `undefined`: nothing on the way that limits it. */
function limitOf({ network_type: type, physical_network: physical }: Carrier, settings: NetworkSettings): number | undefined {
  const { physicalMtuBytes, physicalNetworkMtus, pathMtuBytes, overlayIpVersion } = settings;
  if (type === "vxlan") {
    const path = pathMtuBytes === 0 ? physicalMtuBytes : Math.min(physicalMtuBytes, pathMtuBytes);
    return path - outerHeader[overlayIpVersion] - vxlanHeaders;
  }
  if (type === "local") return undefined;
  return physicalNetworkMtus.find((own) => own.physicalNetwork === physical)?.mtuBytes ?? physicalMtuBytes;
}

const smallest = (numbers: readonly number[]): number | undefined => (numbers.length === 0 ? undefined : Math.min(...numbers));

function largestMtu(carriers: readonly Carrier[], settings: NetworkSettings): number | undefined {
  return smallest(carriers.flatMap((carrier) => limitOf(carrier, settings) ?? []));
}

/** Of a network that nobody chose one for. */
export function computedMtu(carriers: readonly Carrier[], settings: NetworkSettings): number {
  return largestMtu(carriers, settings) ?? settings.physicalMtuBytes;
}

/** Throws InvalidInput. */
export function checkMtuFits(mtu: number, carriers: readonly Carrier[], settings: NetworkSettings): void {
  const largest = largestMtu(carriers, settings);
  if (largest === undefined || mtu <= largest) return;
  throw new ApiFault("InvalidInput", `Invalid input for mtu. Reason: the requested MTU is too big, maximum is ${largest}.`);
}
