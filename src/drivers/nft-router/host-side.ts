// The host's ends of a router's devices: pairs that join networks' bridges, or the operator's bridge of an external network.
import type { InterfaceDriver } from "../../device-manager/interface-driver.ts";
import { NetloomError } from "../../base/errors.ts";
import { hasDevice } from "../../linux/ip.ts";
import type { MarkedTap } from "./router-mark.ts";
import type { PortSpec } from "./router-spec.ts";

export interface HostDrivers {
  /** Joins tenants' networks. */
  readonly inner: InterfaceDriver;
  /** Joins external networks: Linux bridges. */
  readonly outer: InterfaceDriver;
}

export type HostLook = "absent" | "differs" | "fits";

const driverFor = (drivers: HostDrivers, isForeignBridge: boolean): InterfaceDriver =>
  isForeignBridge ? drivers.outer : drivers.inner;

/** @throws NetloomError UNAVAILABLE when the operator's bridge is not there: making one would only hide that */
export function checkBridge({ bridge, isForeignBridge }: PortSpec): void {
  if (!isForeignBridge || hasDevice(bridge)) return;
  throw new NetloomError("UNAVAILABLE", `bridge ${bridge} of the external network does not exist on this host`);
}

export const lookAtHost = (drivers: HostDrivers, port: PortSpec): Promise<HostLook> =>
  driverFor(drivers, port.isForeignBridge).look(port);

/** Makes the pair anew, or puts the host's end right. */
export async function ensureOnHost(drivers: HostDrivers, port: PortSpec, look: HostLook): Promise<void> {
  const driver = driverFor(drivers, port.isForeignBridge);
  if (look === "absent") await driver.plug(port);
  else if (look === "differs") await driver.update(port);
}

export async function unplugTaps(
  drivers: HostDrivers,
  taps: readonly MarkedTap[],
  options: { readonly areVanishing: boolean },
): Promise<void> {
  for (const { tap, bridge, isForeignBridge } of taps) {
    await driverFor(drivers, isForeignBridge).unplug({ bridge, taps: [tap], keepsBridge: isForeignBridge, ...options });
  }
}
