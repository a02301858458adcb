// Branded identifiers: a checked constructor each, so that a string from outside cannot reach a command by accident.

export type NetworkId = string & { readonly __brand: "NetworkId" };
export type SubnetId = string & { readonly __brand: "SubnetId" };
export type PortId = string & { readonly __brand: "PortId" };
export type RouterId = string & { readonly __brand: "RouterId" };
export type FloatingIpId = string & { readonly __brand: "FloatingIpId" };

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function isUuid(text: string): boolean {
  return uuid.test(text);
}

function checked(kind: string, text: string): string {
  if (!uuid.test(text)) throw new RangeError(`not a ${kind} id: ${JSON.stringify(text.slice(0, 64))}`);
  return text;
}

// The casts are the point of these functions: they are the only door into the brands.
export const networkId = (text: string): NetworkId => checked("network", text) as NetworkId;
export const subnetId = (text: string): SubnetId => checked("subnet", text) as SubnetId;
export const portId = (text: string): PortId => checked("port", text) as PortId;
export const routerId = (text: string): RouterId => checked("router", text) as RouterId;
export const floatingIpId = (text: string): FloatingIpId => checked("floating IP", text) as FloatingIpId;
