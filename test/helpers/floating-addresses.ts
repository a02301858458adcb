// Floating addresses and port forwardings as tests ask for them.
import type { AddressChanges, FloatingAddress } from "../../src/drivers/floating-ip-driver.ts";
import { floatingIpId, portId, routerId } from "../../src/model/ids.ts";
import type { PortForwarding } from "../../src/model/router.ts";
import { randomId } from "./namespaces.ts";

let revision = 0;

export function floatingAddress(
  address: string,
  fixedIp: string | null,
  forwardings: readonly PortForwarding[] = [],
): FloatingAddress {
  return { address, fixedIp, forwardings, revision: (revision += 1) };
}

/** @param external `80` or `[80, 90]` */
export function portForwarding(
  protocol: PortForwarding["protocol"],
  external: number | readonly [number, number] | null,
  internalIp: string,
  internal: number | readonly [number, number] | null,
): PortForwarding {
  const range = (ports: number | readonly [number, number] | null): { first: number; last: number } | null => {
    if (ports === null) return null;
    return typeof ports === "number" ? { first: ports, last: ports } : { first: ports[0], last: ports[1] };
  };
  return {
    id: randomId(),
    floatingIpId: floatingIpId(randomId()),
    floatingIp: "203.0.113.0",
    routerId: routerId(randomId()),
    protocol,
    externalPorts: range(external),
    internalPorts: range(internal),
    internalIp,
    internalPortId: portId(randomId()),
    revision: (revision += 1),
  };
}

export const changesOf = (...wishes: readonly (FloatingAddress | string)[]): AddressChanges =>
  new Map(wishes.map((wish) => (typeof wish === "string" ? [wish, undefined] : [wish.address, wish])));
