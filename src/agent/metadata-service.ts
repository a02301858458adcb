// What the agent's reconcile needs of a metadata proxy, with the operator's wishes about who is served.
import type { MetadataMetrics } from "../metadata-proxy/metadata-proxy.ts";
import type { NetworkId } from "../model/ids.ts";
import { type MetadataOptions, planMetadata } from "../model/metadata-plan.ts";
import type { MetadataService } from "./network-helpers.ts";

export interface MetadataListeners {
  apply(desired: Parameters<MetadataService["apply"]>[0]): Promise<void>;
  remove(id: NetworkId): Promise<void>;
  readonly metrics: MetadataMetrics;
}

export function createMetadataService(listeners: MetadataListeners, options: MetadataOptions): MetadataService {
  return {
    plan: (view, dhcpPort) => planMetadata(view, dhcpPort, options),
    apply: async (desired) => listeners.apply(desired),
    remove: async (id) => listeners.remove(id),
    readFigures: () => listeners.metrics,
  };
}

/** False when nobody is to be served, which needs no proxy at all. */
export const wantsMetadata = ({ isolated, force, metadataNetwork }: MetadataOptions): boolean =>
  isolated || force || metadataNetwork;
