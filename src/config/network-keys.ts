// Keys of section `network`: what the server is told of the wires below networks. Ranges and MTUs of physical networks are
// words, `public:1:4094`, so that they can be given on a command line.
import { z } from "zod";

const physicalName = "[A-Za-z0-9_.-]{1,64}";
const lastVlan = 4094;
const lastVxlan = 16_777_215;

const vlanRange = z
  .string()
  .regex(new RegExp(`^${physicalName}:\\d{1,4}:\\d{1,4}$`), "must be <physical network>:<first>:<last>")
  .refine((text) => isRange(readVlanRange(text), lastVlan), `must have a first and a last VLAN from 1 to ${lastVlan}`);

const vxlanRange = z
  .string()
  .regex(/^\d{1,8}:\d{1,8}$/, "must be <first>:<last>")
  .refine((text) => isRange(readVxlanRange(text), lastVxlan), `must have a first and a last number from 1 to ${lastVxlan}`);

const physicalMtu = z
  .string()
  .regex(new RegExp(`^${physicalName}:\\d{2,5}$`), "must be <physical network>:<bytes>")
  .refine((text) => readPhysicalMtu(text).mtuBytes <= 65_535, "must have at most 65535 bytes");

const tenantTypes = ["local", "vlan", "vxlan"] as const;

export const serverNetwork = {
  tenantTypes: z
    .array(z.enum(tenantTypes))
    .min(1)
    .default(["local"])
    .describe("What carries a network whose creator does not say: the first of local, vlan, vxlan that has a free segment"),
  vlanRanges: z
    .array(vlanRange)
    .refine((texts) => areApart(texts.map(readVlanRange)), "must not overlap")
    .default([])
    .describe("VLANs that networks may be given, as <physical network>:<first>:<last>"),
  vxlanRanges: z
    .array(vxlanRange)
    .refine((texts) => areApart(texts.map(readVxlanRange)), "must not overlap")
    .default([])
    .describe("VXLAN network identifiers that networks may be given, as <first>:<last>"),
  physicalMtuBytes: z.int().min(68).max(65_535).default(1500).describe("MTU of physical networks"),
  physicalNetworkMtus: z
    .array(physicalMtu)
    .default([])
    .describe("Physical networks with another one, as <physical network>:<bytes>"),
  pathMtuBytes: z.int().min(0).max(65_535).default(0).describe("MTU between hosts, for overlays; 0: that of physical networks"),
  overlayIpVersion: z
    .int()
    .refine((version) => version === 4 || version === 6, "must be 4 or 6")
    .default(4)
    .describe("IP version between hosts, for overlays: 4 or 6"),
};

interface NumberRange {
  readonly minimum: number;
  readonly maximum: number;
  readonly physicalNetwork?: string;
}

const isRange = ({ minimum, maximum }: NumberRange, last: number): boolean =>
  minimum >= 1 && minimum <= maximum && maximum <= last;

function areApart(ranges: readonly NumberRange[]): boolean {
  return ranges.every((one, index) =>
    ranges
      .slice(index + 1)
      .every(
        (other) => one.physicalNetwork !== other.physicalNetwork || one.minimum > other.maximum || other.minimum > one.maximum,
      ),
  );
}

function readVlanRange(text: string): Required<NumberRange> {
  const [physicalNetwork = "", minimum, maximum] = text.split(":");
  return { physicalNetwork, minimum: Number(minimum), maximum: Number(maximum) };
}

function readVxlanRange(text: string): NumberRange {
  const [minimum, maximum] = text.split(":");
  return { minimum: Number(minimum), maximum: Number(maximum) };
}

function readPhysicalMtu(text: string): { readonly physicalNetwork: string; readonly mtuBytes: number } {
  const [physicalNetwork = "", mtuBytes] = text.split(":");
  return { physicalNetwork, mtuBytes: Number(mtuBytes) };
}

export interface NetworkKeys {
  readonly tenantTypes: readonly (typeof tenantTypes)[number][];
  readonly vlanRanges: readonly string[];
  readonly vxlanRanges: readonly string[];
  readonly physicalMtuBytes: number;
  readonly physicalNetworkMtus: readonly string[];
  readonly pathMtuBytes: number;
  readonly overlayIpVersion: number;
}

/** The words of the settings read; they have been checked. */
export function readNetworkKeys(keys: NetworkKeys) {
  return {
    ...keys,
    overlayIpVersion: keys.overlayIpVersion === 6 ? (6 as const) : (4 as const),
    vlanRanges: keys.vlanRanges.map(readVlanRange),
    vxlanRanges: keys.vxlanRanges.map(readVxlanRange),
    physicalNetworkMtus: keys.physicalNetworkMtus.map(readPhysicalMtu),
  };
}
