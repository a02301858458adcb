// What the agent's reconcile needs of a metadata proxy, with the operator's wishes about who is served.
import type { NetworkId } from "../model/ids.ts";
import { type MetadataOptions, planMetadata } from "../model/metadata-plan.ts";
import type { MetadataService } from "./network-helpers.ts";

export interface MetadataListeners {
  apply(desired: Parameters<MetadataService["apply"]>[0]): Promise<void>;
  remove(id: NetworkId): Promise<void>;
}

export function createMetadataService(listeners: MetadataListeners, options: MetadataOptions): MetadataService {
  return {
    plan: (view, dhcpPort) => planMetadata(view, dhcpPort, options),
    apply: async (desired) => listeners.apply(desired),
    remove: async (id) => listeners.remove(id),
  };
}

/** False when nobody is to be served, which needs no proxy at all. */
export const wantsMetadata = ({ isolated, force, metadataNetwork }: MetadataOptions): boolean =>
  isolated || force || metadataNetwork;
