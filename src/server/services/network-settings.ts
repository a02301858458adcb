// What the operator says about the wires below networks.

/** Names as in the settings, section `network`. */
export interface NetworkSettings {
  /** Types that networks get whose creator says nothing, in this order. */
  readonly tenantTypes: readonly ("local" | "vlan" | "vxlan")[];
  /** Ranges that segment ids are chosen from. */
  readonly vlanRanges: readonly { readonly physicalNetwork: string; readonly minimum: number; readonly maximum: number }[];
  readonly vxlanRanges: readonly { readonly minimum: number; readonly maximum: number }[];
  readonly physicalMtuBytes: number;
  readonly physicalNetworkMtus: readonly { readonly physicalNetwork: string; readonly mtuBytes: number }[];
  /** Between hosts, for overlays; 0: as everywhere else. */
  readonly pathMtuBytes: number;
  readonly overlayIpVersion: 4 | 6;
}

export const defaultNetworkSettings: NetworkSettings = {
  tenantTypes: ["local"],
  vlanRanges: [],
  vxlanRanges: [],
  physicalMtuBytes: 1500,
  physicalNetworkMtus: [],
  pathMtuBytes: 0,
  overlayIpVersion: 4,
};
