// What varies in a router's rules: the elements of the sets that are the router driver's own. Pure.
import { gatewayDeviceName, routerDeviceName } from "../../model/device-names.ts";
import type { RouterGateway, RouterInterface } from "../../model/router.ts";

/** By name of the set or map; elements as nft reads and prints them, sorted. */
export interface RouterSets {
  /** Addresses that flows may be translated to beside floating ones: those of the gateway. */
  readonly gw_ip: readonly string[];
  /** Gateway device → address that leaves by it; empty without SNAT. */
  readonly gw_src: readonly string[];
  /** Device of a tenant's network → address for instances that reach a floating IP from inside. */
  readonly hair_src: readonly string[];
  /** Devices whose addresses mean the same outside: not translated. */
  readonly scope_direct: readonly string[];
  /** From device, to device, by family: different address scopes. */
  readonly scope_drop: readonly string[];
}

interface SetParts {
  readonly interfaces: readonly RouterInterface[];
  readonly gateway: RouterGateway | undefined;
  readonly enableSnat: boolean;
}

export function buildSets({ interfaces, gateway, enableSnat }: SetParts): RouterSets {
  const own = (gateway?.addresses ?? []).filter(({ ipVersion }) => ipVersion === 4).map(({ ipAddress }) => ipAddress);
  const [source] = own;
  const qg = gateway === undefined ? "" : gatewayDeviceName(gateway.portId);
  const devices = interfaces.map(({ portId }) => routerDeviceName(portId));
  const from = (device: string): string => `"${device}" : ${source ?? ""}`;
  return {
    gw_ip: own.toSorted(),
    gw_src: source !== undefined && enableSnat ? [from(qg)] : [],
    hair_src: source === undefined ? [] : devices.map(from).toSorted(),
    scope_direct: gateway === undefined ? [] : directDevices(interfaces, gateway),
    scope_drop: separatedPairs(interfaces, gateway),
  };
}

/** `undefined`: no address of that family; null: of no scope. */
function scopeOf(port: RouterInterface, version: 4 | 6): string | null | undefined {
  const address = port.addresses.find(({ ipVersion }) => ipVersion === version);
  return address === undefined ? undefined : address.addressScopeId;
}

function directDevices(interfaces: readonly RouterInterface[], gateway: RouterGateway): readonly string[] {
  const outside = scopeOf(gateway, 4) ?? null;
  if (outside === null) return [];
  return interfaces
    .filter((port) => scopeOf(port, 4) === outside)
    .map(({ portId }) => `"${routerDeviceName(portId)}"`)
    .toSorted();
}

function separatedPairs(interfaces: readonly RouterInterface[], gateway: RouterGateway | undefined): readonly string[] {
  const ends = interfaces.map((port) => ({ port, device: routerDeviceName(port.portId) }));
  if (gateway !== undefined) ends.push({ port: gateway, device: gatewayDeviceName(gateway.portId) });
  const pairs: string[] = [];
  for (const version of [4, 6] as const) {
    for (const from of ends) {
      for (const to of ends) {
        const [one, other] = [scopeOf(from.port, version), scopeOf(to.port, version)];
        if (one === undefined || other === undefined || one === other) continue;
        pairs.push(`ipv${version} . "${from.device}" . "${to.device}"`);
      }
    }
  }
  return pairs.toSorted();
}
